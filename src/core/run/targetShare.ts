/**
 * A run's share of a named target: when to ask for it, what is in force, and when it ends.
 *
 * The run issues permits itself, at the smaller of its own limit and its share. Between its requests to the target
 * nothing is waited for: while no share is in force nothing is issued, and that is all.
 *
 * Invariants:
 * - No instant is issued that lies beyond the end of the share; the end counts from when the ask was *sent*.
 * - A smaller share is in force at once, and instants that are out already stay good: the run reports them as its
 *   *tail* until the TAT behind them is over, and the target hands on nothing of it before.
 * - At most one ask is under way; an answer to an older one is never taken.
 * - A restart forgets the share, not what it issued: the tail is then as long as the restored limiter waits.
 */
import type { QuotaSettings } from "../limiter/burst.ts";
import { emissionIntervalMs } from "../limiter/gcra.ts";
import { configureQuota, effectiveRate, type Quota } from "../limiter/quota.ts";
import { tokenRate } from "../limiter/tokenQuota.ts";
import {
  COSTED_GRACE_MS,
  DEPTH_MS,
  PERMITS_PER_ASK,
  SHARE_LANES_LOST_MS,
  SHARE_LANES_SHED_MS,
  STARVED_AHEAD_MS,
  TARGET_ASK_MS,
  TROUBLES_PER_REPORT,
} from "../limits.ts";
import type { Grant, Report } from "../protocol.ts";
import type { Limits, SharedReport, TargetAnswer } from "../target/targetProtocol.ts";
import { lanesUnderRamp } from "./rampCap.ts";
import type { Run, RunState } from "./run.ts";
import { shedAbove } from "./semaphore.ts";
import { createMeter, noteLanes, noteLine, noteShort, startMeasuring, type UseMeter } from "./useMeter.ts";

export interface TargetShare {
  readonly name: string;
  /** In force, as far as its term is not over; null: none was given, or it was given back. */
  share: Limits | null;
  /** When the ask was sent that brought it, and how long it is good from then. */
  sentMs: number;
  ttlMs: number;
  /** The rates whose instants are out, larger than the share in force. */
  tail: { readonly perSecond: number; readonly tokensPerSecond: number; readonly untilMs: number };
  /** Until then instants are out of which only the target knows under what share. */
  readonly forgottenUntilMs: number;
  /** Of the ask under way; null: none is. */
  asking: { readonly seq: number; readonly sentMs: number } | null;
  lastSeq: number;
  nextAskMs: number;
  /** The target may hold something for this run. */
  isKnown: boolean;
  /** The target has heard that the run has ended. */
  isEndKnown: boolean;
  epoch: number;
  /** The limits for all, and among how many they are shared; as of the last answer. */
  of: Limits | null;
  configuredPerSecond: number | null;
  burst: number | null;
  runs: number;
  pausedUntilMs: number;
  /** Since when it had no share although it wanted one; null: it has one. */
  withoutSinceMs: number | null;
  readonly meters: { readonly perSecond: UseMeter; readonly tokensPerSecond: UseMeter };
  /** Not yet in an ask that was answered. */
  report: SharedReport;
  /** The part of it that is in the ask under way. */
  sent: SharedReport | null;
}

/** For a run that names a target; null for another. `outUntilMs`: until when instants may be used that a restart forgot. */
export function createTargetShare(
  name: string | null,
  outUntilMs: number,
  nowMs: number,
): TargetShare | null {
  if (name === null) return null;
  return {
    name,
    share: null,
    sentMs: nowMs,
    ttlMs: 0,
    tail: { perSecond: 0, tokensPerSecond: 0, untilMs: 0 },
    forgottenUntilMs: outUntilMs,
    asking: null,
    lastSeq: 0,
    nextAskMs: nowMs,
    isKnown: true,
    isEndKnown: false,
    epoch: 0,
    of: null,
    configuredPerSecond: null,
    burst: null,
    runs: 0,
    pausedUntilMs: 0,
    withoutSinceMs: nowMs,
    meters: { perSecond: createMeter(nowMs), tokensPerSecond: createMeter(nowMs) },
    report: NOTHING_SEEN,
    sent: null,
  };
}

/** The run's own limit and its share, whichever is smaller; as it is while no share is in force. */
export function underShare(own: QuotaSettings, target: TargetShare | null): QuotaSettings {
  const share = target?.share ?? null;
  if (target === null || share === null) return own;
  // A share of nothing is held by not issuing (`shareWaitMs`): no limiter runs at 0.
  const ratePerSecond = smaller(own.ratePerSecond, share.perSecond || null);
  const tokens =
    own.tokens === undefined
      ? {}
      : {
          tokens: {
            ...own.tokens,
            perSecond: smaller(own.tokens.perSecond, share.tokensPerSecond || null) ?? 0,
          },
        };
  return { ...own, ratePerSecond, burst: smaller(own.burst, burstOfShare(target, ratePerSecond)), ...tokens };
}

