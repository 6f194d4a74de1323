import { describe, expect, it } from "vitest";
import type { SyncRequest } from "../../src/core/protocol.ts";
import type { MemoryLedger } from "../../src/core/run/memoryLedger.ts";
import { pause, resume } from "../../src/core/run/run.ts";
import { why } from "../../src/core/run/why.ts";
import type { Spec } from "../../src/core/spec.ts";
import type { TaskOutcome } from "../../src/tasks/task.ts";
import { foreignPart, LaneWorld, type WorldOptions } from "../support/laneWorld.ts";
import { neededBurst } from "../support/neededBurst.ts";
import { seeded } from "../support/virtualTime.ts";

const OK: TaskOutcome = { kind: "ok", value: null, status: 200 };
const LOST: TaskOutcome = { kind: "transient", errorKind: "network", message: "lost", retryAfterMs: null };
const DOWN: TaskOutcome = { ...LOST, message: "refused", isUnreached: true };
const BAD_GATEWAY: TaskOutcome = { ...LOST, errorKind: "http", message: "502 Bad Gateway", status: 502 };
const TOO_MANY: TaskOutcome = { kind: "throttled", message: "429", status: 429, retryAfterMs: null };
const FORBIDDEN: TaskOutcome = {
  kind: "permanent",
  errorKind: "http",
  message: "401 Unauthorized",
  status: 401,
  refused: true,
  called: true,
};

const RETRY = { maxAttempts: 3, baseDelayMs: 100, maxDelayMs: 400, maxThrottles: 4 };

function quota(requests: string): Spec["quota"] {
  return { requests, burst: null };
}

/** Small chunks, four lanes in two invocations, no quota. */
function small(change: Partial<WorldOptions> = {}): WorldOptions {
  const spec = { chunkSize: 50, maxParallelism: 8, retry: RETRY, ...change.spec };
  return { items: 400, ...change, spec };
}

/** Every item has exactly one row, and the ledger counts as many. */
function expectOneRowEach(world: LaneWorld, items: number) {
  const times = new Array<number>(items).fill(0);
  for (const { index } of world.rows()) times[index] = (times[index] ?? 0) + 1;
  const wrong = times.flatMap((count, index) => (count === 1 ? [] : [`${index}: ${count} rows`]));
  expect(wrong.slice(0, 10)).toEqual([]);
  expect(world.run.state.counts.done).toBe(items);
}

function row(world: LaneWorld, index: number): Record<string, unknown> {
  const found = world.rows().find((candidate) => candidate.index === index);
  return JSON.parse(found?.line ?? "{}") as Record<string, unknown>;
}

/** Share of the rate used, and requests per call, between a fifth and seven tenths of the calls. */
function steady(world: LaneWorld, ratePerSecond: number) {
  const times = world.calls.map((call) => call.atMs);
  const fromMs = times[Math.floor(times.length * 0.2)] ?? 0;
  const toMs = times[Math.floor(times.length * 0.7)] ?? 0;
  const calls = times.length * 0.5;
  const requests = world.requestTimes.filter((atMs) => atMs >= fromMs && atMs < toMs).length;
  return { use: (calls / (toMs - fromMs) / ratePerSecond) * 1000, requestsPerCall: requests / calls };
}

/** Timers a little late always and much later now and then, as measured in workerd. */
const lateTimers = (random: () => number) => (random() < 0.01 ? 30 * random() : 1.5 * random());

