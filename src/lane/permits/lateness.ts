/**
 * How late the event loop lets permits go: since when the first of them was held and due and a lane waited for it.
 *
 * A timer's own lateness does not tell. After a pause the loop may first see that an answer came, and what is due goes
 * before the timer fires; and a pause in the middle of a turn is over by the time that the next timer is set.
 */

/** Timers are set in whole milliseconds. */
const TIMER_GRAIN_MS = 1;
/** What was let go says nothing of the loop after this. */
const REMEMBERED_MS = 250;

export class LoopLateness {
  #lateMs = 0;
  #atMs = Number.NEGATIVE_INFINITY;

  /** Permits are let go `lateMs` after the first of them could have been. */
  saw(lateMs: number, nowMs: number): void {
    this.#lateMs = Math.max(0, lateMs - TIMER_GRAIN_MS);
    this.#atMs = nowMs;
  }

  /** How late permits were let go last, ms; 0 for a loop that is on time. */
  at(nowMs: number): number {
    return nowMs - this.#atMs < REMEMBERED_MS ? this.#lateMs : 0;
  }
}
