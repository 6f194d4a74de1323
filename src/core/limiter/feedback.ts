/**
 * What refused (throttled) calls teach: the rate that the target takes, and how uneven calls may be.
 *
 * Three cases are told apart by how many calls are refused (`evidence.ts`):
 * - *A rare one*: the rate stands where it should. It takes a step down that is as small as what it grows by in the
 *   meantime (`growth.ts`), so that it settles where a few of a thousand calls are refused. This is stochastic
 *   approximation of a quantile (Robbins and Monro, "A Stochastic Approximation Method", 1951), and it needs no model
 *   of the limiter: a bucket, a window, or one that only takes calls at even distances, where the best rate lies a
 *   little below its own because no call arrives exactly in time.
 * - *Too many*: a new epoch begins at a lower rate, and only its own calls count from then on, so one round of feedback
 *   lowers once. Where up to half are refused they may only be uneven: the rate takes a small step at first, and from
 *   then on calls are kept apart (`spacing.ts`). Else, or where that was not enough, the rate falls to what was taken.
 * - *All of them*: the window is closed, and all pause (`closedWindow.ts`).
 *
 * A refused call of the very item that was refused last says something about the item, not about the rate. And a
 * target that refuses each item once, at whatever rate, teaches nothing by it: below `UNPROVEN_FLOOR` of where it stood
 * the rate falls only when items that were refused come back and are refused again.
 */

import {
  EVIDENCE_CALLS,
  EVIDENCE_MS,
  FIRST_RATE_PER_SECOND,
  LEAD_MS,
  LOOSEN_USED,
  MAX_RATE_PER_SECOND,
  MIN_RATE_PER_SECOND,
  RATE_DECREASE_FLOOR,
  RATE_USED,
  SEEKING_BACK,
  SEEKING_REFUSALS,
  UNEVEN_MOST,
  UNEVEN_STEP,
  UNPROVEN_FLOOR,
  WINDOW_CALLS,
} from "../limits.ts";
import type { Report, Trouble } from "../protocol.ts";
import { SPEC_DEFAULTS } from "../spec.ts";
import { judgeWindow, type ThrottledRow } from "./closedWindow.ts";
import {
  type Evidence,
  excess,
  isUneven,
  noEvidence,
  type Sighting,
  sentPerSecond,
  takenPerSecond,
  withoutClose,
  withoutTrials,
  withSighting,
} from "./evidence.ts";
import { grownRate, type Phase, stepDown } from "./growth.ts";
import { type Evenness, evener, isCheapAt, isEvenest, loosened } from "./spacing.ts";

export interface Feedback {
  /** The rate to run at, requests per second; null: nothing limits it. */
  readonly ratePerSecond: number | null;
  /** The rate that was last throttled; null: not throttled, or grown back to the configured rate. */
  readonly ceilingPerSecond: number | null;
  /** Growth is settled up to here, run clock. */
  readonly grownMs: number;
  /** Of the last throttled call, run clock; absent: there was none, or the rate is the configured one again. */
  readonly throttledMs?: number;
  /** Absent: holding. */
  readonly phase?: Phase;
  /** Reports with a throttled call while the rate is sought. */
  readonly sought?: number;
  /** How the rate was lowered last, until it holds again. */
  readonly lowered?: "a step" | "to what was taken";
  /** How evenly calls have to leave; absent: as permits are due. */
  readonly evenness?: Evenness;
  /** When the rate was lowered because of calls close behind others, run clock; absent: not of late. */
  readonly refilledMs?: number;
  /** Item of the last throttled call; null: none yet. */
  readonly lastItem: number | null;
  /** The rate from which it fell without an item that was throttled twice; absent: it did not. */
  readonly provenPerSecond?: number;
  /** Calls throttled one after the other; absent: none was judged yet. */
  readonly row?: ThrottledRow;
  /** What was in force when that row began; absent: no row. */
  readonly beforeRow?: Pick<Feedback, "ratePerSecond" | "ceilingPerSecond" | "phase">;
  /** Calls answered since a window was found closed; absent: none. */
  readonly answered?: number;
  /** Absent in runs of older versions. */
  readonly evidence?: Evidence;
}

export interface Learnt {
  readonly feedback: Feedback;
  /** A decrease that begins a new epoch. */
  readonly lowered: boolean;
  /** A window is closed: all pause for this long; null: no pause. */
  readonly pauseMs: number | null;
}

/** What is configured: a rate, its ceiling where the rate is to be found out, or nothing. */
export interface Configured {
  readonly perSecond: number | null;
  /** The limit is not known: the rate begins small. */
  readonly isAuto?: boolean;
}

