/** The line of a plan about what its prompts will cost at the target. */
import type { PromptCost } from "../../core/plan/promptCost.ts";
import { count, counted } from "./printable.ts";

/** One call an item; what is tried again comes on top. */
export function promptLine(prompts: PromptCost, items: number): string {
  const { counted: of, inputTokens, outputTokensMost, dollarsLeast, dollarsMost } = prompts;
  const isWhole = of >= items;
  const input = `${isWhole ? "" : "about "}${count(inputTokens)} tokens in`;
  const output =
    outputTokensMost === null
      ? "answers without a bound (task.maxTokens)"
      : `at most ${count(outputTokensMost)} out`;
  const least = dollarsLeast === null ? null : `$${dollarsLeast.toFixed(4)}`;
  const most = dollarsMost === null ? null : `$${dollarsMost.toFixed(4)}`;
  const price = least === null ? "; task.price would say what they cost" : priced(least, most);
  const judged = isWhole ? "" : `, judged by the first ${counted(of, "item")}`;
  return `prompts: ${input}, ${output}${price}, one call an item${judged}`;
}

function priced(least: string, most: string | null): string {
  return most === null ? `: ${least} and what the answers cost` : `: ${least} to ${most}`;
}
