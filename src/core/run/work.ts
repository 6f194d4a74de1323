/**
 * What has to happen next, and when the run must wake up by itself: the liveness of a run.
 *
 * Invariant: while a run is driven, has not ended and is not paused, `wakeAtMs` is a time, so something is
 * scheduled to happen (outside the run's hours: that they begin). Effects are only suggestions to the world: each may be lost, and is repeated.
 */

import { OFFER_REPEAT_MS, REFUSED_OFFER_MAX_MS } from "../limits.ts";
import { nextOfferAtMs, offersToSend, sharesChunks } from "./dispatch.ts";
import { keepHours, openForMs, opensAtMs } from "./hours.ts";
import { lanesOfUse, lanesUseful } from "./leasing.ts";
import { type Errand, isWorking, type Run } from "./run.ts";
import { isEnded, type RunStatus } from "./runView.ts";
import { nextExpiry } from "./semaphore.ts";
import { smokeBorder } from "./smoke.ts";
import { expireLeases } from "./sync.ts";
import { wakeToAskMs } from "./targetAsk.ts";

export interface Effects {
  /** Queues to send one offer of work each. */
  readonly offers: readonly number[];
  readonly errands: readonly Errand[];
}

/** A driven run looks after itself at least this often, whatever else is scheduled. */
const WATCH_MS = 30_000;

/** … and outside its hours this often, where a window would be further away. */
const WATCH_SHUT_MS = 86_400_000;

/** So long lanes have to get the failures of a committed part into D1 themselves. */
const INDEXED_BY_LANES_MS = 10_000;

/** What to send now. Call after every change and at every wake-up. */
export function work(run: Run, nowMs: number, wallMs: number): Effects {
  keepHours(run, nowMs, wallMs);
  expireLeases(run, nowMs);
  const errands = errandsDue(run, nowMs);
  if (!isWorking(run) || openForMs(run, nowMs) === 0) return { offers: [], errands };
  const next = run.ledger.nextAvailable(nowMs, true);
  const pending = next !== undefined && smokeBorder(run, next.chunk) !== 0;
  const lanesPerInvocation = run.lanesPerInvocation(run.state.spec.maxParallelism);
  const lanes = pending ? lanesToOffer(run, lanesPerInvocation) : run.semaphore.live.size;
  const offers = offersToSend(run.dispatch, { lanes, lanesPerInvocation, nowMs });
  return { offers, errands };
}

/** Lanes that have no chunk of their own help with others', so each chunk is worth a whole invocation. */
function lanesToOffer(run: Run, lanesPerInvocation: number): number {
  const { chunks, status, lingerMs } = run.state;
  if (status === "smoke" || lingerMs > 0 || !sharesChunks(run.state.spec)) return lanesUseful(run);
  return lanesOfUse(run, (chunks.total - chunks.done) * lanesPerInvocation);
}

/** When to call `work` again; null when nothing has to happen by itself. */
export function wakeAtMs(run: Run, nowMs: number): number | null {
  const { state } = run;
  const toAskMs = wakeToAskMs(run, nowMs);
  if (isEnded(state.status)) return earliest([state.notice?.dueAtMs ?? null, toAskMs]);
  if (isHeld(state.status) && run.semaphore.live.size === 0 && state.unindexed === 0) return toAskMs;
  const times = [watchAtMs(run, nowMs), nextExpiry(run.semaphore), toAskMs];
  for (const sent of run.errands.values()) times.push(sent.sentAtMs + sent.repeatMs);
  const opensMs = opensAtMs(run, nowMs);
  if (isWorking(run)) {
    if (opensMs === null) times.push(nextOfferAtMs(run.dispatch), nextDueAtMs(run, nowMs));
    else times.push(opensMs);
  }
  return earliest(times);
}

function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** Outside its hours, with nobody at work, nothing happens before they begin: each look is a row written. */
function watchAtMs(run: Run, nowMs: number): number {
  const isQuiet = isWorking(run) && run.semaphore.live.size === 0 && run.errands.size === 0;
  return nowMs + (isQuiet && opensAtMs(run, nowMs) !== null ? WATCH_SHUT_MS : WATCH_MS);
}

/** When a waiting chunk becomes due; what is due already was offered. */
function nextDueAtMs(run: Run, nowMs: number): number | null {
  const atMs = run.ledger.nextAvailableAtMs();
  return atMs === null || atMs <= nowMs ? null : atMs;
}

/** Waits for somebody outside. */
function isHeld(status: RunStatus): boolean {
  return status === "paused" || status === "awaiting-approval";
}

/** The errand has made progress: it is not sent again before a full interval. */
export function errandMoved(run: Run, errand: Errand, nowMs: number): void {
  if (run.errands.has(errand)) run.errands.set(errand, { sentAtMs: nowMs, repeatMs: OFFER_REPEAT_MS });
}

function errandsDue(run: Run, nowMs: number): readonly Errand[] {
  const wanted = errandsWanted(run, nowMs);
  const due: Errand[] = [];
  for (const errand of ["plan", "index", "finish"] as const) {
    if (!wanted.includes(errand)) {
      run.errands.delete(errand);
      continue;
    }
    const sent = run.errands.get(errand);
    if (sent !== undefined && nowMs < sent.sentAtMs + sent.repeatMs) continue;
    run.errands.set(errand, {
      sentAtMs: nowMs,
      repeatMs: sent === undefined ? OFFER_REPEAT_MS : Math.min(REFUSED_OFFER_MAX_MS, sent.repeatMs * 2),
    });
    due.push(errand);
  }
  return due;
}

/** The lane that committed a part indexes it: only what it left undone is an errand. */
function isLeftUnindexed(run: Run, nowMs: number): boolean {
  return run.semaphore.live.size === 0 || nowMs - run.indexedAtMs > INDEXED_BY_LANES_MS;
}

function errandsWanted(run: Run, nowMs: number): readonly Errand[] {
  const { state } = run;
  if (isEnded(state.status)) return [];
  const wanted: Errand[] = [];
  const plans = isWorking(run) || state.status === "awaiting-approval";
  if (plans && !state.plan.complete) wanted.push("plan");
  if (state.unindexed > 0 && isLeftUnindexed(run, nowMs)) wanted.push("index");
  if (state.status === "finishing" && run.semaphore.live.size === 0 && state.unindexed === 0) {
    wanted.push("finish");
  }
  return wanted;
}