/** Nothing learnt yet: the configured rate (null: none) holds. */
export function startFeedback(configured: Configured, nowMs: number): Feedback {
  const nothing = { grownMs: nowMs, lastItem: null, evidence: noEvidence(nowMs) };
  if (configured.isAuto !== true) {
    return { ...nothing, ratePerSecond: configured.perSecond, ceilingPerSecond: null };
  }
  const first = Math.min(FIRST_RATE_PER_SECOND, topOf(configured));
  return { ...nothing, ratePerSecond: first, ceilingPerSecond: topOf(configured), phase: "starting" };
}

/** Measures afresh from now on: after a restart, or a time in which nothing was allowed to leave. */
export function measureAnew(feedback: Feedback, nowMs: number): Feedback {
  return { ...feedback, grownMs: nowMs, evidence: noEvidence(nowMs) };
}

/** Takes in one report. `epoch` is the current one. */
export function learn(
  before: Feedback,
  report: Report,
  at: { readonly nowMs: number; readonly epoch: number; readonly configured: Configured },
): Learnt {
  const { nowMs } = at;
  const throttled = report.troubles.filter((t) => t.kind === "throttled");
  const fresh = freshOf(throttled, at.epoch, before.lastItem);
  const evidence = withSighting(
    before.evidence ?? noEvidence(nowMs),
    sighting(before, report, { nowMs, fresh }),
  );
  const judged = judgeWindow(before.row ?? null, report, at);
  const isTold = at.configured.perSecond !== null;
  const seen = withRow(
    { ...before, evidence, answered: (before.answered ?? 0) + report.answered },
    judged.row,
  );
  // A poll may be what finds that nobody was answered for too long.
  if (throttled.length === 0 && judged.pauseMs !== null) {
    return {
      feedback: closed(seen, before, judged.isAnnounced || isTold),
      lowered: false,
      pauseMs: judged.pauseMs,
    };
  }
  if (throttled.length === 0) {
    const feedback = report.answered > 0 ? grow(seen, nowMs, at.configured) : seen;
    return { feedback, lowered: false, pauseMs: null };
  }
  const quiet = {
    ...seen,
    grownMs: nowMs,
    throttledMs: nowMs,
    lastItem: throttled.at(-1)!.index,
  };
  if (judged.pauseMs !== null)
    return {
      feedback: closed(quiet, before, judged.isAnnounced || isTold),
      lowered: false,
      pauseMs: judged.pauseMs,
    };
  const evened = learnEvenness(quiet, nowMs);
  const isProven = isThrottledAgain(throttled, before.lastItem);
  const share = excess(evidence);
  if (share !== null) {
    const feedback = lower(evened, share, isProven);
    const lowered = feedback.ratePerSecond !== quiet.ratePerSecond;
    return { feedback, lowered, pauseMs: null };
  }
  const feedback = fresh.length > 0 ? stepped(evened, isProven) : evened;
  return { feedback, lowered: false, pauseMs: null };
}

/** Remembers what was in force when a row of throttled calls began. */
function withRow(feedback: Feedback, row: ThrottledRow): Feedback {
  if (row.items.length === 0) {
    const { beforeRow: _, ...rest } = feedback;
    return { ...rest, row };
  }
  const { ratePerSecond, ceilingPerSecond, phase } = feedback;
  const now = { ratePerSecond, ceilingPerSecond, ...(phase !== undefined && { phase }) };
  return { ...feedback, row, beforeRow: feedback.beforeRow ?? now };
}

/**
 * A window is closed: what it refused says nothing of the rate, unless it is one that takes hardly any call.
 *
 * Where no rate is told and nobody says when it opens, its calls are spread over the next one for as long as an item
 * waits at most. Else all of them would go to whoever is ready first, and items that wait would get none for hours.
 */
function closed(feedback: Feedback, { beforeRow }: Feedback, isKnown: boolean): Feedback {
  const { beforeRow: _, answered = 0, ...rest } = feedback;
  const anew = { ...rest, evidence: withoutTrials(feedback.evidence!) };
  if (answered < WINDOW_CALLS || beforeRow === undefined) return anew;
  if (isKnown) return { ...anew, ...beforeRow };
  const ratePerSecond = (answered * 1000) / SPEC_DEFAULTS.retry.maxDelayMs;
  return { ...anew, ratePerSecond, ceilingPerSecond: ratePerSecond, phase: "holding" };
}

function sighting(
  { ratePerSecond, evenness }: Feedback,
  report: Report,
  { nowMs, fresh }: { readonly nowMs: number; readonly fresh: readonly Trouble[] },
): Sighting {
  // Of many troubles only the newest are reported one by one.
  const throttled = report.troubles.filter(({ kind }) => kind === "throttled").length;
  const scale = throttled === 0 ? 1 : Math.max(1, report.throttled / throttled);
  const close = isEvenest(evenness) ? 0 : fresh.filter((trouble) => trouble.close === true).length;
  return {
    nowMs,
    calls: report.calls,
    close: isEvenest(evenness) ? 0 : (report.close ?? 0),
    refused: report.throttled,
    fresh: { apart: scale * (fresh.length - close), close: scale * close },
    spanMs: Math.max(EVIDENCE_MS, (EVIDENCE_CALLS * 1000) / (ratePerSecond ?? MAX_RATE_PER_SECOND)),
  };
}

