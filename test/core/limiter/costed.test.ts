import { describe, expect, it } from "vitest";
import type { CostedAsk } from "../../../src/core/protocol.ts";
import { patch, resume } from "../../../src/core/run/run.ts";
import { view } from "../../../src/core/run/view.ts";
import { SPEC_DEFAULTS, type Spec } from "../../../src/core/spec.ts";
import { commitOf, Invocation, plannedRun, report } from "../../support/coreRun.ts";

const TOKENS: Spec["quota"] = { requests: null, burst: null, tokens: "60000/min", tokenBurst: null };
const TASK = { kind: "llm", price: { inputPerMillion: 10, outputPerMillion: 20 } } as const;

function waiting(...calls: readonly (readonly [call: number, input: number])[]): CostedAsk {
  return {
    waiting: calls.map(([call, input]) => ({ call, input, output: 0 })),
    held: { calls: 0, tokens: 0 },
    settled: [],
    told: null,
  };
}

function costedRun(change: Partial<Spec> = {}) {
  return plannedRun(100, { chunkSize: 1, quota: TOKENS, task: TASK, ...change });
}

function reader(nowMs: number) {
  return { nowMs, wallMs: nowMs, driven: true };
}

describe("permits with a cost", () => {
  it("are granted by name, as many as lie within the depth", () => {
    const lane = new Invocation(costedRun(), "a");
    const { costed, grant } = lane.ask(0, { costed: waiting([1, 1000], [2, 100], [3, 2000], [4, 10]) });
    expect(grant.kind).toBe("deferred");
    expect(costed?.granted.map(({ call, cost }) => [call, cost])).toEqual([
      [1, 1000],
      [2, 100],
      [3, 2000],
    ]);
    expect(costed?.granted.map(({ inMs }) => Math.round(inMs / 10))).toEqual([0, 100, 110]);
    expect(costed?.askAgainInMs).toBeCloseTo(3103 - 1500, -1);
  });

  it("go to whoever has waited longest, in whichever invocation, and a dear call is not passed over", () => {
    const run = costedRun();
    const [first, second] = [new Invocation(run, "first"), new Invocation(run, "second")];
    first.ask(0, { costed: waiting([1, 5000]) });
    expect(first.ask(1, { costed: waiting([2, 20_000]) }).costed?.granted).toEqual([]);
    expect(second.ask(2, { costed: waiting([1, 10], [2, 10]) }).costed?.granted).toEqual([]);
    for (const nowMs of [1000, 2000, 3000]) first.ask(nowMs, { costed: waiting([2, 20_000]) });
    // The instant after the first call is the dear one's, although the cheap ones ask before it does.
    const early = second.ask(3700, { costed: waiting([1, 10], [2, 10]) });
    expect(early.costed?.granted).toEqual([]);
    const dear = first.ask(3800, { costed: waiting([2, 20_000]) });
    expect(dear.costed?.granted).toMatchObject([{ call: 2, cost: 20_000 }]);
    const later = second.ask(24_000, { costed: waiting([1, 10], [2, 10]) });
    expect(later.costed?.granted).toHaveLength(2);
  });

  it("do not wait for an invocation that is not heard of any more", () => {
    const run = costedRun();
    const [gone, other] = [new Invocation(run, "gone"), new Invocation(run, "other")];
    gone.ask(0, { costed: waiting([1, 3000]) });
    gone.ask(1, { costed: waiting([2, 50_000]) });
    other.ask(2, { costed: waiting([1, 10]) });
    other.ask(1000, { costed: waiting([1, 10]) });
    expect(other.ask(2500, { costed: waiting([1, 10]) }).costed?.granted).toHaveLength(1);
  });

  it("refuse what can never be granted, and go on with the next", () => {
    const lane = new Invocation(costedRun({ quota: { ...TOKENS!, tokenBurst: 500 } }), "a");
    const { costed } = lane.ask(0, { costed: waiting([1, 600], [2, 400]) });
    expect(costed?.impossible).toMatchObject([
      { call: 1, message: expect.stringMatching(/600 tokens.*500/) },
    ]);
    expect(costed?.granted).toMatchObject([{ call: 2 }]);
  });

  it("send one probe while the target is down", () => {
    const run = costedRun();
    const lane = new Invocation(run, "a");
    const troubles = Array.from({ length: 10 }, (_, index) => ({
      kind: "down" as const,
      index,
      epoch: 1,
      retryAfterMs: null,
      probe: false,
    }));
    const down = lane.ask(0, {
      report: report({ troubles, troublesSinceAnswer: 10 }),
      costed: waiting([1, 10], [2, 10]),
    });
    expect(down.costed?.granted).toEqual([]);
    const probing = lane.ask(1500, { costed: waiting([1, 10], [2, 10]) });
    expect(probing.costed?.granted).toMatchObject([{ call: 1, probe: true }]);
    expect(lane.ask(1600, { costed: waiting([2, 10]) }).costed?.granted).toEqual([]);
  });
});

