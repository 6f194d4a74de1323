/**
 * Clocks that are set, and what the bounds on rates allow for them.
 *
 * The rate is kept by the clock of the Run: what that is set forward together with its lanes counts as time that passed.
 * A process that is set forward uses the instants early that it holds and that are not over by then, which are one grace
 * of them. A Run whose clock is set alone, on a machine of its own, stands apart from what its lanes know of it, in one
 * direction or the other, until their next answers contradict that: so much come instants early, and never further than
 * they are given out.
 */
import { CLOCK_ERROR_MS, DEPTH_MS, GRACE_MS } from "../../core/limits.ts";

/** Instants given out before a clock was set are used up by then, and answers have come. */
const OVER_MS = 2 * DEPTH_MS + GRACE_MS + CLOCK_ERROR_MS;

export interface ClockStep {
  readonly byMs: number;
  /** Whose clock it was. */
  readonly of: "lanes" | "run" | "all";
}

export class SetClocks {
  #untilMs = Number.NEGATIVE_INFINITY;
  #apartMs = 0;
  #passedMs = 0;

  set({ byMs, of }: ClockStep, nowMs: number): void {
    this.#untilMs = nowMs + OVER_MS;
    if (of === "run") this.#apartMs += Math.min(DEPTH_MS, Math.abs(byMs));
    if (of === "all") this.#passedMs += Math.max(0, byMs);
  }

  /** How much earlier than they should calls may leave now. */
  earlyMs(nowMs: number): number {
    return nowMs < this.#untilMs ? GRACE_MS + this.#apartMs : 0;
  }

  /** Time that passed by the Run's clock alone, since the last call of this. */
  takePassedMs(nowMs: number): number {
    const isOver = nowMs >= this.#untilMs;
    const passedMs = this.#passedMs + (isOver ? this.#apartMs : 0);
    this.#passedMs = 0;
    if (isOver) this.#apartMs = 0;
    return passedMs;
  }
}
