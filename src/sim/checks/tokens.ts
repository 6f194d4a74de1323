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

  /** The Run's clock was set forward by so much: see `rate.ts`. */
  clockSet(passedMs: number): void {
    this.#atMs -= passedMs;
  }

  called(tokens: number, nowMs: number): void {
    if (this.#perSecond === null) return;
    this.#level = Math.max(0, this.#level - ((nowMs - this.#atMs) * this.#perSecond) / 1000) + tokens;
    this.#atMs = nowMs;
    if (this.#level > this.#most)
      throw new Violation(
        "tokens",
        `the calls need a burst of ${Math.round(this.#level)} tokens at ${this.#perSecond}/s, allowed are ${Math.round(this.#most)}`,
      );
  }
}
