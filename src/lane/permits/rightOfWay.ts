/**
 * After a pause of the event loop calls that are let go have the right of way over answers, and go in portions.
 *
 * The loop gets to its sockets when nothing else is left to do. After a pause as many answers wait to be seen to as calls
 * are due, and with each comes a row to write and an item to read, so the calls let go would leave only when all of that
 * is done. Answers wait until the loop has been at its timers once more, and so at its sockets. And calls that are let go
 * in one turn leave together at its end: in portions those longest overdue need not wait until all others are made.
 */
import type { Clock } from "../clock.ts";

/** What is let go so late is let go after a pause. */
const PAUSE_MS = 5;
/** Turns of the loop over which what is due after a pause is let go. */
const PORTIONS = 4;

export function isPause(lateMs: number): boolean {
  return lateMs >= PAUSE_MS;
}

export class RightOfWay {
  readonly #clock: Clock;
  #passing: Promise<void> | null = null;
  /** Portions let go since the pause. */
  #portions = 0;
  #goesOn = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * How many permits go in this turn, `lateMs` after the first of them could have gone; `due` counts those that could.
   * A part of them after a pause, and all in the last of `PORTIONS` turns however many have become due meanwhile; where
   * there was none, all.
   */
  portion(lateMs: number, due: () => number): number {
    const left = PORTIONS - this.#portions;
    return isPause(lateMs) && left > 1 ? Math.ceil(due() / left) : Number.POSITIVE_INFINITY;
  }

  /** A portion was let go, and the timer for the next one is set. */
  letGo(lateMs: number): void {
    if (this.#passing !== null) this.#goesOn = this.#portions < PORTIONS;
    else if (isPause(lateMs)) this.#passing = new Promise((resolve) => this.#untilTimers(resolve));
    else return;
    this.#portions += 1;
  }

  /** For answers: resolves when what is being let go has left; null when nothing is. */
  get passing(): Promise<void> | null {
    return this.#passing;
  }

  #untilTimers(resolve: () => void): void {
    this.#goesOn = false;
    this.#clock.after(0, () => {
      if (this.#goesOn) return this.#untilTimers(resolve);
      this.#passing = null;
      this.#portions = 0;
      resolve();
    });
  }
}
