/**
 * What throttled answers teach about the rate: additive increase, multiplicative decrease, guarded by epochs.
 *
 * A throttled answer lowers the rate only if its permit's epoch is the current one, and a decrease begins a new
 * epoch: however many calls of one round are throttled, the rate falls once. It falls to the smaller of 0.85 × rate
 * and what the target accepted in the last second. It grows quickly to just under the rate that was last throttled
 * (the ceiling), then slowly, the step doubling every 5 s without a 429; never above the configured rate. Only
 * answered calls let it grow: errors come back fast, and must not speed anything up.
 *
 * A throttled call of the very item that was throttled last says something about the item, not about the rate. And a
 * target that throttles each item once, at whatever rate, teaches nothing by it: below `UNPROVEN_FLOOR` of where it
 * stood the rate falls only when items that were throttled come back and are throttled again.
 * Deliberately absent: the pause itself (`circuit.ts`); this only says that three different items asked for one, or
 * that a window is closed (`closedWindow.ts`).
 */

import {
  GROWTH_DOUBLES_S,
  MAX_RATE_PER_SECOND,
  MIN_RATE_PER_SECOND,
  QUICK_GROWTH,
  QUICK_GROWTH_TO,
  RATE_DECREASE,
  RATE_DECREASE_FLOOR,
  RATE_MEASURED_FROM_PER_SECOND,
  SHARED_PAUSE_MAX_MS,
  SLOW_GROWTH,
  THROTTLED_ITEMS_KEPT,
  THROTTLED_ITEMS_TO_PAUSE,
  UNPROVEN_FLOOR,
} from "../limits.ts";
import type { Report, Trouble } from "../protocol.ts";
import { judgeWindow, type ThrottledRow } from "./closedWindow.ts";

export interface Feedback {
  /** The rate to run at, requests per second; null: nothing limits it. */
  readonly ratePerSecond: number | null;
  /** The rate that was last throttled; null: not throttled, or grown back to the configured rate. */
  readonly ceilingPerSecond: number | null;
  /** Growth is settled up to here, run clock. */
  readonly grownMs: number;
  /** Growth steps since the last 429. */
  readonly quietSteps: number;
  /** Item of the last throttled call; null: none yet. */
  readonly lastItem: number | null;
  /** Items throttled of late, the newest last; absent: none. */
  readonly lately?: readonly number[];
  /** The rate from which it fell without an item that was throttled twice; absent: it did not. */
  readonly provenPerSecond?: number;
  /** The newest epoch whose permits were throttled. */
  readonly round: Round | null;
  /** Calls throttled one after the other; absent: none was judged yet. */
  readonly row?: ThrottledRow;
  readonly seen: Seen;
}

interface Round {
  readonly epoch: number;
  /** Different items, at most `THROTTLED_ITEMS_TO_PAUSE`. */
  readonly items: readonly number[];
  /** Longest Retry-After among them; null: none said. */
  readonly retryAfterMs: number | null;
  readonly hasPaused: boolean;
}

/** Ended calls of the last second, in tenths. */
interface Seen {
  readonly sinceMs: number;
  /** Number of the newest tenth: run clock / 100 ms. */
  readonly tenth: number;
  readonly accepted: readonly number[];
  readonly throttled: readonly number[];
}

export interface Learnt {
  readonly feedback: Feedback;
  /** A decrease: a new epoch begins. */
  readonly lowered: boolean;
  /** Three different items of one epoch asked for it, or a window is closed: all pause for this long; null: no pause. */
  readonly pauseMs: number | null;
}

/** Nothing learnt yet: the configured rate (null: none) holds. */
export function startFeedback(configuredPerSecond: number | null, nowMs: number): Feedback {
  return {
    ratePerSecond: configuredPerSecond,
    ceilingPerSecond: null,
    grownMs: nowMs,
    quietSteps: 0,
    lastItem: null,
    round: null,
    seen: nothingSeen(nowMs),
  };
}

/** Measures afresh from now on: after a restart, or a time in which nothing was allowed to leave. */
export function measureAnew(feedback: Feedback, nowMs: number): Feedback {
  return { ...feedback, grownMs: nowMs, seen: nothingSeen(nowMs) };
}

