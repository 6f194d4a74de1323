/**
 * What calls cost at the target beside being calls: tokens in and out, and their price.
 *
 * Two sums, because they answer two questions. `rows`: tokens of the tries whose answers became rows; it is committed
 * with the part, so no retry and no crash counts twice. `spent`: every call that was reported, also those whose
 * answers came to nothing; what a budget is held against. Their difference is what failed tries cost.
 */
import type { Spec } from "./spec.ts";

/** Tokens as the target counts them. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface Price {
  /** Dollars for a million tokens. */
  readonly inputPerMillion: number;
  readonly outputPerMillion: number;
}

export interface RunUsage {
  rows: Usage;
  spent: Usage & {
    /** Calls that left. */
    readonly calls: number;
    /** Reserved for calls that ended without saying what they used (a timeout, a dead lane): counted as used. */
    readonly unreportedTokens: number;
  };
}

export const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0 };

export function noRunUsage(): RunUsage {
  return { rows: NO_USAGE, spent: { ...NO_USAGE, calls: 0, unreportedTokens: 0 } };
}

export function addUsage(a: Usage, b: Usage): Usage {
  return { inputTokens: a.inputTokens + b.inputTokens, outputTokens: a.outputTokens + b.outputTokens };
}

export function tokensOf(usage: Usage): number {
  return usage.inputTokens + usage.outputTokens;
}

/** The price that the spec's task names (`task.price`); null without one. */
export function priceOf(spec: Spec): Price | null {
  const { price } = spec.task;
  if (typeof price !== "object" || price === null || Array.isArray(price)) return null;
  const { inputPerMillion, outputPerMillion } = price as { readonly [key: string]: unknown };
  if (typeof inputPerMillion !== "number" || typeof outputPerMillion !== "number") return null;
  return { inputPerMillion, outputPerMillion };
}

export function dollarsOf(usage: Usage, price: Price): number {
  const millionths = usage.inputTokens * price.inputPerMillion + usage.outputTokens * price.outputPerMillion;
  return millionths / 1_000_000;
}

/** Dollars of tokens of which it is not known which they are: at the dearer price. */
export function dollarsAtMost(tokens: number, price: Price): number {
  return (tokens * Math.max(price.inputPerMillion, price.outputPerMillion)) / 1_000_000;
}