describe("lanes at the quota", () => {
  it("uses 98 % of it with few requests and no burst: 100 lanes in 4 invocations", async () => {
    const world = new LaneWorld({
      items: 20_000,
      spec: { quota: quota("1000/s"), maxParallelism: 100, chunkSize: 200 },
      timerLateMs: lateTimers,
    });
    world.keep(4);
    await world.untilEnded();
    expectOneRowEach(world, 20_000);
    expect(steady(world, 1000).use).toBeGreaterThan(0.98);
    expect(world.requests.length / world.calls.length).toBeLessThan(0.05);
    expect(neededBurst(world.callTimes(), 1000)).toBeLessThanOrEqual(76);
  });

  it("needs a quarter of a request a call with 4 lanes an invocation", async () => {
    const world = new LaneWorld({
      items: 30_000,
      spec: { quota: quota("1000/s"), maxParallelism: 440, chunkSize: 50 },
      invocations: 110,
      latencyMs: [80, 220],
      timerLateMs: lateTimers,
    });
    world.keep(110);
    await world.untilEnded();
    expectOneRowEach(world, 30_000);
    expect(steady(world, 1000).use).toBeGreaterThan(0.98);
    expect(steady(world, 1000).requestsPerCall).toBeLessThan(0.3);
    expect(neededBurst(world.callTimes(), 1000)).toBeLessThanOrEqual(76);
  });

  it("keeps its lanes busy when they are the limit", async () => {
    const world = new LaneWorld({
      items: 8_000,
      spec: { quota: quota("1000/s"), maxParallelism: 100, chunkSize: 40 },
      latencyMs: [100, 300],
    });
    world.keep(4);
    await world.untilEnded();
    expect(steady(world, 500).use).toBeGreaterThan(0.93);
    expect(world.requests.length / world.calls.length).toBeLessThan(0.35);
  });

  it("never makes up for a stall: calls let go late stay within the grace", async () => {
    let stalled = 0;
    const world = new LaneWorld({
      items: 5_000,
      spec: { quota: quota("1000/s"), maxParallelism: 100, chunkSize: 100 },
      timerLateMs: (random) => (random() < 0.02 && stalled++ < 50 ? 200 : 0),
    });
    world.keep(4);
    await world.untilEnded();
    expectOneRowEach(world, 5_000);
    expect(neededBurst(world.callTimes(), 1000)).toBeLessThanOrEqual(76);
  });
});

describe("lanes and their items", () => {
  it("spends an attempt on a failed try, none on a throttled one, and waits longer each time", async () => {
    const outcomes: Record<number, readonly TaskOutcome[]> = {
      1: [BAD_GATEWAY, BAD_GATEWAY, OK],
      2: [TOO_MANY, TOO_MANY, TOO_MANY, OK],
      3: [{ kind: "permanent", errorKind: "http", message: "404 Not Found", status: 404, called: true }],
      4: [TOO_MANY, TOO_MANY, TOO_MANY, TOO_MANY],
      5: [{ ...TOO_MANY, retryAfterMs: 2000 }, OK],
    };
    const world = new LaneWorld(small({ outcome: (index, nth) => outcomes[index]?.[nth - 1] ?? OK }));
    world.keep(2);
    await world.untilEnded();
    expectOneRowEach(world, 400);
    expect(row(world, 1)).toMatchObject({ ok: true, attempts: 3, throttles: 0 });
    expect(row(world, 2)).toMatchObject({ ok: true, attempts: 1, throttles: 3 });
    expect(row(world, 3)).toMatchObject({
      ok: false,
      attempts: 1,
      error: { kind: "http", retryable: false },
    });
    expect(row(world, 4)).toMatchObject({
      ok: false,
      attempts: 0,
      throttles: 4,
      error: { kind: "throttled" },
    });
    const [first, second] = world.calls.filter((call) => call.index === 5).map((call) => call.atMs);
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThan(2000);
  });

  it("fails an item whose attempts are used up while others are answered", async () => {
    const world = new LaneWorld(small({ outcome: (index) => (index === 7 ? BAD_GATEWAY : OK) }));
    world.keep(2);
    await world.untilEnded();
    expectOneRowEach(world, 400);
    expect(row(world, 7)).toMatchObject({ ok: false, status: 502, attempts: 3, error: { retryable: true } });
  });

  it("spends no attempt while the target is down for everybody", async () => {
    const upAtMs = 20_000;
    const world = new LaneWorld(
      small({ outcome: (_index, _nth, atMs) => (atMs > 500 && atMs < upAtMs ? DOWN : OK) }),
    );
    world.keep(2);
    await world.untilEnded();
    expectOneRowEach(world, 400);
    expect(world.run.state.counts.failed).toBe(0);
    const whileDown = world.calls.filter((call) => call.atMs > 5000 && call.atMs < upAtMs).length;
    expect(whileDown).toBeLessThan(20);
  });

  it("loses no item to a target that drops three calls in ten with a bare 503", async () => {
    const busy: TaskOutcome = { ...BAD_GATEWAY, message: "503 Service Unavailable", status: 503 };
    const random = seeded(7);
    const world = new LaneWorld(
      small({
        items: 2000,
        spec: { retry: { ...RETRY, maxAttempts: 5, maxThrottles: 20 }, chunkSize: 200, maxParallelism: 20 },
        outcome: () => (random() < 0.3 ? busy : OK),
      }),
    );
    world.keep(2);
    await world.untilEnded();
    expectOneRowEach(world, 2000);
    expect(world.run.state.counts.failed).toBe(0);
  });

  it("fails a refused item once another was answered", async () => {
    const world = new LaneWorld(small({ outcome: (index) => (index === 9 ? FORBIDDEN : OK) }));
    world.keep(2);
    await world.untilEnded();
    expectOneRowEach(world, 400);
    expect(row(world, 9)).toMatchObject({ ok: false, status: 401, attempts: 1 });
  });

  it("fails no item when the target refuses all: the run pauses", async () => {
    const world = new LaneWorld(small({ outcome: () => FORBIDDEN }));
    world.keep(2);
    await world.untilEnded();
    expect(world.run.state.status).toBe("paused");
    expect(world.run.state.counts.done).toBe(0);
  });

  it("fails no item when the target refuses all from the middle on, although earlier calls are answered late", async () => {
    let calls = 0;
    const world = new LaneWorld(small({ outcome: () => (++calls > 150 ? FORBIDDEN : OK) }));
    world.keep(2);
    await world.untilEnded();
    expect(world.run.state.status).toBe("paused");
    expect(world.run.state.counts.failed).toBe(0);
  });

  it("fails refused items when there are no others", async () => {
    const world = new LaneWorld(small({ items: 3, outcome: () => FORBIDDEN }));
    world.keep(1);
    await world.untilEnded();
    expectOneRowEach(world, 3);
    expect(world.run.state.counts.failed).toBe(3);
  });

  it("leaves at least the interval of the spec between two tries of a lane", async () => {
    const pacing = { minIntervalMs: 100, jitterMs: 0 };
    const world = new LaneWorld(small({ items: 40, spec: { chunkSize: 40, maxParallelism: 1, pacing } }));
    world.keep(1);
    await world.untilEnded();
    const times = world.callTimes();
    for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(100);
  });
});

