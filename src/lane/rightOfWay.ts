/**
 * After a pause of the event loop calls that are let go have the right of way over answers.
 *
 * The loop gets to its sockets when nothing else is left to do. After a pause as many answers wait to be seen to as calls
 * are due, and with each comes a row to write and an item to read, so the calls let go would leave only when all of that
 * is done. Answers wait until the loop has been at its timers once, and so at its sockets.
 */
import type { Clock } from "./clock.ts";

/** What is let go so late is let go after a pause. */
const PAUSE_MS = 5;

export function isPause(lateMs: number): boolean {
  return lateMs >= PAUSE_MS;
}

export class RightOfWay {
  readonly #clock: Clock;
  #passing: Promise<void> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Permits are let go so long after they could have been. */
  letGo(lateMs: number): void {
    if (isPause(lateMs)) this.#passing ??= this.#untilTimers();
  }

  /** For answers: resolves when what is being let go has left; null when nothing is. */
  get passing(): Promise<void> | null {
    return this.#passing;
  }

  #untilTimers(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(0, () => {
        this.#passing = null;
        resolve();
      });
    });
  }
}
