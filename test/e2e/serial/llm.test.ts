/** Prompts through the real command to an endpoint that enforces tokens a minute and counts what it was sent. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunView } from "../../../src/core/run/runView.ts";
import { tokensOf } from "../../../src/core/usage.ts";
import { promptOf } from "../../support/prompts.ts";
import { spawnTokenTarget, type TokenTarget, type TokenTargetOptions } from "../../support/tokenTarget.ts";
import { until } from "../../support/until.ts";
import { type TestRow, Workspace } from "../../support/weir.ts";

const KEY = "sk-e2e-0123456789";
const ENV = { WEIR_SECRET_LLM_KEY: KEY };
const ITEMS = 60;
const LANES = 20;
const MAX_TOKENS = 300;
const SCHEMA = {
  type: "object",
  properties: { label: { enum: ["good", "bad"] }, words: { type: "integer" } },
  required: ["label", "words"],
};

let workspace: Workspace;
let target: TokenTarget;

beforeEach(() => {
  workspace = new Workspace();
});
afterEach(async () => {
  await workspace.close();
  await target.close();
});

async function serve(change: Partial<TokenTargetOptions> = {}): Promise<void> {
  target = await spawnTokenTarget({
    tokensPerMinute: 600_000,
    burst: 40_000,
    authorization: `Bearer ${KEY}`,
    saysRemaining: true,
    msPerToken: 2,
    ...change,
  });
}

function writeSpec(change: Record<string, unknown> = {}, task: Record<string, unknown> = {}): void {
  const items = Array.from({ length: ITEMS }, (_, at) => ({ text: promptOf(at, 100, 1000) }));
  const spec = {
    source: { kind: "items", items },
    task: {
      kind: "llm",
      url: target.url,
      model: "gpt-4o-mini",
      apiKey: "{{secret:LLM_KEY}}",
      system: "Answer in JSON.",
      prompt: "Judge this review: {{item.text}}",
      maxTokens: MAX_TOKENS,
      price: { inputPerMillion: 0.15, outputPerMillion: 0.6 },
      ...task,
    },
    chunkSize: 3,
    maxParallelism: LANES,
    retry: { baseDelayMs: 50 },
    quota: { tokens: "600000/min", tokenBurst: 20000 },
    ...change,
  };
  workspace.write("spec.json", JSON.stringify(spec));
}

interface UsageRow extends TestRow {
  readonly usage?: { readonly inputTokens: number; readonly outputTokens: number };
}

function sumOfRows(): { inputTokens: number; outputTokens: number } {
  const rows = workspace.rows("rows.jsonl") as UsageRow[];
  expect(rows.map(({ index }) => index)).toEqual(Array.from({ length: ITEMS }, (_, at) => at));
  let [inputTokens, outputTokens] = [0, 0];
  for (const { usage } of rows) {
    inputTokens += usage?.inputTokens ?? 0;
    outputTokens += usage?.outputTokens ?? 0;
  }
  return { inputTokens, outputTokens };
}

describe("llm", () => {
  test("keeps an endpoint's tokens a minute, and says what rows and failed tries used", async () => {
    await serve({ proseEvery: 10 });
    writeSpec({}, { schema: SCHEMA });
    const done = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl", "--json"], ENV);
    expect(done.exitCode, done.stderr).toBe(0);
    const stats = await target.stats();
    expect([stats.rejected, stats.accepted > ITEMS], "some answers were prose").toEqual([0, true]);
    const { usage } = JSON.parse(done.stdout) as RunView;
    const { inputTokens, outputTokens } = stats;
    expect(usage?.spent).toMatchObject({
      calls: stats.calls,
      inputTokens,
      outputTokens,
      unreportedTokens: 0,
    });
    expect(usage?.rows).toMatchObject(sumOfRows());
    expect(usage?.spent.dollars).toBeCloseTo((inputTokens * 0.15 + outputTokens * 0.6) / 1e6, 9);
    expect(workspace.rows("rows.jsonl")[0]?.value).toEqual({
      json: { label: "good", words: 3 },
      finish: "stop",
    });
    expect(done.stderr).toMatch(
      /tokens: [\d,]+ in, [\d,]+ out, \$0\.\d{4}; [\d,]+ of them for tries that gave no row/,
    );
    expect(done.stdout + done.stderr + workspace.read("rows.jsonl")).not.toContain(KEY);
  });

  test("pauses at its budget, ends with 5, and goes on when the budget is raised", async () => {
    await serve();
    writeSpec({ budget: { tokens: 15_000 } });
    const paused = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl", "--json"], ENV);
    expect(paused.exitCode, paused.stderr).toBe(5);
    const { id, why, usage } = JSON.parse(paused.stdout) as RunView;
    expect(why).toMatch(/the budget of 15,000 tokens is reached/);
    expect(why).toContain(`weir set ${id} --budget-tokens N`);
    const before = await target.stats();
    const used = before.inputTokens + before.outputTokens;
    // What calls under way use beyond their reservation, at most.
    expect(used).toBeLessThanOrEqual(15_000 + LANES * MAX_TOKENS);
    expect(used).toBeGreaterThan(10_000);
    expect(tokensOf(usage!.spent)).toBe(used);

    const raised = await workspace.weir(["set", id, "--budget-tokens", "10000000"], ENV);
    expect(raised.exitCode, raised.stderr).toBe(0);
    const resumed = await workspace.weir(["run", "--resume", id, "--out", "rows.jsonl", "--json"], ENV);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    const after = await target.stats();
    expect([after.accepted, after.rejected]).toEqual([ITEMS, 0]);
    const all = (JSON.parse(resumed.stdout) as RunView).usage;
    expect(tokensOf(all!.rows)).toBe(after.inputTokens + after.outputTokens);
    expect(all?.rows).toMatchObject(sumOfRows());
  });

  test("counts the tokens of every row once, after a kill -9 too", async () => {
    await serve({ tokensPerMinute: 300_000 });
    writeSpec({ quota: { tokens: "300000/min" }, checkpoint: { items: 1 } });
    const killed = workspace.start(["run", "spec.json", "--out", "rows.jsonl"], ENV);
    const id = await killed.runId();
    await until("a third of the calls", async () => (await target.stats()).accepted > ITEMS / 3);
    workspace.note(killed.tree());
    killed.child.kill("SIGKILL");
    await killed.finished();
    const resumed = await workspace.weir(["run", "--resume", id, "--out", "rows.jsonl", "--json"], ENV);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    const { usage } = JSON.parse(resumed.stdout) as RunView;
    expect(usage?.rows).toMatchObject(sumOfRows());
    expect((await target.stats()).rejected).toBe(0);
  });

  test("fails an item that is dearer than the target tolerates, without a call, and plans by the first item", async () => {
    await serve();
    writeSpec({ quota: { tokens: "600000/min", tokenBurst: 900 } });
    const plan = await workspace.weir(["plan", "spec.json"], ENV);
    expect(plan.stdout).toMatch(/judged by the first item, which reserves \d+ tokens/);
    expect(plan.stdout).toMatch(
      /prompts: [\d,]+ tokens in, at most 18,000 out: \$0\.\d{4} to \$0\.\d{4}, one call an item\n/,
    );
    const done = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"], ENV);
    expect(done.exitCode, done.stderr).toBe(3);
    const failed = workspace.rows("rows.jsonl").filter(({ ok }) => !ok);
    expect(failed.length).toBeGreaterThan(0);
    for (const { attempts, error } of failed) {
      expect([attempts, error?.kind]).toEqual([0, "budget"]);
      expect(error?.message).toMatch(/needs [\d,]+ tokens .*more than 900, quota.tokenBurst/);
    }
    expect((await target.stats()).calls).toBe(ITEMS - failed.length);
  });
});
