/**
 * How late the event loop lets permits go: since when the first of them was held and due and a lane waited for it.
 *
 * A timer's own lateness does not tell. After a pause the loop may first see that an answer came, and what is due goes
 * before the timer fires; and a pause in the middle of a turn is over by the time that the next timer is set.
 */

export interface Lateness {
  /** Of what was let go last, ms. */
  readonly lastMs: number;
  /** The lesser of the last two: after a single pause the next is on time, a loop that is behind is late again. */
  readonly lastingMs: number;
}

export const ON_TIME: Lateness = { lastMs: 0, lastingMs: 0 };
/** Timers are set in whole milliseconds. */
const TIMER_GRAIN_MS = 1;
/** What was let go says nothing of the loop after this. */
const REMEMBERED_MS = 250;

export class LoopLateness {
  #known = ON_TIME;
  #atMs = Number.NEGATIVE_INFINITY;

  /** Permits are let go; the first of them could have been from `dueMs` on. */
  saw(dueMs: number, nowMs: number): void {
    const lastMs = Math.max(0, nowMs - dueMs - TIMER_GRAIN_MS);
    this.#known = { lastMs, lastingMs: Math.min(lastMs, this.#known.lastMs) };
    this.#atMs = nowMs;
  }

  at(nowMs: number): Lateness {
    return nowMs - this.#atMs < REMEMBERED_MS ? this.#known : ON_TIME;
  }
}
