import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { planRun } from "../../src/background/planner.ts";
import type { CostedAsk, SyncAnswer } from "../../src/core/protocol.ts";
import type { RunView } from "../../src/core/run/runView.ts";
import { runById } from "../../src/objects/runStub.ts";
import { decodePart, encodePart, usageOfRows } from "../../src/storage/rows/parts.ts";
import { report, spec } from "../support/coreRun.ts";
import { answer, call } from "./callApi.ts";
import { ended, numbers } from "./runsOverApi.ts";
import { GENERATION } from "./workByHand.ts";

const TOKENS = { requests: null, burst: null, tokens: "60/min", tokenBurst: null };

function asking(call: number, input: number): CostedAsk {
  const held = { calls: 0, tokens: 0 };
  return { waiting: [{ call, input, output: 0 }], held, settled: [], told: null };
}

describe("a Run whose permits cost tokens", () => {
  it("issues nothing twice when it restarts, and still knows what was used", async () => {
    const id = "r_tokens";
    await runById(env, id).create({
      runId: id,
      rootId: id,
      parentRunId: null,
      spec: spec({ source: { kind: "items", items: ["a", "b"] }, task: { kind: "llm" }, quota: TOKENS }),
      itemSource: { kind: "items", items: ["a", "b"] },
      generation: GENERATION,
      createdAtMs: Date.now(),
    });
    await planRun(env, id);
    const sync = (seq: number, costed: CostedAsk, usage = { inputTokens: 0, outputTokens: 0 }) =>
      runById(env, id).sync({
        invocation: "hand",
        seq,
        queue: 0,
        generation: GENERATION,
        capacity: 1,
        held: [],
        want: 0,
        costed,
        report: report({ calls: 1, answered: 1, usage }),
        commits: [],
        indexed: [],
        announce: [],
        settingsVersion: 0,
      });
    const first: SyncAnswer = await sync(1, asking(1, 50), { inputTokens: 5, outputTokens: 6 });
    expect(first.costed?.granted).toMatchObject([{ call: 1, cost: 50 }]);
    await evictDurableObject(env.RUN.getByName(id));
    const second: SyncAnswer = await sync(2, asking(2, 1));
    expect(second.costed?.granted).toEqual([]);
    expect(second.costed?.askAgainInMs).toBeGreaterThan(40_000);
    const view = await runById(env, id).view();
    expect(view?.usage?.spent).toMatchObject({ inputTokens: 5, outputTokens: 6, calls: 2 });
  });
});

describe("a budget over REST", () => {
  it("pauses a run after as many calls as it has, is raised, and the run goes on", async () => {
    const source = { kind: "items", items: numbers(12) };
    const task = { kind: "http", url: "https://target.test/healed/{{item}}" };
    const started = await call("POST", "/v1/runs", { source, task, chunkSize: 2, budget: { calls: 5 } });
    const { id } = (await answer<RunView>(started)).body;
    const look = async () => (await answer<RunView>(await call("GET", `/v1/runs/${id}`))).body;
    let view = await look();
    for (let looks = 0; view.status !== "paused" && looks < 1000; looks++) {
      await scheduler.wait(10);
      view = await look();
    }
    expect(view.why).toMatch(/the budget of 5 calls is reached: 5 calls used/);
    const refused = await answer(await call("PATCH", `/v1/runs/${id}`, { budget: { dollars: 5 } }));
    expect([refused.status, refused.body.error.message]).toEqual([
      409,
      expect.stringContaining("task.price"),
    ]);
    expect((await call("PATCH", `/v1/runs/${id}`, { budget: { calls: 100 } })).status).toBe(200);
    await call("POST", `/v1/runs/${id}/resume`);
    view = await ended(id);
    expect([view.status, view.counts.ok, view.usage?.spent.calls]).toEqual(["completed", 12, 12]);
  });
});

describe("a part", () => {
  it("says the tokens of its rows also to a lane that finds it", () => {
    const usage = { inputTokens: 3, outputTokens: 4 };
    const row = { index: 0, item: "a", ok: true, attempts: 1, throttles: 0, usage, value: null };
    const none = { index: 1, item: "b", ok: true, attempts: 1, throttles: 0, value: null };
    const lines = [row, row, none].map((each) => ({
      index: each.index,
      ok: true,
      line: JSON.stringify(each),
    }));
    expect(usageOfRows(decodePart(encodePart(lines)))).toEqual({ inputTokens: 6, outputTokens: 8 });
    expect(usageOfRows([])).toBeUndefined();
  });
});
