/** The run's requests to its named target: when one is due, what it says, and what becomes of the answer. */
import { isCosted } from "../limiter/budget.ts";
import { TARGET_ASK_MS, TARGET_SILENT_MS } from "../limits.ts";
import type { Limits, TargetAnswer, TargetAsk, Want } from "../target/targetProtocol.ts";
import { openForMs } from "./hours.ts";
import { lanesOfUse } from "./leasing.ts";
import { lanesUnderRamp, underRamp } from "./rampCap.ts";
import { isWorking, ownQuota, pause, type Run, settingsInForce } from "./run.ts";
import { isEnded } from "./runView.ts";
import { added, dropShare, endShare, NOTHING_SEEN, type TargetShare, takeShare } from "./targetShare.ts";
import { startMeasuring, wanted } from "./useMeter.ts";
import { whyGone } from "./whyShared.ts";

/** The ask that is due; null: none is. From here on it is under way, until it is answered or has failed. */
export function askDue(run: Run, nowMs: number): TargetAsk | null {
  const { target, state } = run;
  if (target === null) return null;
  const isUnderWay = target.asking !== null && nowMs - target.asking.sentMs < TARGET_SILENT_MS;
  const works = mayCall(run, nowMs);
  if (!works) dropShare(run, nowMs);
  endShare(run, nowMs);
  if (isUnderWay || nowMs < target.nextAskMs || !hasToAsk(run, nowMs)) return null;
  if (target.asking !== null) giveBackReport(target);
  // Over restarts too: the run clock never goes back.
  const seq = Math.max(target.lastSeq + 1, Math.floor(nowMs));
  target.lastSeq = seq;
  target.asking = { seq, sentMs: nowMs };
  target.isKnown = true;
  target.sent = target.report;
  target.report = NOTHING_SEEN;
  const { open } = state.quota.circuit;
  return {
    run: state.id,
    generation: state.generation,
    seq,
    weight: state.spec.share?.weight ?? 1,
    wants: works ? wantsOf(run, target, nowMs) : NOTHING_WANTED,
    holds: holdsOf(run, target),
    tail: tailOf(run, target, nowMs),
    lingerMs: state.lingerMs,
    epoch: target.share === null ? 0 : target.epoch,
    report: target.sent,
    pausedForMs: open?.reason === "throttled" ? Math.max(0, open.nextProbeMs - nowMs) : 0,
    leaves: !works,
    ended: isEnded(state.status),
  };
}

/** Outside its hours a run holds no share, as in a pause. */
function mayCall(run: Run, nowMs: number): boolean {
  return isWorking(run) && openForMs(run, nowMs) > 0;
}

/** It may call, or the target may hold something for it, or does not know that it has ended. */
function hasToAsk(run: Run, nowMs: number): boolean {
  const { target } = run;
  if (target === null) return false;
  return mayCall(run, nowMs) || target.isKnown || (isEnded(run.state.status) && !target.isEndKnown);
}

/** Takes an answer. `askedMs`: when its ask was sent, run clock. */
export function hearTarget(run: Run, ask: TargetAsk, answer: TargetAnswer, nowMs: number): void {
  const { target } = run;
  if (target === null || target.asking?.seq !== ask.seq) return;
  const { sentMs } = target.asking;
  if (answer.kind === "stale") {
    loseAsk(run, ask, nowMs);
    return;
  }
  target.asking = null;
  target.sent = null;
  target.isEndKnown = ask.ended;
  switch (answer.kind) {
    case "gone":
      target.share = null;
      target.isKnown = false;
      if (isWorking(run)) pause(run, whyGone(target.name));
      return;
    case "left":
      target.isKnown = false;
      target.nextAskMs = nowMs;
      return;
    case "share":
      // It was paused while the answer was on its way: the share goes back with the next ask.
      if (!mayCall(run, nowMs)) {
        target.nextAskMs = nowMs + answer.askAgainInMs;
        return;
      }
      takeShare(run, answer, { sentMs, nowMs }, () => settingsInForce(run));
      return;
    default:
      answer satisfies never;
  }
}