/** The user's word on the rate: a raise is believed at once, a cut keeps what was learnt below it. */
export function reconfigure(
  before: Feedback,
  configured: { readonly from: Configured; readonly to: Configured },
  nowMs: number,
): Feedback {
  const { from, to } = configured;
  const learntRate = before.ratePerSecond ?? Infinity;
  if (to.isAuto === true) {
    // What is known stays known; with nothing known it begins small.
    if (learntRate >= topOf(to) || before.ceilingPerSecond === null) return startFeedback(to, nowMs);
    return before;
  }
  const isRaise = (to.perSecond ?? Infinity) > (from.perSecond ?? Infinity) || from.isAuto === true;
  if (isRaise || learntRate >= (to.perSecond ?? Infinity)) return startFeedback(to, nowMs);
  return before;
}

/** Throttled calls that may say something about the present rate. */
function freshOf(throttled: readonly Trouble[], epoch: number, lastItem: number | null): readonly Trouble[] {
  let previous = lastItem;
  return throttled.filter((trouble) => {
    const isOther = trouble.index !== previous;
    previous = trouble.index;
    // A probe asks whether the pause is over: it goes alone, and says nothing about a rate.
    return isOther && trouble.epoch === epoch && !trouble.probe;
  });
}

/** An item that was throttled waited, came back, and was throttled again: whoever waits is still too fast. */
function isThrottledAgain(throttled: readonly Trouble[], lastItem: number | null): boolean {
  return throttled.some(({ index, probe, again }) => again === true && !probe && index !== lastItem);
}

/**
 * Calls close behind others are refused. A bucket that the rate has emptied refuses those as well, so the rate is taken
 * below what was taken first. Where they still are, calls are kept apart, and so on in turns.
 */
function learnEvenness(feedback: Feedback, nowMs: number): Feedback {
  const evidence = feedback.evidence!;
  // A rate that is too high refuses those as well.
  const isLower = nowMs - (feedback.refilledMs ?? Number.NEGATIVE_INFINITY) < REFILLED_MS;
  if (isSeeking(feedback) && !isLower) return { ...feedback, evidence: withoutClose(evidence) };
  const rate = feedback.ratePerSecond ?? MAX_RATE_PER_SECOND;
  const everyMs = 1000 / rate;
  const isCheap = isCheapAt(everyMs) && !isEvenest(feedback.evenness);
  if (!isUneven(evidence) && !isCheap) return feedback;
  const anew = { ...feedback, evidence: withoutClose(evidence) };
  if (isCheap || isLower) {
    const { refilledMs: _, ...rest } = anew;
    return { ...rest, evenness: evener(feedback.evenness, everyMs, nowMs) };
  }
  const share = evidence.taken / Math.max(1, evidence.taken + evidence.refused);
  const ratePerSecond = rate * Math.max(share * REFILL_SHARE, REFILL_LEAST);
  return { ...anew, ratePerSecond, ceilingPerSecond: rate, phase: "seeking", sought: 0, refilledMs: nowMs };
}

/** A bucket fills again by what the rate leaves of the limit, and this long it is waited for. */
const REFILL_SHARE = 0.97;
const REFILL_LEAST = 0.75;
const REFILLED_MS = 5000;
/** Permits that were given out before are used by then, and their calls answered. */
const LATE_MS = 2 * LEAD_MS;

/** A rare refusal. */
function stepped(feedback: Feedback, isProven: boolean): Feedback {
  const sent = sentOf(feedback);
  const rate = feedback.ratePerSecond ?? sent;
  // Not known yet what was sent: the next report says.
  if (rate === null) return feedback;
  const sought = (feedback.sought ?? 0) + 1;
  // Calls that were under way when the rate was lowered say nothing of the new one.
  const isLate = feedback.throttledMs! - (feedback.refilledMs ?? Number.NEGATIVE_INFINITY) < LATE_MS;
  if (isLate) return feedback;
  const isFound = isSeeking(feedback) && sought >= SEEKING_REFUSALS;
  const down = isFound ? SEEKING_BACK : stepDown(sent ?? rate);
  return {
    ...feedback,
    ...flooredTo(rate * (1 - down), { rate, isProven, from: feedback.provenPerSecond }),
    ceilingPerSecond: rate,
    ...(isFound || !isSeeking(feedback) ? HOLDING : { sought }),
  };
}

