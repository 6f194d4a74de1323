/**
 * The target's own limiter: a plain token bucket that refuses what is over, written apart from Weir's core so
 * that a mistake there cannot hide here.
 *
 * Invariant: in any window W at most `ratePerSecond × W + burst` calls are accepted. A refusal costs nothing.
 */

export interface LimitOptions {
  readonly ratePerSecond: number;
  /** Calls accepted at one instant when nothing came before; at least 1. */
  readonly burst: number;
}

export class StrictLimit {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #lastMs: number | null = null;

  constructor(options: LimitOptions) {
    this.#perMs = options.ratePerSecond / 1000;
    this.#burst = Math.max(1, options.burst);
    this.#tokens = this.#burst;
  }

  /** Null: accepted. Else milliseconds until one call would be. `nowMs` never goes back. */
  admit(nowMs: number): number | null {
    const elapsedMs = nowMs - (this.#lastMs ?? nowMs);
    this.#lastMs = nowMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + elapsedMs * this.#perMs);
    // A billionth of a token forgives the rounding of many small refills, nothing more.
    if (this.#tokens >= 1 - 1e-9) {
      this.#tokens -= 1;
      return null;
    }
    return (1 - this.#tokens) / this.#perMs;
  }
}