describe("lanes in bad weather", () => {
  it("repeats no call over the ends of slices", async () => {
    const world = new LaneWorld(small({ items: 2000, spec: { chunkSize: 500, quota: quota("200/s") } }));
    world.keep(2, 1000);
    await world.untilEnded();
    expectOneRowEach(world, 2000);
    expect(world.calls.length).toBe(2000);
  });

  it("makes no call while the run is paused, and repeats none when it goes on", async () => {
    const world = new LaneWorld(small({ items: 2000, spec: { chunkSize: 500, quota: quota("200/s") } }));
    world.keep(2);
    world.time.after(3000, () => pause(world.run, "paused by a test"));
    await world.untilEnded();
    const calls = world.calls.length;
    expect(calls).toBeGreaterThan(100);
    expect(world.run.state.counts.done).toBe(calls);
    expect(world.calls.at(-1)?.atMs).toBeLessThan(5000);
    resume(world.run, "1", world.time.nowMs);
    world.keep(2);
    await world.untilEnded();
    expectOneRowEach(world, 2000);
    expect(world.calls.length).toBe(2000);
  });

  it.each([1, 2, 3])(
    "loses and doubles nothing when requests and answers are lost (seed %i)",
    async (seed) => {
      let world: LaneWorld | null = null;
      const network = () => {
        if ((world?.random() ?? 1) < 0.1) throw new Error("connection lost");
      };
      world = new LaneWorld(small({ items: 2000, seed, network, spec: { quota: quota("500/s") } }));
      world.keep(2, 2000);
      await world.untilEnded();
      expectOneRowEach(world, 2000);
      expect(world.calls.length).toBe(2000);
      expect(neededBurst(world.callTimes(), 500)).toBeLessThanOrEqual(500 * 0.075 + 1);
    },
  );

  it("fails nothing while the store refuses, says so, and writes when it is back", async () => {
    const store = (_operation: string, atMs: number) => {
      if (atMs > 1000 && atMs < 9000) throw new Error("10001 internal error");
    };
    const world = new LaneWorld(small({ items: 2000, store, spec: { quota: quota("200/s") } }));
    world.keep(2);
    const said = () => why(world.run, { nowMs: world.time.nowMs, wallMs: world.time.nowMs, driven: true });
    const until = (atMs: number) => world.time.runUntil(() => world.time.nowMs >= atMs, 60_000);
    await until(5000);
    expect(said()).toBe("object storage refuses: 10001 internal error; the lanes wait and try again");
    await until(16_000);
    expect(said()).not.toContain("refuses");
    await world.untilEnded();
    expectOneRowEach(world, 2000);
    expect(world.run.state.counts.failed).toBe(0);
  });

  it("gives the chunk back, and says who refused, when the store refuses for long", async () => {
    const store = (operation: string, atMs: number) => {
      if (operation === "write" && atMs < 50_000) throw new Error("10001 internal error");
    };
    const world = new LaneWorld(small({ store }));
    world.keep(2);
    await world.time.runUntil(() => world.run.state.trouble !== null, 60_000);
    expect(world.run.state.trouble).toContain("object storage refuses: 10001");
    await world.untilEnded();
    expectOneRowEach(world, 400);
  });

  it("leaves a part unindexed when the index refuses, and goes on", async () => {
    const store = (operation: string) => {
      if (operation === "index") throw new Error("D1_ERROR: overloaded");
    };
    const world = new LaneWorld(
      small({ store, outcome: (index) => (index % 10 === 0 ? { ...FORBIDDEN, refused: false } : OK) }),
    );
    world.keep(2);
    await world.untilEnded();
    expectOneRowEach(world, 400);
    expect(world.run.state.unindexed).toBeGreaterThan(0);
  });

  it("has one row for each item after invocations died in the middle", async () => {
    const world = new LaneWorld(small({ items: 3000, spec: { quota: quota("200/s"), chunkSize: 300 } }));
    world.keep(4);
    world.time.after(5000, () => world.kill(0));
    world.time.after(7000, () => world.kill(1));
    await world.untilEnded();
    expectOneRowEach(world, 3000);
  });

  it("gives back a lease that was over when it arrived: nobody waits for its term at the Run", async () => {
    const longMs = 40_000;
    const isLate = ({ invocation, seq }: { invocation: string; seq: number }) =>
      invocation === "invocation 0" && seq === 1;
    const delayMs = (request: SyncRequest) => (isLate(request) ? longMs : 0);
    const world = new LaneWorld(small({ items: 300, delayMs, latencyMs: [1000, 1000] }));
    world.keep(2);
    await world.untilEnded();
    expectOneRowEach(world, 300);
    const late = world.requests.find((request) => request.seq === 2 && request.invocation === "invocation 0");
    expect(late?.commits).toMatchObject([{ part: null, release: true }]);
    expect((world.run.ledger as MemoryLedger).chunks.map((chunk) => chunk.expiries)).not.toContain(1);
  });

  it("adopts the part that a lost lane wrote: its rows count, its items are not called", async () => {
    const world = new LaneWorld(small({ items: 50 }));
    const record = world.run.ledger.get(0)!;
    world.run.ledger.put({ ...record, adopt: true });
    world.parts.set("runs/r_1/parts/0/0.jsonl", foreignPart([0, 1, 2, 5]));
    world.keep(1);
    await world.untilEnded();
    expectOneRowEach(world, 50);
    expect(row(world, 5)).toMatchObject({ value: "foreign" });
    const called = world.calls.map((call) => call.index);
    expect(called).not.toContain(1);
    expect(called).toContain(3);
  });

  it("opens nothing for a chunk that a lost lane had wholly written", async () => {
    const world = new LaneWorld(small({ items: 5 }));
    const record = world.run.ledger.get(0)!;
    world.run.ledger.put({ ...record, adopt: true });
    world.parts.set("runs/r_1/parts/0/0.jsonl", foreignPart([0, 1, 2, 3, 4]));
    world.keep(1);
    await world.untilEnded();
    expectOneRowEach(world, 5);
    expect([world.opened, world.calls.length]).toEqual([0, 0]);
  });

  it("adopts the part of a zombie that wrote first, and drops its own rows of the same items", async () => {
    const world = new LaneWorld(
      small({ items: 50, spec: { checkpoint: { items: 10, bytes: 1e6, ms: 30_000 } } }),
    );
    world.time.after(100, () => world.parts.set("runs/r_1/parts/0/0.jsonl", foreignPart([0, 1, 2, 30])));
    world.keep(1);
    await world.untilEnded();
    expectOneRowEach(world, 50);
    expect(row(world, 30)).toMatchObject({ value: "foreign" });
    expect(row(world, 3)).toMatchObject({ value: null });
  });

  it("announces each item of a careful chunk before its call and commits it after", async () => {
    const world = new LaneWorld(small({ items: 5 }));
    const record = world.run.ledger.get(0)!;
    world.run.ledger.put({ ...record, expiries: 2, careful: true, carefulTo: 5 });
    world.keep(1);
    await world.untilEnded();
    expectOneRowEach(world, 5);
    const announced = world.requests.flatMap((request) => request.announce.map(({ ordinal }) => ordinal));
    expect(announced).toEqual([0, 1, 2, 3, 4]);
    expect((world.run.ledger as MemoryLedger).parts.size).toBe(5);
  });
});
