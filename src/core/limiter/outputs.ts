/**
 * How long answers get: the 95th percentile of the outputs seen lately, which is what the next call reserves.
 *
 * Bounded: the last `OUTPUTS_KEPT` answers. Before `OUTPUTS_TO_LEARN` of them nothing is known and a call reserves what
 * it asked for at most.
 */
import { OUTPUTS_KEPT, OUTPUTS_TO_LEARN } from "../limits.ts";

/** Output tokens of the last answers, oldest first. */
export type Outputs = readonly number[];

export function observeOutput(outputs: Outputs, tokens: number): Outputs {
  return [...outputs.slice(-(OUTPUTS_KEPT - 1)), tokens];
}

/** The 95th percentile; null before enough was seen. */
export function expectedOutput(outputs: Outputs): number | null {
  if (outputs.length < OUTPUTS_TO_LEARN) return null;
  const sorted = [...outputs].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? null;
}
