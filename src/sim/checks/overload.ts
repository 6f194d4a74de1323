/** Overload: an invocation that the Run refused because it has too much to do leaves it alone for a while. */
import { SYNC_RETRY_FIRST_MS } from "../../core/limits.ts";
import { Violation } from "./violation.ts";

/** The shortest first wait: eight times the usual one, half of which is chance. */
const LEAST_MS = 4 * SYNC_RETRY_FIRST_MS;
/** Clocks drift, and an answer is on its way. */
const SLACK_MS = 1;

export class OverloadCheck {
  /** When each invocation received its refusal. */
  readonly #refusedMs = new Map<string, number>();

  refused(invocation: string, nowMs: number): void {
    this.#refusedMs.set(invocation, nowMs);
  }

  /** A request leaves. */
  asked(invocation: string, nowMs: number): void {
    const refusedMs = this.#refusedMs.get(invocation);
    if (refusedMs === undefined) return;
    this.#refusedMs.delete(invocation);
    const waitedMs = nowMs - refusedMs;
    if (waitedMs < LEAST_MS - SLACK_MS)
      throw new Violation(
        "overload",
        `${invocation} asked an overloaded Run again after ${Math.round(waitedMs)} ms, at least ${LEAST_MS} are due`,
      );
  }
}
