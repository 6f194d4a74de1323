/**
 * What a run may cost at its target, and when the next call would pass it.
 *
 * Invariant: no permit is issued with which what was spent, what is reserved for calls under way and the call itself
 * would pass the budget. So a budget is passed only by what calls under way use beyond their reservation, and by
 * calls of a dead invocation in the half minute until it is known to be dead.
 */
import type { BudgetSpec, Spec } from "../spec.ts";
import { dollarsAtMost, dollarsOf, type Price, type RunUsage, tokensOf } from "../usage.ts";

/** Spent, and held for calls that are under way or about to leave. */
export interface Outlay {
  readonly calls: number;
  readonly tokens: number;
  readonly dollars: number;
}

export type BudgetKey = keyof BudgetSpec;

/** Permits of this run are granted one by one, each with what it costs. */
export function isCosted(spec: Spec): boolean {
  return spec.budget != null || spec.quota?.tokens != null;
}

export function outlayOf(
  usage: RunUsage,
  held: { readonly calls: number; readonly tokens: number },
  price: Price | null,
): Outlay {
  const { spent } = usage;
  const unknown = spent.unreportedTokens + held.tokens;
  return {
    calls: spent.calls + held.calls,
    tokens: tokensOf(spent) + unknown,
    dollars: price === null ? 0 : dollarsOf(spent, price) + dollarsAtMost(unknown, price),
  };
}

/** The outlay with one more call that reserves `tokens`. */
export function withCall(outlay: Outlay, tokens: number, price: Price | null): Outlay {
  return {
    calls: outlay.calls + 1,
    tokens: outlay.tokens + tokens,
    dollars: outlay.dollars + (price === null ? 0 : dollarsAtMost(tokens, price)),
  };
}

/** Which bound the outlay passes; null: none. */
export function passedBy(budget: BudgetSpec, outlay: Outlay): BudgetKey | null {
  const keys = ["tokens", "calls", "dollars"] as const;
  return keys.find((key) => budget[key] !== null && outlay[key] > (budget[key] ?? 0)) ?? null;
}

/** Why the run pauses, and what raises the bound. */
export function budgetSentence(key: BudgetKey, budget: BudgetSpec, spent: Outlay, run: string): string {
  const bound = shown(key, budget[key] ?? 0);
  const used = shown(key, spent[key]);
  return (
    `the budget of ${bound} is reached: ${used} used, and the next call would pass it; ` +
    `weir set ${run} --budget-${key} N raises it`
  );
}

function shown(key: BudgetKey, amount: number): string {
  if (key === "dollars") return `$${amount.toFixed(amount < 1 ? 4 : 2)}`;
  return `${Math.ceil(amount).toLocaleString("en-US")} ${key}`;
}
