/**
 * What the prompts of a planned run will cost at the target: their tokens are counted over all items where there are
 * few, else over the first ones and reckoned for the rest; answers are at most `maxTokens` each. One call an item:
 * what is tried again comes on top.
 */
import { PROMPTS_COUNTED, PROMPTS_COUNTED_CHARS } from "../core/limits.ts";
import type { PromptCost } from "../core/plan/promptCost.ts";
import { dollarsOf, priceOf } from "../core/usage.ts";
import type { Env } from "../objects/env.ts";
import type { ReadySpec } from "../runs/startRun.ts";
import { sourceRegistry } from "../sources/registry.ts";
import { taskOf } from "../tasks/registry.ts";

/** Null where the task counts no tokens, or how many items there are is not known. */
export async function promptCost(env: Env, ready: ReadySpec): Promise<PromptCost | null> {
  const { spec, items } = ready;
  const task = taskOf(spec.task.kind);
  if (task?.costOf === undefined || task.countsTokens !== true || items === null) return null;
  let counted = 0;
  let inputTokens = 0;
  let output: number | null = 0;
  for await (const item of firstItems(env, ready)) {
    // An item that cannot be made a prompt is not called.
    const cost = await task.costOf(spec.task, item).catch(() => null);
    counted += 1;
    inputTokens += cost?.input ?? 0;
    if (cost !== null) output = output === null || cost.output === null ? null : output + cost.output;
  }
  if (counted === 0) return null;
  const forAll = (tokens: number) => Math.round((tokens * items) / counted);
  const input = forAll(inputTokens);
  const outputTokensMost = output === null ? null : forAll(output);
  const price = priceOf(spec);
  const dollars = (outputTokens: number | null) =>
    price === null || outputTokens === null ? null : dollarsOf({ inputTokens: input, outputTokens }, price);
  return {
    counted,
    inputTokens: input,
    outputTokensMost,
    dollarsLeast: dollars(0),
    dollarsMost: dollars(outputTokensMost),
  };
}

async function* firstItems(env: Env, { spec, itemSource }: ReadySpec) {
  const source = sourceRegistry[spec.source.kind];
  if (source === undefined) return;
  const context = { env, run: "", count: () => {} };
  const { chunks } = await source.plan(spec.source, PROMPTS_COUNTED, null, context);
  const [chunk] = chunks;
  const reader = sourceRegistry[itemSource.kind];
  if (chunk === undefined || reader === undefined) return;
  let chars = 0;
  for await (const item of reader.read(itemSource, chunk, { ordinal: 0, position: null }, context)) {
    if (item.invalid === undefined) yield item.value;
    chars += JSON.stringify(item.value).length;
    if (item.ordinal + 1 >= PROMPTS_COUNTED || chars > PROMPTS_COUNTED_CHARS) return;
  }
}
