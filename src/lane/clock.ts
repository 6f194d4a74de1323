/**
 * Time, timers and chance as the lanes see them: a port, so that tests drive lanes in virtual time.
 *
 * `now` is monotone and says nothing about the wall clock. On the platform it stands still during CPU work and so
 * can only lag.
 */

export interface Clock {
  /** Monotone milliseconds. */
  now(): number;
  /** Calls `f` once after `ms`, never before; the result cancels it. */
  after(ms: number, f: () => void): () => void;
  /** 0 ≤ x < 1. */
  random(): number;
}

export const systemClock: Clock = {
  now: monotone(() => performance.now()),
  after(ms, f) {
    const timer = setTimeout(f, Math.max(0, Math.ceil(ms)));
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/**
 * A clock that stands still for a moment where `read` steps back, and goes on from there: in workerd
 * `performance.now()` follows the wall clock, and one set back by an hour would make every lane wait for an hour.
 */
export function monotone(read: () => number): () => number {
  let offsetMs = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  return () => {
    const readMs = read() + offsetMs;
    if (readMs < lastMs) offsetMs += lastMs - readMs;
    lastMs = Math.max(lastMs, readMs);
    return lastMs;
  };
}

/** Resolves after `ms`, or at once when `signal` ends; never rejects. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal?.addEventListener("abort", end);
  });
}
