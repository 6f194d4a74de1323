/**
 * GCRA run forward: a permit is an instant at which a call may leave, not a token.
 *
 * Each dimension of a quota (requests, later tokens) keeps the theoretical arrival time (TAT): the earliest
 * instant its next permit may have. A permit takes the latest TAT of all dimensions, and then every dimension
 * moves together: one unit of cost later by its emission interval. Nothing is saved up: an instant nobody asked
 * for is gone, so no silence, restart or death ever turns into a burst.
 *
 * Invariants: two permits of a dimension are at least `cost × interval` apart, by the interval in force when the
 * later one was issued; a refusal changes nothing; the TAT moves back only in `retime`, and never to before the
 * last issued instant plus one gap. Instants lie on a grid of `TICK_MS` and are rounded up to it, so that sums
 * are exact and no rounding ever adds to the rate.
 *
 * Deliberately absent: bursts. A quota's burst bounds what one permit may cost and how late it may be used.
 */
import { assert } from "../assert.ts";
import { HEADROOM } from "../limits.ts";

/** 2⁻¹² ms: run-clock instants are exact multiples of it as doubles until the year 2039. */
export const TICK_MS = 1 / 4096;

/** Where one dimension stands: all that has to be stored. */
export interface Tat {
  /** Earliest instant of the next permit, run clock. */
  readonly tatMs: number;
  /** How much of `tatMs` is the gap behind the last issued permit: what a changed rate may rescale. */
  readonly gapMs: number;
}

export interface Dimension extends Tat {
  /** One unit of cost takes this long. */
  readonly intervalMs: number;
  /** Units that each permit costs, more than 0. */
  readonly cost: number;
  /** Units the target accepts at once; null when not said. */
  readonly burst: number | null;
}

export interface Reservation {
  readonly nowMs: number;
  /** The first instant lies at least this far ahead. */
  readonly leadMs: number;
  /** Permits wanted, 1 or more. */
  readonly count: number;
  /** No instant is given out further ahead than this. */
  readonly depthMs: number;
  /** No instant before this (a pause); null for none. */
  readonly notBeforeMs: number | null;
}

export type Reserved =
  | {
      readonly kind: "granted";
      readonly firstInMs: number;
      readonly everyMs: number;
      /** 1 … what was wanted: as many as lie within the depth. */
      readonly count: number;
      /** The new state of each dimension, in the order given. */
      readonly tats: readonly Tat[];
    }
  /** The same request is granted from exactly then on, unless others come first. */
  | { readonly kind: "deferred"; readonly askAgainInMs: number }
  /** One permit costs more than the burst of a dimension can ever hold. */
  | { readonly kind: "impossible"; readonly dimension: number };

/** The emission interval of one unit, milliseconds, a little longer than the rate says (`HEADROOM`). */
export function emissionIntervalMs(ratePerSecond: number): number {
  assert(ratePerSecond > 0, "a rate is positive");
  return 1000 / (ratePerSecond * (1 - HEADROOM));
}

/** A dimension from which nothing was issued at or after `fromMs`. */
export function emptyTat(fromMs: number): Tat {
  return { tatMs: roundUp(fromMs), gapMs: 0 };
}

/**
 * Reserves up to `count` equally spaced instants in all dimensions at once, or says when to ask again.
 * Pure: the caller stores the returned TATs, or leaves everything as it was.
 */
export function reserve(dimensions: readonly Dimension[], want: Reservation): Reserved {
  assert(dimensions.length > 0 && want.count >= 1, "a reservation has a dimension and a count");
  assert(want.leadMs <= want.depthMs, "the lead lies within the depth");
  const impossible = dimensions.findIndex((d) => d.burst !== null && d.cost > d.burst);
  if (impossible >= 0) return { kind: "impossible", dimension: impossible };

  const freeMs = Math.max(want.notBeforeMs ?? 0, ...dimensions.map((d) => d.tatMs));
  const opensMs = roundUp(freeMs - want.depthMs);
  if (want.nowMs < opensMs) return { kind: "deferred", askAgainInMs: opensMs - want.nowMs };

  const firstMs = roundUp(Math.max(freeMs, want.nowMs + want.leadMs));
  const everyMs = Math.max(...dimensions.map((d) => d.cost * d.intervalMs));
  const within = Math.floor((want.nowMs + want.depthMs - firstMs) / everyMs) + 1;
  const count = Math.min(want.count, Math.max(1, within));
  const lastMs = firstMs + roundUp((count - 1) * everyMs);
  const tats = dimensions.map((d) => tatBehind(lastMs, d.cost * d.intervalMs));
  return { kind: "granted", firstInMs: firstMs - want.nowMs, everyMs, count, tats };
}

/**
 * The TAT under a changed interval. The gap behind the last permit is rescaled and the permit itself stays
 * where it is: a faster rate acts at once after it, however slow the former one was.
 */
export function retime(tat: Tat, change: { readonly fromMs: number; readonly toMs: number }): Tat {
  const lastMs = tat.tatMs - tat.gapMs;
  return tatBehind(lastMs, (tat.gapMs * change.toMs) / change.fromMs);
}

/** Where a dimension stands whose last permit is at `lastMs`, the next one at least `gapMs` later. */
export function tatBehind(lastMs: number, gapMs: number): Tat {
  const gap = roundUp(gapMs);
  return { tatMs: roundUp(lastMs) + gap, gapMs: gap };
}

/** The next multiple of `TICK_MS`, at or after. */
export function roundUp(ms: number): number {
  return Math.ceil(ms / TICK_MS) * TICK_MS;
}
