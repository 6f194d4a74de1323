/**
 * Limits that count calls in windows of one second, as many providers do: exactly (the sliding log) or by the
 * target's own calendar (the aligned window, which lets twice its limit go within a second around a border).
 *
 * Invariants: sliding: no window `[t, t + 1 s)` holds more than `perSecond` accepted calls; aligned: no calendar
 * second does. A refusal costs nothing.
 */

export interface WindowOptions {
  readonly window: "sliding" | "aligned";
  /** Calls accepted in one window; at least 1. */
  readonly perSecond: number;
  /** Length of an aligned window; absent: a second. */
  readonly windowMs?: number;
}

const WINDOW_MS = 1000;

/** The last `perSecond` accepted instants in a ring: the oldest of them must be a whole window old. */
export class SlidingLimit {
  readonly #acceptedMs: Float64Array;
  #next = 0;

  constructor({ perSecond }: WindowOptions) {
    this.#acceptedMs = new Float64Array(Math.max(1, perSecond)).fill(Number.NEGATIVE_INFINITY);
  }

  /** Null: accepted. Else milliseconds until one call would be. `nowMs` never goes back. */
  admit(nowMs: number): number | null {
    const oldestMs = this.#acceptedMs[this.#next] as number;
    if (nowMs - oldestMs < WINDOW_MS) return oldestMs + WINDOW_MS - nowMs;
    this.#acceptedMs[this.#next] = nowMs;
    this.#next = (this.#next + 1) % this.#acceptedMs.length;
    return null;
  }
}

/** A counter that starts anew with every whole second of the target's clock. */
export class AlignedLimit {
  readonly #perSecond: number;
  readonly #windowMs: number;
  #window = Number.NEGATIVE_INFINITY;
  #accepted = 0;

  constructor({ perSecond, windowMs = WINDOW_MS }: WindowOptions) {
    this.#perSecond = Math.max(1, perSecond);
    this.#windowMs = windowMs;
  }

  /** Null: accepted. Else milliseconds until one call would be. `nowMs` never goes back. */
  admit(nowMs: number): number | null {
    const window = Math.floor(nowMs / this.#windowMs);
    if (window !== this.#window) {
      this.#window = window;
      this.#accepted = 0;
    }
    if (this.#accepted >= this.#perSecond) return (window + 1) * this.#windowMs - nowMs;
    this.#accepted += 1;
    return null;
  }
}
