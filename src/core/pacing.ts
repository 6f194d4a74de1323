/**
 * How many send instants an invocation should ask for, and when: pure arithmetic for the lane's pacer.
 *
 * Every instant that is asked for and not used is lost to the whole run, and every request costs the Run time, so
 * the forecast asks for what its lanes will be able to use and no more. It plays the coming instants against the
 * lanes: each instant goes to the lane that is ready first, which is then busy for one turn. An instant that no
 * lane could use soon enough ends the count.
 *
 * Two cases fall out of it. When the quota is the limit, instants lie ahead of now, lanes will have finished by
 * then, and one request covers all of them. When the lanes are the limit, instants would come at once and expire
 * before the next lane is ready: only the lanes ready within the slack are counted.
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
}

/** How many new instants the lanes can use, 0…`most`. */
export function usableInstants(forecast: Forecast): number {
  const { firstMs, everyMs, turnMs, slackMs, horizonMs, most } = forecast;
  if (forecast.readyMs.length === 0) return 0;
  const ready = Float64Array.from(forecast.readyMs).sort();
  for (const instantMs of forecast.heldMs) replaceFirst(ready, Math.max(instantMs, ready[0]!) + turnMs);
  let count = 0;
  for (; count < most; count++) {
    const instantMs = firstMs + count * everyMs;
    const first = ready[0]!;
    if (first > instantMs + slackMs || instantMs > firstMs + horizonMs) break;
    replaceFirst(ready, Math.max(instantMs, first) + turnMs);
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

export interface AskTiming {
  /** Last instant held; null when none is. */
  readonly lastHeldMs: number | null;
  /** When the first lane started or will start to wait; Infinity when no lane will. */
  readonly nextReadyMs: number;
  /** Round trip to expect, with its variation. */
  readonly roundTripMs: number;
  /** How far others' reservations reach beyond our last instant, as last seen: nothing is lost until then. */
  readonly gapMs: number;
  /** How long a lane may wait for others to join its request. */
  readonly gatherMs: number;
}

/**
 * When to ask next; Infinity when no lane will need a permit.
 *
 * While instants are held the lanes are served: ask just early enough that the next ones connect to the last.
 * Without held instants the lanes decide: ask a round trip before the first is ready, gathering for a moment.
 */
export function askAt(timing: AskTiming): number {
  const { lastHeldMs, nextReadyMs, roundTripMs, gapMs, gatherMs } = timing;
  if (lastHeldMs !== null) return lastHeldMs - Math.max(0, roundTripMs - gapMs);
  return nextReadyMs - roundTripMs + gatherMs;
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