/** So that a permit's grace is what it would be if one limiter had the target's whole rate. */
function burstOfShare({ burst, configuredPerSecond }: TargetShare, perSecond: number | null): number | null {
  if (burst === null || configuredPerSecond === null || perSecond === null) return burst;
  return 1 + (burst - 1) * Math.min(1, perSecond / configuredPerSecond);
}

/** How long nothing may be issued: no share is in force, or its end is near, or all pause. Null: issue. */
export function shareWaitMs(run: Run, nowMs: number): number | null {
  const { target } = run;
  if (target === null) return null;
  if (nowMs < target.pausedUntilMs) return target.pausedUntilMs - nowMs;
  if (target.share !== null && nowMs < usableUntilMs(target) && !isEmpty(run, target.share)) return null;
  return Math.max(MIN_WAIT_MS, Math.min(TARGET_ASK_MS, target.nextAskMs - nowMs + MIN_WAIT_MS));
}

/** A share without an end within an instant's depth. */
function usableUntilMs({ sentMs, ttlMs }: TargetShare): number {
  return sentMs + ttlMs - DEPTH_MS - COSTED_GRACE_MS;
}

function isEmpty(run: Run, share: Limits): boolean {
  return share.perSecond === 0 || (run.state.quota.tokens != null && share.tokensPerSecond === 0);
}

/** An ask takes a few milliseconds. */
const MIN_WAIT_MS = 30;

/** Calls per second that are in force: its own limit under its ramp, or its share; null: neither limits it. */
export function limitPerSecondOf({ state }: Run): number | null {
  return state.quota.settings.ratePerSecond;
}

/** Lanes that the run may have: its own limit under its ramp, its share, and none while it has no share. */
export function lanesAllowed(run: Run): number {
  const own = lanesUnderRamp(run);
  if (run.target === null) return own;
  const { share } = run.target;
  return share === null ? 0 : Math.min(own, share.lanes ?? own);
}

/** Where the share was not renewed for long the lanes go, for they may be another run's soon. */
export function passShareTime(run: Run, nowMs: number): void {
  const { target, semaphore } = run;
  if (target?.share == null || target.share.lanes === null || target.share.lanes === 0) return;
  if (nowMs - target.sentMs < SHARE_LANES_SHED_MS) return;
  target.share = { ...target.share, lanes: 0 };
  shedAbove(semaphore, 0);
}

/** False: leases of lanes are not renewed any more, so that the last one ends before its lane is given to others. */
export function mayRenewLanes({ target }: Run, nowMs: number): boolean {
  if (target === null || target.share === null || target.share.lanes === null) return true;
  return nowMs - target.sentMs < SHARE_LANES_LOST_MS;
}

/** Collects what the target's controller learns from, and how busy the invocation's lanes are; call before the run's own takes the report in. */
export function noteShared(
  run: Run,
  seen: Report,
  of: { readonly lanes: number; readonly nowMs: number },
): void {
  const { target, state } = run;
  if (target === null) return;
  for (const meter of Object.values(target.meters)) noteLanes(meter, of.lanes, seen.inFlight);
  const troubles = seen.troubles
    .filter(({ kind }) => kind === "throttled")
    .map(({ index, epoch, retryAfterMs, probe }) => ({
      index,
      isCurrent: epoch === state.quota.epoch,
      retryAfterMs,
      probe,
    }));
  const after = Math.min(troubles.length, seen.troublesSinceAnswer);
  target.report = added(target.report, {
    calls: seen.calls,
    throttled: seen.throttled,
    answered: seen.answered,
    inFlight: seen.inFlight,
    troubles,
    troublesSinceAnswer: after,
  });
  // What slows everybody is sent at once.
  if (troubles.some(({ isCurrent }) => isCurrent)) target.nextAskMs = Math.min(target.nextAskMs, of.nowMs);
}

/**
 * Notes how much of its share the run uses: the limiter's line before and after permits were issued, and whether
 * somebody waits for more although nothing but the share holds him.
 */
export function noteUse(
  { target, state }: Run,
  before: Quota,
  issued: { readonly calls: number; readonly tokens: number; readonly isShort: boolean },
): void {
  if (target === null || before.circuit.open !== null) return;
  const { perSecond, tokensPerSecond } = target.meters;
  const rate = effectiveRate(before);
  if (rate !== null)
    noteLine(perSecond, before.tat, state.quota.tat, issued.calls * emissionIntervalMs(rate));
  const [from, to] = [before.tokens ?? null, state.quota.tokens ?? null];
  if (from !== null && to !== null)
    noteLine(tokensPerSecond, from.tat, to.tat, issued.tokens * emissionIntervalMs(tokenRate(from)));
  if (!issued.isShort) return;
  // It wanted less when it last asked: what it wants now is sent with the next request.
  if (perSecond.want !== null) target.nextAskMs = 0;
  noteShort(perSecond);
  noteShort(tokensPerSecond);
}

