/**
 * What one process knows of another's clock, as two bounds on `local − remote`.
 *
 * An answer stamped with the remote clock was made somewhere between the moment its request left and the moment
 * it came back, so every answer bounds the offset from both sides. Answers are combined by intersection, which is
 * at least as good as keeping the one of least round trip: an answer that arrives late still says when its
 * instants are, and is recognised as too late. Bounds widen with age by the drift that two clocks may have.
 *
 * Invariant: as long as both clocks run within the drift, the true offset lies within the bounds. If a clock
 * stepped so far that an answer contradicts the bounds, they start again from that answer.
 */

import { CLOCK_ERROR_MS } from "../limits.ts";

/** Two clocks may part by this share of the time that passes: 200 ppm, four times what a poor quartz does. */
const DRIFT = 0.0002;

export interface ClockMap {
  /** Lower bound of `local − remote`, in ms. */
  readonly leastMs: number;
  /** Upper bound of `local − remote`, in ms. */
  readonly mostMs: number;
  /** Local instant for which the bounds were worked out. */
  readonly atMs: number;
  /** Answers that the bounds rest on. */
  readonly answers: number;
}

/** After so many answers bounds that are still wide are due to the distance, not to answers that were held up. */
const ANSWERS_TO_TRUST = 5;

export interface ClockSample {
  /** Local instant at which the request left: for a repeated request the first time. */
  readonly sentMs: number;
  /** Local instant at which the answer came. */
  readonly receivedMs: number;
  /** The remote clock at the moment of the answer. */
  readonly remoteMs: number;
}

/** The bounds after one more answer; `map` null: the first one. */
export function observeClock(map: ClockMap | null, sample: ClockSample): ClockMap {
  const leastMs = sample.sentMs - sample.remoteMs;
  const mostMs = sample.receivedMs - sample.remoteMs;
  const fresh = { leastMs, mostMs, atMs: sample.receivedMs, answers: 1 };
  if (map === null) return fresh;
  const driftMs = Math.max(0, sample.receivedMs - map.atMs) * DRIFT;
  const least = Math.max(leastMs, map.leastMs - driftMs);
  const most = Math.min(mostMs, map.mostMs + driftMs);
  if (least > most) return fresh;
  return { leastMs: least, mostMs: most, atMs: sample.receivedMs, answers: map.answers + 1 };
}

/**
 * Bounds of `local − remote` to work with. Far away, the bounds are as wide as the least round trip, and no permit
 * would be usable: then the middle of them is taken, as NTP does (RFC 5905, section 8), give or take half of
 * `CLOCK_ERROR_MS`. That holds while the least ways there and back differ by no more than `CLOCK_ERROR_MS`.
 */
export function offsetBounds(map: ClockMap): { readonly leastMs: number; readonly mostMs: number } {
  const { leastMs, mostMs, answers } = map;
  if (mostMs - leastMs <= CLOCK_ERROR_MS || answers < ANSWERS_TO_TRUST) return { leastMs, mostMs };
  const middleMs = (leastMs + mostMs) / 2;
  return { leastMs: middleMs - CLOCK_ERROR_MS / 2, mostMs: middleMs + CLOCK_ERROR_MS / 2 };
}