const HOLDING = { phase: "holding", sought: 0 } as const;

function isSeeking({ phase }: Feedback): boolean {
  return phase === "seeking" || phase === "starting";
}

/** The rate that was refused: the one in force, or what the lanes made of it if that is less. */
function usedRate({ ratePerSecond, evidence }: Feedback): number | null {
  const sent = evidence === undefined ? null : sentPerSecond(evidence);
  if (sent === null || sent < 1 || evidence!.spanS < USED_FROM_S) return ratePerSecond ?? sent;
  if (ratePerSecond === null) return sent * USED_MARGIN;
  return Math.min(ratePerSecond, Math.max(sent * USED_MARGIN, ratePerSecond * USED_LEAST));
}

/** Seen for less time, what was sent is no measure of the rate. */
const USED_FROM_S = 0.9;
const USED_MARGIN = 1.25;
/** Lanes that had nothing to call are not proof of a lower rate. */
const USED_LEAST = 0.25;
/** To keep calls apart costs no more of the rate than the rest. */
const LOOSER_LEAST = 0.6;

/** Too many were refused: `share` of the calls. */
function lower(feedback: Feedback, share: number, isProven: boolean): Feedback {
  const evidence = feedback.evidence!;
  const limit = usedRate(feedback) ?? 1;
  const isStep = share <= UNEVEN_MOST && !isSeeking(feedback) && feedback.lowered === undefined;
  const taken = Math.min(takenPerSecond(evidence) ?? 0, limit * (1 - UNEVEN_STEP / 2));
  const target = isStep
    ? limit * (1 - Math.min(share, UNEVEN_STEP))
    : Math.max(limit * (1 - share), taken, limit * RATE_DECREASE_FLOOR);
  const rate = feedback.ratePerSecond ?? limit;
  return {
    ...feedback,
    ...flooredTo(target, { rate, isProven, from: feedback.provenPerSecond }),
    ceilingPerSecond: limit,
    phase: "seeking",
    sought: 0,
    lowered: isStep ? "a step" : "to what was taken",
    evidence: withoutTrials(evidence),
  };
}

/** A lower rate, no lower than is proven: `from` is where it began to fall without an item that was refused twice. */
function flooredTo(
  target: number,
  {
    rate,
    isProven,
    from,
  }: { readonly rate: number; readonly isProven: boolean; readonly from: number | undefined },
): Pick<Feedback, "ratePerSecond" | "provenPerSecond"> {
  const stood = from ?? rate;
  const floor = isProven ? 0 : Math.min(rate, stood * UNPROVEN_FLOOR);
  const ratePerSecond = Math.max(Math.min(target, rate), floor, MIN_RATE_PER_SECOND);
  return { ratePerSecond, provenPerSecond: isProven ? ratePerSecond : stood };
}

function grow(feedback: Feedback, nowMs: number, configured: Configured): Feedback {
  const { ratePerSecond: rate, ceilingPerSecond: ceiling } = feedback;
  if (rate === null || ceiling === null) return feedback;
  const sent = sentOf(feedback);
  const quietMs = nowMs - (feedback.throttledMs ?? feedback.grownMs);
  const isMeasured = sent !== null && feedback.evidence!.spanS >= USED_FROM_S;
  const used = isMeasured ? sent / rate : 1;
  const looser = loosened(feedback.evenness, { nowMs, quietMs, used });
  // What the calls could not reach while they were kept apart was not tried either.
  if (looser !== null) {
    const ratePerSecond = rate * Math.max(LOOSER_LEAST, Math.min(1, used * (1 + SEEKING_BACK)));
    return { ...feedback, ratePerSecond, evenness: looser, phase: "seeking", sought: 0, grownMs: nowMs };
  }
  const grown = grownRate({
    ratePerSecond: rate,
    ceilingPerSecond: ceiling,
    phase: feedback.phase ?? "holding",
    sentPerSecond: sent,
    usedLeast: (feedback.evenness?.level ?? 0) > 0 ? LOOSEN_USED : RATE_USED,
    quietMs,
    passedMs: nowMs - feedback.grownMs,
  });
  if (grown === null) return feedback;
  const { perSecond, phase } = grown;
  const top = topOf(configured);
  if (perSecond >= top && configured.isAuto !== true) return startFeedback(configured, nowMs);
  const { lowered, ...rest } = feedback;
  return {
    ...rest,
    ...(lowered !== undefined && phase !== "holding" && { lowered }),
    phase,
    ratePerSecond: Math.min(perSecond, top),
    grownMs: nowMs,
  };
}

function sentOf({ evidence }: Feedback): number | null {
  return evidence === undefined ? null : sentPerSecond(evidence);
}

function topOf({ perSecond }: Configured): number {
  return perSecond ?? MAX_RATE_PER_SECOND;
}
