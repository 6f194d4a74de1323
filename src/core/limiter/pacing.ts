/**
 * How many send instants an invocation should ask for, and when: pure arithmetic for the lane's pacer.
 *
 * Every instant that is asked for and not used is lost to the whole run, and every request costs the Run time, so
 * the forecast plays the coming instants against the lanes: each instant goes to the lane that is ready first, which
 * is then busy for one turn; an instant for which no lane is ready soon enough is wasted.
 *
 * Two cases fall out of it. When the quota is the limit, instants lie ahead of now, lanes will have finished by
 * then, and one request covers all of them. When the lanes are the limit, instants come faster than lanes get ready
 * and most would be wasted: how many of them may be, for the sake of fewer requests, is `fill`.
 */

export interface Forecast {
  /** For each lane that makes calls, when it can start its next one (in the past: it waits). Not changed. */
  readonly readyMs: readonly number[];
  /** Instants held already, in order. */
  readonly heldMs: Iterable<number>;
  /** When the first new instant is expected. */
  readonly firstMs: number;
  /** Spacing of new instants. */
  readonly everyMs: number;
  /** From the start of a call to the moment its lane can start another. */
  readonly turnMs: number;
  /** How much later than its instant a call may start. Negative: the lane must be ready that much earlier. */
  readonly slackMs: number;
  /** Instants later than `firstMs` plus this are not asked for yet. */
  readonly horizonMs: number;
  readonly most: number;
  /** Share of the instants asked for that must find a lane, more than 0 up to 1: all. */
  readonly fill: number;
}

/** How many new instants to ask for, 0…`most`: the last of them finds a lane, and so does their share `fill`. */
export function usableInstants(forecast: Forecast): number {
  const { firstMs, everyMs, turnMs, slackMs, fill } = forecast;
  if (forecast.readyMs.length === 0) return 0;
  const ready = Float64Array.from(forecast.readyMs).sort();
  for (const instantMs of forecast.heldMs) {
    if (ready[0]! <= instantMs + slackMs) replaceFirst(ready, Math.max(instantMs, ready[0]!) + turnMs);
  }
  const most = Math.min(forecast.most, Math.floor(forecast.horizonMs / everyMs) + 1);
  let used = 0;
  let count = 0;
  for (let at = 0; at < most; at++) {
    const first = ready[0]!;
    at = Math.max(at, Math.ceil((first - slackMs - firstMs) / everyMs));
    if (at >= most) break;
    replaceFirst(ready, Math.max(firstMs + at * everyMs, first) + turnMs);
    used += 1;
    if (used >= fill * (at + 1)) count = at + 1;
    else if (fill === 1) break;
  }
  return count;
}

/** A sorted array is a heap: replaces the least element and sifts the new one down. */
function replaceFirst(heap: Float64Array, value: number): void {
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= value) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = value;
}

/** A pause of either side's event loop for which nothing is lost: as long as a collection of garbage. */
const STALL_MS = 30;

export interface AskTiming {
  /** Last instant held; null when none is. */
  readonly lastHeldMs: number | null;
  /** When the first lane started or will start to wait; Infinity when no lane will. Of no account while any is held. */
  readonly nextReadyMs: number;
  /** Round trip to expect, with its variation. */
  readonly roundTripMs: number;
  /** From asking to the first instant to expect, at least a round trip. */
  readonly aheadMs: number;
  /** How far others' reservations reach beyond our last instant, as last seen: nothing is lost until then. */
  readonly gapMs: number;
  /** How long a lane may wait for others to join its request. */
  readonly gatherMs: number;
}

/**
 * When to ask next; Infinity when no lane will need a permit.
 *
 * While instants are held the lanes are served: ask just early enough that the next ones connect to the last.
 * Without held instants the lanes decide: ask so early that an instant comes when the first is ready, gathering for
 * a moment.
 */
export function askAt(timing: AskTiming): number {
  const { lastHeldMs, nextReadyMs, roundTripMs, aheadMs, gapMs, gatherMs } = timing;
  if (lastHeldMs !== null) return lastHeldMs - Math.max(0, roundTripMs + STALL_MS - gapMs);
  return nextReadyMs - aheadMs + gatherMs;
}

/** Running estimate of a duration and of its spread, as TCP keeps it for round trips. */
export interface Estimate {
  readonly meanMs: number;
  readonly spreadMs: number;
}

/** `weight`: share of the new sample, 0…1. */
export function observeDuration(estimate: Estimate | null, sampleMs: number, weight: number): Estimate {
  if (estimate === null) return { meanMs: sampleMs, spreadMs: sampleMs / 2 };
  const errorMs = sampleMs - estimate.meanMs;
  return {
    meanMs: estimate.meanMs + weight * errorMs,
    spreadMs: estimate.spreadMs + weight * (Math.abs(errorMs) - estimate.spreadMs),
  };
}
