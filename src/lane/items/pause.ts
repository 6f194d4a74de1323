/** A lane's pauses: until a time or until something changes, and between the starts of two tries. */
import type { PacingSpec } from "../../core/spec.ts";
import type { Clock } from "../clock.ts";
import type { Seat } from "../permits/seat.ts";

export class LanePause {
  readonly #clock: Clock;
  readonly #seat: Seat;
  #wake: (() => void) | null = null;
  #nextStartMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, seat: Seat) {
    this.#clock = clock;
    this.#seat = seat;
  }

  /** Something changed: whoever waits goes on. */
  wake(): void {
    this.#wake?.();
  }

  /** Waits until the time is over or something changed. */
  async wait(ms: number): Promise<void> {
    this.#seat.idleUntil(this.#clock.now() + ms);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      const cancel = this.#clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = null;
  }

  /** At least `minIntervalMs` plus jitter between the starts of two tries of this lane. False: no time for it. */
  async untilNextStart({ minIntervalMs, jitterMs }: PacingSpec, mayWait: () => boolean): Promise<boolean> {
    if (minIntervalMs === 0 && jitterMs === 0) return true;
    while (this.#clock.now() < this.#nextStartMs) {
      if (!mayWait()) return false;
      await this.wait(this.#nextStartMs - this.#clock.now());
    }
    this.#nextStartMs = this.#clock.now() + minIntervalMs + jitterMs * this.#clock.random();
    return true;
  }

  /** The try that began last made no call: the next one has nothing to keep apart from. */
  forgetStart(): void {
    this.#nextStartMs = Number.NEGATIVE_INFINITY;
  }
}
