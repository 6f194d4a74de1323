/**
 * The ramp: begins with a share of rate and lanes, and raises it in steps while the target stays well.
 *
 * It yields one number, the share of all limits that is in force; the rest of the limiter works below it as ever. Each
 * step up needs an interval that was clean: calls ended, few of them failed, and they took not much longer than in the
 * quickest clean interval before. A dirty one takes a step back and doubles the interval, until a step that was dirty has
 * been clean. An interval whose failures would be too many for all of it is over at once. The model is the slow start of
 * a canary release, with additive steps both ways: unlike `feedback.ts` it does not look for a limit, it looks for harm.
 *
 * Invariants: the share lies between `from` and all; it changes at most once an interval, and what ends within
 * `SETTLE_MS` of a change is not counted, because it began before (one round lowers once).
 *
 * A failure is a call that was throttled, ended down or was refused. A 404 is an answer.
 */
import { RAMP_LATENCY_CALLS, RAMP_LATENCY_LEAST_MS, RAMP_MOST_MS, RAMP_STEPS_KEPT } from "../limits.ts";
import type { Report } from "../protocol.ts";
import { number } from "../sentence.ts";
import type { RampSpec } from "../spec.ts";

export interface Ramp {
  /** Of rate and lanes, more than 0 up to 1. */
  readonly share: number;
  /** When the present step was taken (run clock); null: no call has ended yet. */
  readonly sinceMs: number | null;
  /** The length of its interval. */
  readonly forMs: number;
  /** Reports from here on are counted. */
  readonly countsFromMs: number;
  /** The latest report. */
  readonly heardMs: number;
  readonly seen: Seen;
  /** Mean duration of a call in the quickest clean interval; null: none was clean. */
  readonly quickestMs: number | null;
  /** The share that was dirty and has not been clean since; null: none. */
  readonly dirtyShare: number | null;
  /** An interval with all of the limits was clean: the ramp is over. */
  readonly isDone: boolean;
  /** The latest steps, the newest last. */
  readonly steps: readonly RampStep[];
}

export interface RampStep {
  /** Run clock. */
  readonly atMs: number;
  readonly share: number;
  /** What stopped the step before; null: nothing did, it is a step up. */
  readonly because: string | null;
}

/** Calls that ended within the interval. */
interface Seen {
  readonly ended: number;
  readonly failed: number;
  /** Sum of their durations. */
  readonly callMs: number;
}

export interface RampSettings {
  readonly from: number;
  readonly step: number;
  readonly everyMs: number;
  readonly maxFailureRate: number;
  readonly maxLatencyGrowth: number;
}

const NOTHING: Seen = { ended: 0, failed: 0, callMs: 0 };
/** Instants lie 1.5 s ahead at most: what was given out before a step is gone after this. */
const SETTLE_MS = 2000;
/** … and calls that are under way, after so many of their mean durations. */
const SETTLE_CALLS = 2;
/** Lanes report every second: a longer silence is a pause, a shut window or a restart, and says nothing. */
const SILENT_MS = 10_000;
/** Fewer failures do not end an interval before its time. */
const EARLY_FAILURES = 5;

/** "50%" as 0.5; null for anything but a share above 0 and up to 100 %. */
export function parsePercent(text: string): number | null {
  const digits = /^(\d{1,3}(?:\.\d{1,3})?)\s*%$/.exec(text.trim())?.[1];
  const share = Number(digits ?? Number.NaN) / 100;
  return share > 0 && share <= 1 ? share : null;
}

/** A stored ramp was checked when it was accepted. */
export function rampSettings(spec: RampSpec): RampSettings {
  return { ...spec, from: parsePercent(spec.from) ?? 1, step: parsePercent(spec.step) ?? 1 };
}

/** A ramp at its beginning: its first interval begins with the first call that ends. */
export function createRamp({ from, everyMs }: RampSettings, nowMs: number): Ramp {
  return {
    share: from,
    sinceMs: null,
    forMs: everyMs,
    countsFromMs: nowMs,
    heardMs: nowMs,
    seen: NOTHING,
    quickestMs: null,
    dirtyShare: null,
    isDone: false,
    steps: [{ atMs: nowMs, share: from, because: null }],
  };
}

/** The ramp after an invocation's report. */
export function observeRamp(before: Ramp, settings: RampSettings, report: Report, nowMs: number): Ramp {
  if (before.isDone) return before;
  const ended = endedIn(report);
  const isSilent = before.sinceMs !== null && nowMs - before.heardMs > SILENT_MS;
  const isFirst = before.sinceMs === null && ended.ended > 0;
  const ramp = isSilent || isFirst ? beginInterval(before, nowMs, 0) : before;
  if (ramp.sinceMs === null || nowMs < ramp.countsFromMs) return { ...ramp, heardMs: nowMs };
  const seen = added(ramp.seen, ended);
  const now = { ...ramp, seen, heardMs: nowMs };
  const isOver = nowMs >= ramp.sinceMs + ramp.forMs && seen.ended > 0;
  const trouble = isOver ? dirtyBy(now, settings) : dirtyEarly(now, settings, nowMs);
  if (trouble !== null) return stepBack(now, settings, trouble, nowMs);
  return isOver ? stepUp(now, settings, nowMs) : now;
}

/** When the next step up is taken if the interval stays clean (run clock); null: not known, or there is none. */
export function nextStepMs({ isDone, share, sinceMs, forMs }: Ramp): number | null {
  return isDone || share >= 1 || sinceMs === null ? null : sinceMs + forMs;
}