/** Takes in one report. `epoch` is the current one; `configuredPerSecond` null: no quota. */
export function learn(
  before: Feedback,
  report: Report,
  at: { readonly nowMs: number; readonly epoch: number; readonly configuredPerSecond: number | null },
): Learnt {
  const throttled = report.troubles.filter((t) => t.kind === "throttled");
  const accepted = report.answered + report.troubles.length - throttled.length;
  const seen = count(before.seen, { nowMs: at.nowMs, accepted, throttled: report.throttled });
  const judged = judgeWindow(before.row ?? null, report, at);
  if (throttled.length === 0) {
    const feedback = { ...before, seen, row: judged.row };
    const grown = report.answered > 0 ? grow(feedback, at.nowMs, at.configuredPerSecond) : feedback;
    return { feedback: grown, lowered: false, pauseMs: null };
  }
  const { round, pauseMs: askedMs } = gather(before.round, throttled);
  const pauseMs = askedMs ?? judged.pauseMs;
  const isProven = isThrottledAgain(throttled, before);
  const quiet = {
    ...before,
    seen,
    round,
    row: judged.row,
    grownMs: at.nowMs,
    quietSteps: 0,
    lastItem: throttled.at(-1)!.index,
    lately: [...(before.lately ?? []), ...throttled.map(({ index }) => index)].slice(-THROTTLED_ITEMS_KEPT),
  };
  if (!isRateTrouble(throttled, at.epoch, before.lastItem))
    return { feedback: quiet, lowered: false, pauseMs };
  const feedback = lower(quiet, at.nowMs, { isProven, inFlight: report.inFlight });
  return { feedback, lowered: feedback.ratePerSecond !== quiet.ratePerSecond, pauseMs };
}

/** The user's word on the rate: a raise is believed at once, a cut keeps what was learnt below it. */
export function reconfigure(
  before: Feedback,
  configured: { readonly from: number | null; readonly to: number | null },
  nowMs: number,
): Feedback {
  const isRaise = (configured.to ?? Infinity) > (configured.from ?? Infinity);
  const learntRate = before.ratePerSecond ?? Infinity;
  if (isRaise || learntRate >= (configured.to ?? Infinity)) return startFeedback(configured.to, nowMs);
  return before;
}

function isRateTrouble(throttled: readonly Trouble[], epoch: number, lastItem: number | null): boolean {
  let previous = lastItem;
  for (const trouble of throttled) {
    // A probe asks whether the pause is over: it goes alone, and says nothing about a rate.
    if (trouble.epoch === epoch && trouble.index !== previous && !trouble.probe) return true;
    previous = trouble.index;
  }
  return false;
}

/** An item that was throttled waited, came back, and was throttled again: whoever waits is still too fast. */
function isThrottledAgain(throttled: readonly Trouble[], { lately, lastItem }: Feedback): boolean {
  return throttled.some(
    ({ index, probe }) => !probe && index !== lastItem && lately?.includes(index) === true,
  );
}

function lower(
  feedback: Feedback,
  nowMs: number,
  by: { readonly isProven: boolean; readonly inFlight: number },
): Feedback {
  const { isProven } = by;
  const measured = measure(feedback.seen, nowMs);
  const sent = measured === null ? Infinity : measured.accepted + measured.throttled;
  // Without a quota, or with one that the lanes do not reach, the rate that was throttled is the one sent.
  // Seen for too short a time, it is at least what ended of it and what is under way.
  const limit =
    feedback.ratePerSecond ?? Math.max(sent === Infinity ? callsIn(feedback.seen) + by.inFlight : sent, 1);
  const isMeasured = measured !== null && limit >= RATE_MEASURED_FROM_PER_SECOND;
  const target = Math.min(RATE_DECREASE * limit, isMeasured ? measured.accepted : Infinity);
  const from = (isProven ? null : feedback.provenPerSecond) ?? limit;
  const floor = isProven ? 0 : Math.min(limit, from * UNPROVEN_FLOOR);
  const ratePerSecond = Math.max(target, limit * RATE_DECREASE_FLOOR, floor, MIN_RATE_PER_SECOND);
  const ceilingPerSecond = Math.max(ratePerSecond, isMeasured ? Math.min(limit, sent) : limit);
  return { ...feedback, ratePerSecond, ceilingPerSecond, provenPerSecond: isProven ? ratePerSecond : from };
}

function grow(feedback: Feedback, nowMs: number, configuredPerSecond: number | null): Feedback {
  const { ratePerSecond: rate, ceilingPerSecond: ceiling } = feedback;
  if (rate === null || ceiling === null) return feedback;
  // A step a second; at slower rates a step a call, for a second without calls proves nothing.
  const stepMs = Math.max(1000, 1000 / rate);
  const steps = Math.min((nowMs - feedback.grownMs) / stepMs, 2);
  if (steps < 0.5) return feedback;
  const grown =
    rate < ceiling * QUICK_GROWTH_TO ? quick(rate, ceiling, steps) : slow(rate, ceiling, feedback, steps);
  const top = configuredPerSecond ?? MAX_RATE_PER_SECOND;
  if (grown >= top) {
    const { provenPerSecond: _, ...rest } = feedback;
    return { ...rest, ratePerSecond: configuredPerSecond, ceilingPerSecond: null };
  }
  return { ...feedback, ratePerSecond: grown, grownMs: nowMs, quietSteps: feedback.quietSteps + steps };
}

