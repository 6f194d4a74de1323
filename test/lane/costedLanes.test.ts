import { describe, expect, it } from "vitest";
import type { Spec } from "../../src/core/spec.ts";
import { tokensOf } from "../../src/core/usage.ts";
import type { TaskOutcome } from "../../src/tasks/task.ts";
import { LaneWorld, type WorldOptions } from "../support/laneWorld.ts";

const TOKENS: Spec["quota"] = { requests: null, burst: null, tokens: "60000/min", tokenBurst: null };

/** Tenfold: 100 to 1,000 tokens. */
const input = (index: number) => 100 + ((index * 337) % 901);
const output = (index: number) => 20 + ((index * 91) % 180);

function answered(index: number): TaskOutcome {
  const usage = { inputTokens: input(index), outputTokens: output(index) };
  return { kind: "ok", value: null, status: 200, usage };
}

function world(change: Partial<WorldOptions> = {}): LaneWorld {
  return new LaneWorld({
    items: 150,
    cost: (index) => ({ input: input(index), output: 400 }),
    latencyMs: [300, 4000],
    outcome: answered,
    ...change,
    spec: { chunkSize: 5, maxParallelism: 20, quota: TOKENS, task: { kind: "llm" }, ...change.spec },
  });
}

/** Tokens that the calls used, from the first to the last. */
function use(calls: LaneWorld["calls"], perSecond: number): number {
  const used = calls.slice(0, -1).reduce((sum, { index }) => sum + input(index) + output(index), 0);
  return used / (((calls.at(-1)!.atMs - calls[0]!.atMs) / 1000) * perSecond);
}

/** The most that was used in any window beyond what the rate brings. */
function neededBurst(calls: LaneWorld["calls"], perSecond: number): number {
  let level = 0;
  let most = 0;
  let beforeMs = calls[0]!.atMs;
  for (const { index, atMs } of calls) {
    level = Math.max(0, level - ((atMs - beforeMs) * perSecond) / 1000) + input(index) + output(index);
    beforeMs = atMs;
    most = Math.max(most, level);
  }
  return most;
}

function expectOneRowEach(of: LaneWorld, items: number): void {
  expect(
    of
      .rows()
      .map(({ index }) => index)
      .sort((a, b) => a - b),
  ).toEqual([...Array(items).keys()]);
}

describe("lanes whose calls cost tokens", () => {
  it("use nine tenths of the quota with prompts whose length varies tenfold, and need a small burst", async () => {
    const run = world();
    run.keep(4);
    await run.untilEnded();
    expectOneRowEach(run, 150);
    expect(use(run.calls, 1000)).toBeGreaterThan(0.9);
    expect(use(run.calls, 1000)).toBeLessThanOrEqual(1.001);
    expect(neededBurst(run.calls, 1000)).toBeLessThan(6000);
    const { rows, spent } = run.run.state.usage;
    expect(rows).toEqual({ inputTokens: spent.inputTokens, outputTokens: spent.outputTokens });
    expect(spent).toMatchObject({ calls: 150, unreportedTokens: 0 });
  });

  it("keep a rate of requests at the same time", async () => {
    const run = world({ items: 60, spec: { quota: { ...TOKENS!, requests: "1/s" } } });
    run.keep(4);
    await run.untilEnded();
    const times = run.callTimes();
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(59 * 999);
    expectOneRowEach(run, 60);
  });

  it("pause before a budget is passed, with the calls of every invocation counted", async () => {
    const budget = { tokens: 20_000, calls: null, dollars: null };
    const run = world({ spec: { budget, quota: null } });
    for (let i = 0; i < 4; i++) void run.invoke();
    await run.untilEnded();
    expect(run.run.state.status).toBe("paused");
    const used = run.calls.reduce((sum, { index }) => sum + input(index) + output(index), 0);
    expect(used).toBeLessThanOrEqual(20_000);
    expect(used).toBeGreaterThan(18_000);
    expect(tokensOf(run.run.state.usage.rows)).toBe(used);
  });

  it("make exactly as many calls as the budget has", async () => {
    const run = world({ spec: { budget: { tokens: null, calls: 33, dollars: null }, quota: null } });
    for (let i = 0; i < 4; i++) void run.invoke();
    await run.untilEnded();
    expect(run.calls).toHaveLength(33);
    expect(run.run.state.status).toBe("paused");
  });

  it("spend tokens of failed tries once, and count them apart from the rows'", async () => {
    const unfit = {
      kind: "transient",
      errorKind: "parse",
      message: "no JSON",
      status: 200,
      retryAfterMs: null,
    } as const;
    const run = world({
      items: 30,
      outcome: (index, tryNumber) =>
        tryNumber === 1 && index % 3 === 0
          ? { ...unfit, usage: { inputTokens: 50, outputTokens: 5 } }
          : answered(index),
    });
    run.keep(2);
    await run.untilEnded();
    expectOneRowEach(run, 30);
    const { rows, spent } = run.run.state.usage;
    expect(spent.inputTokens - rows.inputTokens).toBe(10 * 50);
    expect(spent.outputTokens - rows.outputTokens).toBe(10 * 5);
  });

  it("lose neither a call nor a token to requests and answers that get lost", async () => {
    let requests = 0;
    const run = world({
      items: 60,
      network: (which) => {
        if (which === "answer" && ++requests % 7 === 0) throw new Error("lost");
      },
    });
    run.keep(3);
    await run.untilEnded();
    expectOneRowEach(run, 60);
    expect(run.calls).toHaveLength(60);
    expect(neededBurst(run.calls, 1000)).toBeLessThan(6000);
  });

  it("fail an item that is dearer than the target tolerates, without a call", async () => {
    const run = world({ items: 20, spec: { quota: { ...TOKENS!, tokenBurst: 900 } } });
    run.keep(2);
    await run.untilEnded();
    const rows = run.rows().map(({ line }) => JSON.parse(line) as { ok: boolean; error?: { kind: string } });
    expect(rows).toHaveLength(20);
    const failed = rows.filter(({ ok }) => !ok);
    expect(failed.length).toBeGreaterThan(2);
  });
});
