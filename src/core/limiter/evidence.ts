/**
 * What the calls of late say of the target's limit: how many it takes in a second, and whether it refuses more than a
 * few.
 *
 * - *Taken* calls are those that left and were not refused so far: what is under way is taken until it is refused, for
 *   refusals come back sooner than answers. Taken per second is a sum that fades beside a time that fades alike, so a
 *   span that has just begun is not mistaken for a full one.
 * - A *trial* begins with a refusal. Each one adds to its score and each call takes `REFUSED_MOST` away (the cumulative
 *   sum of Page, "Continuous inspection schemes", Biometrika 1954): at zero the refusals were as rare as is allowed,
 *   at `TRIAL_SCORE` they are too many to be chance.
 *
 * There are two trials. Calls that left at their distance tell of the rate: the share of them that is refused is what
 * the rate is too high by. Calls that a late timer let go close behind others tell how uneven they may be, and nothing
 * of the rate where those at their distance are taken.
 */
import { REFUSED_MOST, TRIAL_SCORE } from "../limits.ts";

export interface Evidence {
  /** Reports are taken in up to here, run clock. */
  readonly atMs: number;
  /** Seconds looked at, and calls of them; all three fade. */
  readonly spanS: number;
  readonly taken: number;
  readonly refused: number;
  /** Of calls at their distance. */
  readonly apart: Trial;
  /** Of calls close behind others. */
  readonly close: Trial;
  /** Calls at their distance since that trial began. */
  readonly beside: { readonly calls: number; readonly refused: number };
}

interface Trial {
  readonly score: number;
  readonly calls: number;
  readonly refused: number;
}

export interface Sighting {
  readonly nowMs: number;
  /** Calls that left. */
  readonly calls: number;
  /** Of them close behind others. */
  readonly close: number;
  readonly refused: number;
  /** Of those refused: how many may say something of the present rate. */
  readonly fresh: { readonly apart: number; readonly close: number };
  /** Older calls fade with this time constant. */
  readonly spanMs: number;
}

const NO_TRIAL: Trial = { score: 0, calls: 0, refused: 0 };
const NONE_BESIDE = { calls: 0, refused: 0 } as const;
/** Invocations report at least so often, unless they are very many. */
const PASSED_MOST_S = 2;
/** Reports come about this often: the first one covers no more time. */
const FIRST_SPAN_S = 0.1;
/** Calls of less time count as those of so much. */
const LEAST_SPAN_S = 0.05;

export function noEvidence(nowMs: number): Evidence {
  return {
    atMs: nowMs,
    spanS: 0,
    taken: 0,
    refused: 0,
    apart: NO_TRIAL,
    close: NO_TRIAL,
    beside: NONE_BESIDE,
  };
}

export function withSighting(before: Evidence, seen: Sighting): Evidence {
  // Without a report for so long nobody was there to call: that time says nothing.
  const passedS = Math.min(PASSED_MOST_S, Math.max(0, seen.nowMs - before.atMs) / 1000);
  const isFirst = before.taken + before.refused === 0;
  const close = continued(before.close, seen.close, seen.fresh.close);
  const faded = Math.exp((-passedS * 1000) / seen.spanMs);
  return {
    atMs: Math.max(before.atMs, seen.nowMs),
    spanS: isFirst ? Math.min(before.spanS + passedS, FIRST_SPAN_S) : before.spanS * faded + passedS,
    taken: Math.max(0, before.taken * faded + seen.calls - seen.refused),
    refused: before.refused * faded + seen.refused,
    apart: continued(before.apart, seen.calls - seen.close, seen.fresh.apart),
    close,
    beside:
      close.calls === 0
        ? NONE_BESIDE
        : {
            calls: before.beside.calls + seen.calls - seen.close,
            refused: before.beside.refused + seen.fresh.apart,
          },
  };
}

/** The present rate is judged anew: it has just been changed. */
export function withoutTrials(evidence: Evidence): Evidence {
  return { ...evidence, apart: NO_TRIAL, close: NO_TRIAL, beside: NONE_BESIDE };
}

/** How evenly calls leave is judged anew. */
export function withoutClose(evidence: Evidence): Evidence {
  return { ...evidence, close: NO_TRIAL, beside: NONE_BESIDE };
}

function continued(before: Trial, calls: number, refused: number): Trial {
  const score = before.score + refused - REFUSED_MOST * calls;
  if (score <= 0) return NO_TRIAL;
  return { score, calls: before.calls + calls, refused: before.refused + refused };
}

/** Calls per second that the target took; null: none was seen yet. */
export function takenPerSecond({ spanS, taken, refused }: Evidence): number | null {
  return taken + refused === 0 ? null : taken / Math.max(spanS, LEAST_SPAN_S);
}

/** Calls per second that left; null: none was seen yet. */
export function sentPerSecond({ spanS, taken, refused }: Evidence): number | null {
  return taken + refused === 0 ? null : (taken + refused) / Math.max(spanS, LEAST_SPAN_S);
}

/** The share of calls at their distance that is refused where that is more than rare; else null. */
export function excess({ apart }: Evidence): number | null {
  if (apart.score < TRIAL_SCORE) return null;
  // The trial began with a refusal, so one of them was chosen and not found.
  return Math.min(1, (apart.refused - 1) / Math.max(apart.calls, apart.refused));
}

/**
 * Calls are refused for being close behind others: more than are rare, and far fewer at their distance than there would
 * be if both were refused alike, as a rate that is too high has it.
 */
export function isUneven({ close, beside }: Evidence): boolean {
  if (close.score < TRIAL_SCORE) return false;
  const alike = beside.calls * Math.min(1, close.refused / Math.max(1, close.calls));
  return alike >= ALIKE_LEAST && beside.refused <= alike * BESIDE_MOST;
}

/** So many refusals have to be missing, … */
const ALIKE_LEAST = 5;
/** … but for this share of them. */
const BESIDE_MOST = 0.25;