/** The ask was not answered: it is made again, with all that it reported. */
export function loseAsk(run: Run, ask: TargetAsk, nowMs: number): void {
  const { target } = run;
  if (target === null || target.asking?.seq !== ask.seq) return;
  giveBackReport(target);
  target.asking = null;
  target.nextAskMs = nowMs + TARGET_ASK_MS;
}

/** When the run has to ask by itself, because no request of its lanes will come by; null: it need not. */
export function wakeToAskMs(run: Run, nowMs: number): number | null {
  const { target } = run;
  if (target === null || !hasToAsk(run, nowMs)) return null;
  // Lanes ask for permits once a second at least.
  if (mayCall(run, nowMs) && run.semaphore.live.size > 0) return null;
  const dueMs = target.asking === null ? target.nextAskMs : target.asking.sentMs + TARGET_SILENT_MS;
  return Math.max(nowMs, dueMs);
}

function giveBackReport(target: TargetShare): void {
  if (target.sent !== null) target.report = added(target.sent, target.report);
  target.sent = null;
}

const NOTHING: Want = { want: 0, most: null };
const NOTHING_WANTED = { perSecond: NOTHING, tokensPerSecond: NOTHING, lanes: NOTHING } as const;
/** Of an even part, what a run keeps that uses nothing: it begins anew with it, and asks for more at once. */
const LEAST_OF_EVEN = 0.02;

function wantsOf(run: Run, target: TargetShare, nowMs: number): TargetAsk["wants"] {
  const { spec, plan, items, counts } = run.state;
  const own = underRamp(ownQuota(spec), run);
  const rate = (dimension: "perSecond" | "tokensPerSecond", most: number | null): Want => {
    const now = target.share?.[dimension] ?? null;
    if (now === null) return { want: null, most };
    // What nobody may use says nothing about who could.
    if (now === 0 || nowMs < target.pausedUntilMs) {
      startMeasuring(target.meters[dimension], nowMs);
      return { want: now === 0 ? null : target.meters[dimension].want, most };
    }
    const least = (LEAST_OF_EVEN * (target.of?.[dimension] ?? 0)) / Math.max(1, target.runs);
    const { quota } = run.state;
    const tatMs = dimension === "perSecond" ? quota.tat.tatMs : (quota.tokens?.tat.tatMs ?? nowMs);
    const perSecond = Math.min(now, most ?? now);
    return { want: wanted(target.meters[dimension], { perSecond, tatMs, least }, nowMs), most };
  };
  const left = plan.complete ? items - counts.done : Number.POSITIVE_INFINITY;
  const lanes = Math.max(1, lanesOfUse(run, left, lanesUnderRamp(run)));
  return {
    perSecond: rate("perSecond", own.ratePerSecond),
    tokensPerSecond:
      isCosted(spec) && own.tokens !== undefined ? rate("tokensPerSecond", own.tokens.perSecond) : NOTHING,
    lanes: { want: lanes, most: lanes },
  };
}

/** The share in force; of the lanes never less than are live, for a lane gives its slot back when its call is over. */
function holdsOf(run: Run, { share }: TargetShare): Limits {
  const live = run.semaphore.live.size;
  if (share === null) return { perSecond: 0, tokensPerSecond: 0, lanes: live };
  return { ...share, lanes: share.lanes === null ? null : Math.max(share.lanes, live) };
}

function tailOf(run: Run, target: TargetShare, nowMs: number): TargetAsk["tail"] {
  const { tail, forgottenUntilMs } = target;
  if (nowMs < forgottenUntilMs) {
    const forMs = Math.max(forgottenUntilMs, tail.untilMs) - nowMs;
    return { perSecond: null, tokensPerSecond: null, forMs };
  }
  const { perSecond, tokensPerSecond } = tail;
  // Nobody is left to use what is out, but for what was used just now. Tokens of one call may be those of a minute.
  const isIdle = !mayCall(run, nowMs) && run.semaphore.live.size === 0;
  const untilMs =
    isIdle && perSecond > 0 && tokensPerSecond === 0
      ? Math.min(nowMs + 1000 / perSecond, tail.untilMs)
      : tail.untilMs;
  const forMs = Math.max(0, untilMs - nowMs);
  return forMs === 0 ? { perSecond: 0, tokensPerSecond: 0, forMs } : { perSecond, tokensPerSecond, forMs };
}
