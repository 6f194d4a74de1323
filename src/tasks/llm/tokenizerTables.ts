/** The tokenizer's tables as the Worker carries them when it is deployed: modules, read when the first is needed. */
import type { Encoding } from "./tokenizer.ts";

/** Tokens by rank: text, or bytes where those are not text. */
export type Ranks = readonly (string | readonly number[])[];

export async function ranksOf(encoding: Encoding): Promise<Ranks> {
  const { default: ranks } =
    encoding === "cl100k_base"
      ? await import("gpt-tokenizer/bpeRanks/cl100k_base")
      : await import("gpt-tokenizer/bpeRanks/o200k_base");
  return ranks;
}
