/**
 * Time, timers and chance as the lanes see them: a port, so that tests drive lanes in virtual time.
 *
 * `now` is monotone and says nothing about the wall clock. On the platform it stands still during CPU work and so
 * can only lag.
 */
import { CLOCK_ERROR_MS, DEPTH_MS, GRACE_MS } from "../core/limits.ts";

export interface Clock {
  /** Monotone milliseconds. */
  now(): number;
  /** Calls `f` once after `ms`, never before; the result cancels it. */
  after(ms: number, f: () => void): () => void;
  /** 0 ≤ x < 1. */
  random(): number;
  /** How often it was found that the system's clock had been set; absent: it never is. */
  timesSet?(): number;
}

/** By then no permit that was held is usable any more, and no answer that lets calls go freely holds. */
const UNKNOWN_MS = DEPTH_MS + GRACE_MS + CLOCK_ERROR_MS;
/** Readings and timers of the platform are rounded: they may seem to contradict each other by this much. */
const ROUNDING_MS = 2;

/** What a clock is made of. */
export interface ClockParts {
  /** The system's reading, in milliseconds. In workerd `performance.now()` follows the wall clock. */
  readonly read: () => number;
  /** Calls `f` once after `ms`, whatever becomes of the readings; the result cancels it. */
  readonly timer: (ms: number, f: () => void) => () => void;
  readonly random: () => number;
}

/**
 * A clock for permits and leases on a system whose clock may be set. Set forward it follows. Set back, two things tell:
 * a reading that is less than the one before, after which nobody knows how much time has passed, so it goes on from
 * where no permit that was held is usable; and a timer that seems to ring early, whose time has certainly passed. A
 * clock that merely stood still would let calls leave as much too late as it lost.
 */
export function steadyClock({ read, timer, random }: ClockParts): Clock {
  let offsetMs = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  let timesSet = 0;
  const goOn = (byMs: number): void => {
    offsetMs += byMs;
    timesSet += 1;
  };
  const now = (): number => {
    const readMs = read();
    const backMs = lastMs - (readMs + offsetMs);
    if (backMs > ROUNDING_MS) goOn(backMs + UNKNOWN_MS);
    lastMs = Math.max(lastMs, readMs + offsetMs);
    return lastMs;
  };
  return {
    now,
    after(ms, f) {
      const waitMs = Math.max(0, Math.ceil(ms));
      const dueMs = now() + waitMs;
      return timer(waitMs, () => {
        const earlyMs = dueMs - now();
        if (earlyMs > ROUNDING_MS) goOn(earlyMs);
        f();
      });
    },
    random,
    timesSet: () => timesSet,
  };
}

export const systemClock: Clock = steadyClock({
  read: () => performance.now(),
  timer(ms, f) {
    const timer = setTimeout(f, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
});

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
