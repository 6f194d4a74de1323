import { describe, expect, it } from "vitest";
import { PROMPTS_COUNTED } from "../../src/core/limits.ts";
import type { PromptCost } from "../../src/core/plan/promptCost.ts";
import { answer, call } from "./callApi.ts";

const price = { inputPerMillion: 1, outputPerMillion: 10 };
const task = {
  kind: "llm",
  url: "https://llm.test/v1",
  model: "gpt-4o",
  prompt: "{{item}}",
  maxTokens: 50,
  price,
};

/** What a plan says of the prompts. */
async function run(
  items: readonly unknown[],
  change: Record<string, unknown> = {},
): Promise<PromptCost | null> {
  const spec = { source: { kind: "items", items }, task: { ...task, ...change } };
  const { status, body } = await answer<{ prompts: PromptCost | null }>(
    await call("POST", "/v1/plans", spec),
  );
  expect(status).toBe(200);
  return body.prompts;
}

describe("the cost of planned prompts", () => {
  it("is counted over all of them where they are few, and bounded by maxTokens", async () => {
    const one = await run(["a word"]);
    const two = await run(["a word", "word ".repeat(1000)]);
    expect(one).toMatchObject({ counted: 1, outputTokensMost: 50 });
    expect(two).toMatchObject({ counted: 2, outputTokensMost: 100 });
    expect(two?.inputTokens).toBeGreaterThan((one?.inputTokens ?? 0) + 1000);
    expect(two?.dollarsLeast).toBeCloseTo((two?.inputTokens ?? 0) / 1e6, 9);
    expect(two?.dollarsMost).toBeCloseTo(((two?.inputTokens ?? 0) + 1000) / 1e6, 9);
  });

  it("is reckoned from the first of many", async () => {
    const items = Array.from({ length: 5 * PROMPTS_COUNTED }, () => "a word");
    const [one, all] = [await run(["a word"]), await run(items)];
    expect(all).toMatchObject({ counted: PROMPTS_COUNTED, outputTokensMost: 50 * items.length });
    expect(all?.inputTokens).toBe((one?.inputTokens ?? 0) * items.length);
  });

  it("has no upper end where answers have none, and no dollars without a price", async () => {
    expect(await run(["a"], { maxTokens: null })).toMatchObject({
      outputTokensMost: null,
      dollarsMost: null,
    });
    expect(await run(["a"], { price: null })).toMatchObject({ dollarsLeast: null, dollarsMost: null });
  });

  it("is not said of tasks that count no tokens", async () => {
    const http = { kind: "http", url: "https://target.test/{{item}}" };
    const spec = { source: { kind: "items", items: ["a"] }, task: http };
    const { body } = await answer<{ prompts: null }>(await call("POST", "/v1/plans", spec));
    expect(body.prompts).toBeNull();
  });
});