describe("a budget", () => {
  it("is never passed by what is reserved, and pauses the run when the next call would pass it", () => {
    const run = costedRun({ budget: { tokens: 2500, calls: null, dollars: null } });
    const lane = new Invocation(run, "a");
    const first = lane.ask(0, { costed: waiting([1, 1000], [2, 1000], [3, 1000]) });
    expect(first.costed?.granted).toHaveLength(2);
    expect(run.state.status).toBe("running");
    const held = { calls: 0, tokens: 2000 };
    lane.ask(1000, { costed: { ...waiting([3, 1000]), held }, report: report({ calls: 2 }) });
    expect(run.state.status).toBe("running");
    const usage = { inputTokens: 2000, outputTokens: 0 };
    lane.ask(2000, { costed: waiting([3, 1000]), report: report({ answered: 2, usage }) });
    expect(run.state.status).toBe("paused");
    expect(view(run, reader(2000)).why).toMatch(
      /paused: the budget of 2,500 tokens is reached: 2,000 tokens used.*weir set r_1 --budget-tokens N/,
    );
  });

  it("goes on when it was raised", () => {
    const run = costedRun({ budget: { tokens: null, calls: 1, dollars: null } });
    const lane = new Invocation(run, "a");
    lane.ask(0, { costed: waiting([1, 10]) });
    lane.ask(1000, { costed: waiting([2, 10]), report: report({ calls: 1, answered: 1 }) });
    expect(run.state.status).toBe("paused");
    patch(run, { budget: { calls: 2 } }, SPEC_DEFAULTS, { nowMs: 1500, wallMs: 1500 });
    resume(run, "1", 1500);
    expect(lane.ask(2000, { costed: waiting([2, 10]) }).costed?.granted).toHaveLength(1);
    patch(run, { budget: { calls: null } }, SPEC_DEFAULTS, { nowMs: 1500, wallMs: 1500 });
    expect(run.state.spec.budget).toBeNull();
  });

  it("counts dollars by the price of the task, and what nobody reported at the dearer price", () => {
    const run = costedRun({ budget: { tokens: null, calls: null, dollars: 0.03 } });
    const lane = new Invocation(run, "a");
    const usage = { inputTokens: 1000, outputTokens: 500 };
    const settled = [{ reserved: 100, usage: null, unreported: true }];
    lane.ask(0, { report: report({ calls: 2, usage }), costed: { ...waiting(), settled } });
    const seen = view(run, reader(0)).usage;
    expect(seen?.spent).toMatchObject({
      calls: 2,
      inputTokens: 1000,
      outputTokens: 500,
      unreportedTokens: 100,
    });
    expect(seen?.spent.dollars).toBeCloseTo(0.022, 9);
    expect(lane.ask(1, { costed: waiting([1, 500]) }).costed?.granted).toEqual([]);
    expect(run.state.status).toBe("paused");
  });

  it("counts what a dead invocation held as spent", () => {
    const run = costedRun({ budget: { tokens: 100_000, calls: null, dollars: null } });
    new Invocation(run, "dead").ask(0, { costed: waiting([1, 700]) });
    const other = new Invocation(run, "other");
    for (let s = 0; s < 90; s++) other.ask(s * 1000);
    run.dispatch.invocations.delete("dead");
    other.ask(91_000);
    expect(run.state.usage.spent.unreportedTokens).toBe(700);
  });
});

describe("the tokens of rows", () => {
  it("are counted once with their part, however often its commit is repeated", () => {
    const run = costedRun();
    const lane = new Invocation(run, "a");
    const [lease] = lane.ask(0).leases;
    const usage = { inputTokens: 70, outputTokens: 30 };
    const commits = [commitOf(lease!, 1, { usage, release: false })];
    lane.ask(1, { commits });
    lane.ask(2, { commits });
    expect(run.state.usage.rows).toEqual(usage);
    expect(view(plannedRun(1), reader(0)).usage).toBeNull();
  });
});