function quick(rate: number, ceiling: number, steps: number): number {
  return Math.min(ceiling * QUICK_GROWTH_TO, rate + ceiling * QUICK_GROWTH * steps);
}

function slow(rate: number, ceiling: number, { quietSteps }: Feedback, steps: number): number {
  return rate + ceiling * SLOW_GROWTH * 2 ** Math.floor(quietSteps / GROWTH_DOUBLES_S) * steps;
}

/** Collects the different items throttled under the newest epoch; a pause is asked for once an epoch. */
function gather(
  before: Round | null,
  throttled: readonly Trouble[],
): { readonly round: Round | null; readonly pauseMs: number | null } {
  const epoch = Math.max(before?.epoch ?? -1, ...throttled.map((t) => t.epoch));
  const start = before?.epoch === epoch ? before : { epoch, items: [], retryAfterMs: null, hasPaused: false };
  const ofEpoch = throttled.filter((t) => t.epoch === epoch);
  const items = [...new Set([...start.items, ...ofEpoch.map((t) => t.index)])].slice(
    0,
    THROTTLED_ITEMS_TO_PAUSE,
  );
  const asked = ofEpoch.map((t) => t.retryAfterMs ?? 0);
  const longestMs = Math.max(start.retryAfterMs ?? 0, ...asked);
  const retryAfterMs = longestMs > 0 ? longestMs : null;
  const isEnough = items.length >= THROTTLED_ITEMS_TO_PAUSE;
  const pauses = isEnough && retryAfterMs !== null && !start.hasPaused;
  return {
    round: { epoch, items, retryAfterMs, hasPaused: start.hasPaused || pauses },
    pauseMs: pauses ? Math.min(retryAfterMs, SHARED_PAUSE_MAX_MS) : null,
  };
}

const TENTHS = 10;
/** Less than this much history says nothing about a rate. */
const MEASURED_AFTER_MS = 200;

function nothingSeen(nowMs: number): Seen {
  const none = Array.from({ length: TENTHS }, () => 0);
  return { sinceMs: nowMs, tenth: Math.floor(nowMs / 100), accepted: none, throttled: none };
}

function count(
  seen: Seen,
  calls: { readonly nowMs: number; readonly accepted: number; readonly throttled: number },
): Seen {
  const tenth = Math.max(seen.tenth, Math.floor(calls.nowMs / 100));
  // The time before the first call that ended says nothing of the target.
  const isFirst = seen.accepted.every((n) => n === 0) && seen.throttled.every((n) => n === 0);
  return {
    sinceMs: isFirst ? Math.max(seen.sinceMs, calls.nowMs - FIRST_SPAN_MS) : seen.sinceMs,
    tenth,
    accepted: add(shifted(seen.accepted, tenth - seen.tenth), calls.accepted),
    throttled: add(shifted(seen.throttled, tenth - seen.tenth), calls.throttled),
  };
}

function callsIn({ accepted, throttled }: Seen): number {
  return [...accepted, ...throttled].reduce((sum, calls) => sum + calls, 0);
}

/** Newest first. */
function shifted(tenths: readonly number[], by: number): readonly number[] {
  const gone = Math.min(by, TENTHS);
  return [...Array.from({ length: gone }, () => 0), ...tenths.slice(0, TENTHS - gone)];
}

function add(tenths: readonly number[], calls: number): readonly number[] {
  return tenths.with(0, tenths[0]! + calls);
}

/** Reports come about this often: the first one tells of calls that ended in so long. */
const FIRST_SPAN_MS = 100;

/** Calls per second over the last second, or as much of it as was measured; null: too little to tell. */
function measure(
  seen: Seen,
  nowMs: number,
): { readonly accepted: number; readonly throttled: number } | null {
  const spanMs = Math.min(1000, nowMs - seen.sinceMs);
  if (spanMs < MEASURED_AFTER_MS) return null;
  const perSecond = (tenths: readonly number[]) => (tenths.reduce((a, b) => a + b, 0) * 1000) / spanMs;
  return { accepted: perSecond(seen.accepted), throttled: perSecond(seen.throttled) };
}
