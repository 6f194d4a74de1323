/**
 * Tokens: in any window W the calls that leave use at most `rate × W`, one reservation, the credit, what the grace is
 * worth, and what calls under way had reserved too much (docs/llm.md, "Tokens a minute").
 */
import { CLOCK_ERROR_MS, COSTED_GRACE_MS, TOKEN_CREDIT_MS } from "../../core/limits.ts";
import { configuredTokensPerSecond } from "../../core/run/run.ts";
import type { Spec } from "../../core/spec.ts";
import { Violation } from "./violation.ts";

export class TokenCheck {
  readonly #perSecond: number | null;
  readonly #most: number;
  #level = 0;
  #atMs = 0;

  /** `reservation`: the most tokens that one call can reserve. */
  constructor(spec: Spec, reservation: number) {
    const perSecond = configuredTokensPerSecond(spec);
    this.#perSecond = perSecond;
    const ms = (spanMs: number) => ((perSecond ?? 0) * spanMs) / 1000;
    const credit = Math.max(ms(TOKEN_CREDIT_MS), reservation);
    const underWay = spec.maxParallelism * reservation;
    this.#most = reservation + credit + ms(COSTED_GRACE_MS + CLOCK_ERROR_MS) + underWay;
  }

  /** A call leaves that uses so many. `passedMs`: time that passed by the Run's clock alone. */
  called(tokens: number, nowMs: number, passedMs: number): void {
    if (this.#perSecond === null) return;
    const elapsedMs = nowMs - this.#atMs + passedMs;
    this.#level = Math.max(0, this.#level - (elapsedMs * this.#perSecond) / 1000) + tokens;
    this.#atMs = nowMs;
    if (this.#level > this.#most)
      throw new Violation(
        "tokens",
        `the calls need a burst of ${Math.round(this.#level)} tokens at ${this.#perSecond}/s, allowed are ${Math.round(this.#most)}`,
      );
  }
}
