/** Lanes whose calls are for many hosts: real lanes and a real Run core in virtual time. */
import { describe, expect, it } from "vitest";
import { why } from "../../src/core/run/why.ts";
import type { TaskOutcome } from "../../src/tasks/task.ts";
import { LaneWorld, type WorldOptions } from "../support/laneWorld.ts";
import { neededBurst } from "../support/neededBurst.ts";

const OK: TaskOutcome = { kind: "ok", value: null, status: 200 };
const DOWN: TaskOutcome = { kind: "transient", errorKind: "network", message: "refused", retryAfterMs: null };
const TOO_MANY: TaskOutcome = { kind: "throttled", message: "429", status: 429, retryAfterMs: 20_000 };

const lateTimers = (random: () => number) => (random() < 0.01 ? 30 * random() : 1.5 * random());

/** Items over hosts by `hostOf`, each host once a second, eight lanes in two invocations. */
function hostWorld(hostOf: (index: number) => number, change: Partial<WorldOptions> = {}): LaneWorld {
  return new LaneWorld({
    items: 400,
    need: (index) => ({ host: `h${hostOf(index)}`, spacingMs: 0, isApart: true }),
    timerLateMs: lateTimers,
    ...change,
    spec: {
      chunkSize: 40,
      maxParallelism: 8,
      quota: { requests: "200/s", burst: null, perHost: "1/s" },
      retry: { maxAttempts: 3, baseDelayMs: 100, maxDelayMs: 400, maxThrottles: 4 },
      tolerate: { failureRate: 1, over: 1000, then: "pause" },
      ...change.spec,
    },
  });
}

async function finished(world: LaneWorld, limitMs = 900_000): Promise<void> {
  world.keep(4, 10_000);
  await world.untilEnded(limitMs);
  expect(world.rows().length).toBe(world.run.state.items);
  expect(new Set(world.rows().map((row) => row.index)).size).toBe(world.run.state.items);
}

function callsByHost(world: LaneWorld, hostOf: (index: number) => number): Map<number, number[]> {
  const calls = new Map<number, number[]>();
  for (const { index, atMs } of world.calls) {
    const host = hostOf(index);
    calls.set(host, [...(calls.get(host) ?? []), atMs]);
  }
  return calls;
}

function expectNoHostAbove(world: LaneWorld, hostOf: (index: number) => number, perSecond = 1): void {
  for (const times of callsByHost(world, hostOf).values()) {
    expect(neededBurst(times, perSecond)).toBeLessThanOrEqual(
      perSecond <= 1 ? 1 + 1e-6 : perSecond * 0.075 + 1,
    );
  }
}

describe("many hosts in one list", () => {
  it("are each called at their own rate, all at once when they are mixed", async () => {
    const hostOf = (index: number) => index % 20;
    const world = hostWorld(hostOf);
    await finished(world);
    expectNoHostAbove(world, hostOf);
    // 20 calls each, the first at once: 19 intervals of 1.04 s are the least.
    expect(Math.max(...world.callTimes())).toBeLessThan(19 * 1041 * 1.15);
    expect(world.calls).toHaveLength(400);
  });

  it("are not held back by one that has far more items", async () => {
    const hostOf = (index: number) => (index % 4 === 0 ? 0 : 1 + (index % 19));
    const world = hostWorld(hostOf);
    await finished(world);
    expectNoHostAbove(world, hostOf);
    const times = callsByHost(world, hostOf);
    const others = [...times].filter(([host]) => host !== 0).flatMap(([, calls]) => calls);
    expect(Math.max(...(times.get(0) ?? []))).toBeLessThan(100 * 1041 * 1.1);
    expect(Math.max(...others)).toBeLessThan(60_000);
  });

  it("are called at the same time although they stand one after another", async () => {
    const hostOf = (index: number) => Math.floor(index / 100);
    const world = hostWorld(hostOf, { spec: { chunkSize: 20, maxParallelism: 4 } });
    await finished(world);
    expectNoHostAbove(world, hostOf);
    // One after another it would be 416 s; a lane that serves one host's turns keeps them out of the way of others.
    expect(Math.max(...world.callTimes())).toBeLessThan(250_000);
    const times = callsByHost(world, hostOf);
    for (const host of [0, 1, 2, 3]) expect(times.get(host)?.[0]).toBeLessThan(60_000);
  });

  it("faster than once a second use their rate", async () => {
    const hostOf = (index: number) => index % 4;
    const world = hostWorld(hostOf, {
      items: 800,
      spec: { quota: { requests: "200/s", burst: null, perHost: "10/s" } },
    });
    await finished(world);
    expectNoHostAbove(world, hostOf, 10);
    expect(Math.max(...world.callTimes())).toBeLessThan(200 * 104 * 1.25);
  });

  it("share the run's own quota", async () => {
    const hostOf = (index: number) => index % 100;
    const world = hostWorld(hostOf, { spec: { quota: { requests: "20/s", burst: null, perHost: "1/s" } } });
    await finished(world);
    expectNoHostAbove(world, hostOf);
    expect(neededBurst(world.callTimes(), 20)).toBeLessThanOrEqual(20 * 0.075 + 1);
    expect(Math.max(...world.callTimes())).toBeLessThan(20_000 * 1.1);
  });
});

