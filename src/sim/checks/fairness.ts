/**
 * Fairness: lanes get their turns. Without faults, and while the target has refused nothing and was not taken for down
 * for a while, a lane that wants to call gets its turn before it counts as starved, wherever turns come often enough for
 * that.
 */
import { STARVED_MS } from "../../core/limits.ts";
import { Violation } from "./violation.ts";

/** Turns so long are the quota's doing, not unfairness. */
const FAIR_TURN_MS = 1000;
/** After a refusal everybody waits, and rates change. */
const DISTURBED_MS = 60_000;

export class FairnessCheck {
  longestWaitMs = 0;
  /** Judged only when faults have been over for a while. */
  isJudging = false;

  #disturbedMs = Number.NEGATIVE_INFINITY;

  /** The target refused a call, or the circuit is open: everybody waits. */
  disturbed(nowMs: number): void {
    this.#disturbedMs = nowMs;
  }

  /** A lane got its permit, or gave up, after waiting. `turnMs`: lanes × emission interval. */
  waited(ms: number, turnMs: number, nowMs: number): void {
    if (!this.isJudging || nowMs - this.#disturbedMs < DISTURBED_MS) return;
    this.longestWaitMs = Math.max(this.longestWaitMs, ms);
    if (turnMs < FAIR_TURN_MS && ms > STARVED_MS)
      throw new Violation(
        "fairness",
        `a lane waited ${Math.round(ms)} ms for a turn that comes every ${Math.round(turnMs)} ms`,
      );
  }
}
