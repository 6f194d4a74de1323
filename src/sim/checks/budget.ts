/**
 * Budget: the calls that leave and the tokens that they use stay within it. It is passed at most by what calls under way
 * use beyond their reservation, and by calls whose end the Run does not learn: those of the half minute before a process
 * died, froze or was taken over (docs/llm.md, "Budgets").
 */
import { LEASE_MARGIN_MS, LEASE_TTL_MS } from "../../core/limits.ts";
import type { Spec } from "../../core/spec.ts";
import type { EventLoop } from "../eventLoop.ts";
import { Violation } from "./violation.ts";

const UNKNOWN_MS = LEASE_TTL_MS + LEASE_MARGIN_MS;

interface Use {
  readonly atMs: number;
  readonly calls: number;
  readonly tokens: number;
}

export class BudgetCheck {
  readonly #loop: EventLoop;
  readonly #beyond: { readonly calls: number; readonly tokens: number };
  #budget: Spec["budget"];
  #uses: Use[] = [];
  #used = { calls: 0, tokens: 0 };
  /** What may have been used unseen. */
  #unseen = { calls: 0, tokens: 0 };
  #unseenUntilMs = Number.NEGATIVE_INFINITY;

  /** `beyondTokens`: the most tokens that a call can use beyond its reservation. */
  constructor(loop: EventLoop, spec: Spec, beyondTokens: number) {
    this.#loop = loop;
    this.#budget = spec.budget;
    this.#beyond = { calls: 0, tokens: spec.maxParallelism * beyondTokens };
  }

  configured(spec: Spec): void {
    this.#budget = spec.budget;
  }

  /** Something happened after which the Run cannot know of all calls. */
  disturbed(): void {
    if (this.#budget == null) return;
    const { nowMs } = this.#loop;
    this.#uses = this.#uses.filter(({ atMs }) => atMs > nowMs - UNKNOWN_MS);
    for (const { calls, tokens } of this.#uses) this.#add(this.#unseen, calls, tokens);
    // Each is counted once, although something else may happen soon.
    this.#uses = [];
    this.#unseenUntilMs = nowMs + UNKNOWN_MS;
  }

  called(tokens: number): void {
    const budget = this.#budget;
    if (budget == null) return;
    const { nowMs } = this.#loop;
    this.#add(this.#used, 1, tokens);
    if (nowMs < this.#unseenUntilMs) this.#add(this.#unseen, 1, tokens);
    else this.#uses.push({ atMs: nowMs, calls: 1, tokens });
    this.#judge("calls", budget.calls);
    this.#judge("tokens", budget.tokens);
  }

  #judge(what: "calls" | "tokens", most: number | null): void {
    if (most === null || this.#used[what] - this.#unseen[what] <= most + this.#beyond[what]) return;
    throw new Violation(
      "budget",
      `${this.#used[what]} ${what} were used, ${this.#unseen[what]} of them unseen at most: the budget is ${most}`,
    );
  }

  #add(sum: { calls: number; tokens: number }, calls: number, tokens: number): void {
    sum.calls += calls;
    sum.tokens += tokens;
  }
}