describe("a call for many items", () => {
  it("is put off as one when its host rests, and called once", async () => {
    const world = hostWorld(() => 0, { items: 100, batch: 10 });
    await finished(world);
    expect(world.calls).toHaveLength(10);
    expectNoHostAbove(world, () => 0);
  });
});

describe("why a run is slow", () => {
  it("names the hosts where their rates are the limit", async () => {
    const world = hostWorld((index) => index % 20);
    world.keep(4, 10_000);
    await world.time.runUntil(() => world.calls.length > 100, 60_000);
    const reader = { nowMs: world.time.nowMs, wallMs: world.time.nowMs, driven: true };
    expect(why(world.run, reader)).toBe("hosts: 20 hosts at 1/s each; quota.perHost is the limit");
  });
});

describe("a try with several calls", () => {
  it("waits for its host in its lane: each call is apart from the one before", async () => {
    const hostOf = (index: number) => index % 5;
    const world = hostWorld(hostOf, { items: 40, callsPerTry: 2 });
    await finished(world);
    expectNoHostAbove(world, hostOf);
    expect(world.calls).toHaveLength(80);
  });

  it("goes on when its invocation's slice ends", async () => {
    const hostOf = () => 0;
    const world = hostWorld(hostOf, {
      items: 6,
      callsPerTry: 2,
      need: () => ({ host: "h0", spacingMs: 15_000, isApart: true }),
    });
    await finished(world);
    expect(world.calls).toHaveLength(12);
  });
});

describe("a host that stands for itself", () => {
  it("is left alone when it throttles, and no other is", async () => {
    const hostOf = (index: number) => index % 10;
    const isBusy = (index: number, atMs: number) => hostOf(index) === 0 && atMs < 15_000;
    const world = hostWorld(hostOf, {
      items: 200,
      outcome: (index, _try, atMs) => (isBusy(index, atMs) ? TOO_MANY : OK),
    });
    await finished(world);
    const { counts, quota } = world.run.state;
    // Two invocations may each have found out before either could say.
    expect(counts.throttled).toBeLessThanOrEqual(2);
    expect(counts).toMatchObject({ ok: 200 });
    expect(quota.feedback.ratePerSecond).toBe(200);
    const times = callsByHost(world, hostOf);
    expect(times.get(0)?.[2] ?? 0).toBeGreaterThan(20_000);
    expect(Math.max(...(times.get(1) ?? []))).toBeLessThan(30_000);
  });

  it("ends in failed rows when it is down, however many of its items are left", async () => {
    const hostOf = (index: number) => (index < 60 ? 0 : index % 10);
    const world = hostWorld(hostOf, { items: 100, outcome: (index) => (hostOf(index) === 0 ? DOWN : OK) });
    await finished(world);
    const down = [...Array(100).keys()].filter((index) => hostOf(index) === 0).length;
    expect(world.run.state.counts).toMatchObject({ ok: 100 - down, failed: down });
    expect(world.run.state.quota.circuit.open).toBeNull();
  });
});