/** A grant of plain permits, `want` of which were asked for. */
export function isShortOf(
  grant: Grant,
  { leadMs, want }: { readonly leadMs: number; readonly want: number },
): boolean {
  if (want === 0 || grant.kind === "free") return false;
  if (grant.kind === "deferred") return true;
  // Those of further rounds lie far ahead on purpose.
  const behindFirst = grant.inMs === undefined ? grant.count - 1 : 0;
  const lastInMs = grant.firstInMs + behindFirst * grant.everyMs;
  return grant.count < Math.min(want, PERMITS_PER_ASK) || lastInMs - leadMs > STARVED_AHEAD_MS;
}

/** Puts an answer in force. The quota follows: `configure` makes its settings under the share. */
export function takeShare(
  run: Run,
  answer: Extract<TargetAnswer, { readonly kind: "share" }>,
  at: { readonly sentMs: number; readonly nowMs: number },
  configure: () => QuotaSettings,
): void {
  const { target, state } = run;
  if (target === null) return;
  const { nowMs } = at;
  const isCut = answer.epoch > target.epoch && target.epoch > 0;
  const before = target.share;
  const { share } = answer;
  const isLower = keepTail(run, target, share, nowMs);
  target.share = share;
  target.sentMs = at.sentMs;
  target.ttlMs = answer.ttlMs;
  target.epoch = answer.epoch;
  target.of = answer.of;
  target.configuredPerSecond = answer.configuredPerSecond;
  target.burst = answer.burst;
  target.runs = answer.runs;
  target.pausedUntilMs = nowMs + answer.pauseMs;
  target.withoutSinceMs = isEmpty(run, share) || share.lanes === 0 ? (target.withoutSinceMs ?? nowMs) : null;
  // A smaller one is acknowledged at once: others wait for what it leaves.
  target.nextAskMs = isLower ? nowMs : nowMs + answer.askAgainInMs;
  for (const dimension of ["perSecond", "tokensPerSecond"] as const)
    if (before?.[dimension] !== share[dimension]) startMeasuring(target.meters[dimension], nowMs);
  if (!isEmpty(run, share)) {
    const changed = configureQuota(state.quota, configure(), nowMs);
    // Instants of a share that only moved on to others stay good; a limit that was lowered takes them back.
    state.quota = isCut ? changed : { ...changed, epoch: state.quota.epoch };
  }
  shedAbove(run.semaphore, lanesAllowed(run));
}

/** The share has run out: it may be others' by now. */
export function endShare({ target }: Run, nowMs: number): void {
  if (target?.share == null || nowMs < target.sentMs + target.ttlMs) return;
  target.share = { ...target.share, perSecond: 0, tokensPerSecond: 0 };
}

/** The run issues nothing from now on, by its own will: what it issued is its tail. */
export function dropShare(run: Run, nowMs: number): void {
  const { target } = run;
  if (target === null || target.share === null) return;
  keepTail(run, target, { perSecond: 0, tokensPerSecond: 0, lanes: target.share.lanes }, nowMs);
  target.share = null;
  target.nextAskMs = nowMs;
}

/** Notes what instants that are out still use. True: the new share is smaller in some dimension. */
function keepTail(run: Run, target: TargetShare, to: Limits, nowMs: number): boolean {
  const { share, tail } = target;
  if (share === null) return false;
  const lessRate = isLess(to.perSecond, share.perSecond);
  const lessTokens = isLess(to.tokensPerSecond, share.tokensPerSecond);
  if (lessRate || lessTokens) {
    const out = nowMs < tail.untilMs ? tail : { perSecond: 0, tokensPerSecond: 0, untilMs: 0 };
    target.tail = {
      perSecond: Math.max(share.perSecond ?? 0, out.perSecond),
      tokensPerSecond: Math.max(share.tokensPerSecond ?? 0, out.tokensPerSecond),
      untilMs: Math.max(out.untilMs, issuedUntilMs(run.state)),
    };
  }
  return lessRate || lessTokens || isLess(to.lanes, share.lanes);
}

/** Behind the last instant that was issued, by the gap that it was issued with. */
export function issuedUntilMs({ quota }: RunState): number {
  return Math.max(quota.tat.tatMs, quota.tokens?.tat.tatMs ?? 0);
}

function isLess(to: number | null, from: number | null): boolean {
  return (to ?? Number.POSITIVE_INFINITY) < (from ?? Number.POSITIVE_INFINITY);
}

export function smaller(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}

export const NOTHING_SEEN: SharedReport = {
  calls: 0,
  throttled: 0,
  answered: 0,
  inFlight: 0,
  troubles: [],
  troublesSinceAnswer: 0,
};

/** Two reports as one, the later one last. */
export function added(before: SharedReport, later: SharedReport): SharedReport {
  return {
    calls: before.calls + later.calls,
    throttled: before.throttled + later.throttled,
    answered: before.answered + later.answered,
    inFlight: later.inFlight,
    troubles: [...before.troubles, ...later.troubles].slice(-TROUBLES_PER_REPORT),
    troublesSinceAnswer:
      later.answered > 0
        ? later.troublesSinceAnswer
        : Math.min(TROUBLES_PER_REPORT, before.troublesSinceAnswer + later.troublesSinceAnswer),
  };
}