/** How long work takes that would take `fullMs` with all of the limits, if every step from `share` on is clean. */
export function rampedMs(settings: RampSettings, share: number, fullMs: number): number {
  let [left, passed, at] = [fullMs, 0, share];
  while (at < 1 && left > at * settings.everyMs) {
    left -= at * settings.everyMs;
    passed += settings.everyMs;
    at = raised(at, settings);
  }
  return passed + left / at;
}

/** The shares of a ramp without a dirty interval, in their order. */
export function cleanShares(settings: RampSettings): readonly number[] {
  const shares = [settings.from];
  while (shares.at(-1)! < 1) shares.push(raised(shares.at(-1)!, settings));
  return shares;
}

/** Lanes of so many that a share allows: one at least. */
export function lanesUnder(maxParallelism: number, share: number): number {
  return Math.max(1, Math.round(maxParallelism * share));
}

function endedIn({ answered, throttled, troubles, callMs }: Report): Seen {
  const others = troubles.filter(({ kind }) => kind !== "throttled").length;
  const failed = throttled + others;
  return { ended: answered + failed, failed, callMs };
}

function added(seen: Seen, more: Seen): Seen {
  return {
    ended: seen.ended + more.ended,
    failed: seen.failed + more.failed,
    callMs: seen.callMs + more.callMs,
  };
}

/** What makes a whole interval dirty, as a sentence; null: it was clean. */
function dirtyBy({ seen, quickestMs }: Ramp, settings: RampSettings): string | null {
  if (seen.failed > settings.maxFailureRate * seen.ended) return tooManyFailed(seen, settings);
  const meanMs = seen.callMs / seen.ended;
  if (quickestMs === null || seen.ended < RAMP_LATENCY_CALLS) return null;
  const mostMs = Math.max(quickestMs * settings.maxLatencyGrowth, quickestMs + RAMP_LATENCY_LEAST_MS);
  if (meanMs <= mostMs) return null;
  const times = number(meanMs / quickestMs);
  return `calls took ${number(meanMs)} ms, ${times} times the ${number(quickestMs)} ms before, and ramp.maxLatencyGrowth allows ${settings.maxLatencyGrowth}`;
}

/** The same before the interval is over: more have failed than may in all of it, if it goes on as it has. */
function dirtyEarly({ seen, forMs, countsFromMs, sinceMs }: Ramp, settings: RampSettings, nowMs: number) {
  if (seen.failed < EARLY_FAILURES) return null;
  const wholeMs = (sinceMs ?? countsFromMs) + forMs - countsFromMs;
  const inAll = (seen.ended * wholeMs) / Math.max(1, nowMs - countsFromMs);
  return seen.failed > settings.maxFailureRate * Math.max(seen.ended, inAll)
    ? tooManyFailed(seen, settings)
    : null;
}

function tooManyFailed({ ended, failed }: Seen, { maxFailureRate }: RampSettings): string {
  const share = number((100 * failed) / ended);
  return `${share} % of ${number(ended)} calls failed, and ramp.maxFailureRate allows ${number(100 * maxFailureRate)} %`;
}

function stepUp(ramp: Ramp, settings: RampSettings, nowMs: number): Ramp {
  const { share, seen, dirtyShare } = ramp;
  const meanMs = seen.callMs / seen.ended;
  const isTelling = seen.ended >= RAMP_LATENCY_CALLS || ramp.quickestMs === null;
  const quickestMs = isTelling ? Math.min(ramp.quickestMs ?? meanMs, meanMs) : ramp.quickestMs;
  const isPassed = dirtyShare !== null && share >= dirtyShare;
  const learnt = {
    ...ramp,
    quickestMs,
    dirtyShare: isPassed ? null : dirtyShare,
    forMs: dirtyShare === null || isPassed ? settings.everyMs : ramp.forMs,
  };
  if (share >= 1) return { ...learnt, seen: NOTHING, isDone: true };
  return stepTo(learnt, raised(share, settings), null, nowMs);
}

function stepBack(ramp: Ramp, settings: RampSettings, because: string, nowMs: number): Ramp {
  const { share } = ramp;
  const forMs = Math.min(RAMP_MOST_MS, ramp.forMs * 2);
  const lower = Math.max(settings.from, rounded(share - settings.step));
  return stepTo(
    { ...ramp, forMs: Math.max(forMs, settings.everyMs), dirtyShare: share },
    lower,
    because,
    nowMs,
  );
}

function stepTo(ramp: Ramp, share: number, because: string | null, nowMs: number): Ramp {
  const meanMs = ramp.seen.ended === 0 ? 0 : ramp.seen.callMs / ramp.seen.ended;
  const steps = [...ramp.steps, { atMs: nowMs, share, because }].slice(-RAMP_STEPS_KEPT);
  return beginInterval({ ...ramp, share, steps }, nowMs, Math.max(SETTLE_MS, SETTLE_CALLS * meanMs));
}

/** `settleMs`: what ends before that is not counted, but half of an interval always is. */
function beginInterval(ramp: Ramp, nowMs: number, settleMs: number): Ramp {
  const countsFromMs = nowMs + Math.min(settleMs, ramp.forMs / 2);
  return { ...ramp, sinceMs: nowMs, countsFromMs, heardMs: nowMs, seen: NOTHING };
}

function raised(share: number, { step }: RampSettings): number {
  return Math.min(1, rounded(share + step));
}

/** Sums of decimals stay decimals: 0.7 and not 0.7000000000000001. */
function rounded(share: number): number {
  return Math.round(share * 1e6) / 1e6;
}
