/** When an answer of the Run was made, in local time: what every permit in it is told relative to. */
import { type ClockMap, observeClock, offsetBounds } from "../../core/limiter/clockMap.ts";
import { CLOCK_ERROR_MS, LEAD_MS } from "../../core/limits.ts";

/** An answer as it came. */
export interface Received {
  /** When its request left: a repeated one, the first time. */
  readonly sentMs: number;
  readonly receivedMs: number;
  /** The Run's clock at the moment of the answer, when it says so. */
  readonly clockMs: number | undefined;
  readonly epoch: number;
  /** How often the local clock was set so far; absent: it never is. */
  readonly timesSet?: number;
}

/** The answer's moment in local time: somewhere between the two. */
export interface AnswerMoment {
  readonly leastMs: number;
  readonly mostMs: number;
  readonly receivedMs: number;
  readonly epoch: number;
}

/** A call leaves a little after it was let go: the last part of the grace is kept for that. */
const GRACE_SHARE = 0.8;
/** Answers may take this much longer than the quickest did and still bring usable permits. */
const LEAD_MARGIN_MS = 10;
/** What stays of the grace however far the Run is: without it the permits of distant lanes would all be lost. */
const LEAST_SHARE = 0.6;

/**
 * How long an instant may be used; below 0 the answer came too late for any use. `errorMs`: of what is known of its
 * moment. Calls leave within `graceMs` of their instant while that error is small, and within `graceMs` plus
 * CLOCK_ERROR_MS always: what `worstBurst` counts on.
 */
export function usableMs(graceMs: number, errorMs: number): number {
  const leastMs = Math.min(LEAST_SHARE * graceMs, graceMs + CLOCK_ERROR_MS - errorMs);
  return Math.max(GRACE_SHARE * graceMs - errorMs, leastMs);
}

/**
 * One invocation's picture of the Run's clock; every answer sharpens it, with or without a permit. It begins anew where
 * the local clock was set: on one machine the Run's was set with it, and an answer to a request that was repeated for
 * long contradicts nothing.
 */
export class RunClock {
  #map: ClockMap | null = null;
  #timesSet = 0;

  answered(at: Received): AnswerMoment {
    const { sentMs, receivedMs, clockMs, epoch, timesSet = 0 } = at;
    if (timesSet !== this.#timesSet) this.#map = null;
    this.#timesSet = timesSet;
    if (clockMs === undefined) return { leastMs: sentMs, mostMs: receivedMs, receivedMs, epoch };
    this.#map = observeClock(this.#map, { sentMs, receivedMs, remoteMs: clockMs });
    const { leastMs, mostMs } = offsetBounds(this.#map);
    return { leastMs: clockMs + leastMs, mostMs: clockMs + mostMs, receivedMs, epoch };
  }

  /** How far ahead a permit must lie to be usable when its answer comes; undefined: near enough to need no lead. */
  get leadMs(): number | undefined {
    if (this.#map === null) return undefined;
    const lateMs = this.#map.mostMs - offsetBounds(this.#map).mostMs;
    return lateMs > 0 ? Math.min(Math.ceil(lateMs + LEAD_MARGIN_MS), LEAD_MS) : undefined;
  }
}
