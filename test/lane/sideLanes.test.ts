/** Lanes without a chunk of their own: they work on what is left of the others', and nothing is lost or doubled by it. */
import { describe, expect, it } from "vitest";
import { patch, pause, resume } from "../../src/core/run/run.ts";
import { SPEC_DEFAULTS, type Spec } from "../../src/core/spec.ts";
import { LaneWorld, type WorldOptions } from "../support/laneWorld.ts";

const LATENCY_MS = 100;

/** Four chunks of 500 items for 40 lanes in four invocations; a call takes 100 ms, so a lane alone needs 50 s. */
function coarse(change: Partial<WorldOptions> = {}): WorldOptions {
  const spec: Partial<Spec> = { chunkSize: 500, maxParallelism: 40, ...change.spec };
  return { items: 2000, latencyMs: [LATENCY_MS, LATENCY_MS], ...change, spec };
}

function expectOneRowEach(world: LaneWorld, items: number) {
  const indexes = world.rows().map((row) => row.index);
  expect(indexes.sort((a, b) => a - b)).toEqual(Array.from({ length: items }, (_, i) => i));
  expect(world.run.state.counts.done).toBe(items);
  expect(world.run.semaphore.live.size).toBe(0);
}

/** Calls that were under way together at most, each being as long as `LATENCY_MS`. */
function mostAtOnce(world: LaneWorld): number {
  const times = world.callTimes().sort((a, b) => a - b);
  let most = 0;
  for (let from = 0, to = 0; to < times.length; to++) {
    while ((times[from] ?? 0) <= (times[to] ?? 0) - LATENCY_MS) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

describe("lanes without a chunk of their own", () => {
  it("help with those that are left: a few large chunks take hardly longer than many small ones", async () => {
    const world = new LaneWorld(coarse());
    world.keep(4);
    await world.untilEnded();
    expectOneRowEach(world, 2000);
    expect(world.calls).toHaveLength(2000);
    expect(mostAtOnce(world)).toBeGreaterThan(30);
    expect(mostAtOnce(world)).toBeLessThanOrEqual(40);
    expect(world.calls.at(-1)?.atMs).toBeLessThan(9000);
  });

  it("do not pass one slot between two lanes whose items all wait, or nothing else would go on", async () => {
    const items = 40;
    const world = new LaneWorld({
      items,
      invocations: 1,
      spec: {
        chunkSize: 20,
        maxParallelism: 3,
        retry: { ...SPEC_DEFAULTS.retry, maxAttempts: 2, baseDelayMs: 20_000 },
      },
      // The first item of each chunk keeps its lane busy while all others wait for their second try. The target is up.
      callMs: (index) => (index % 20 === 0 ? 60_000 : undefined),
      outcome: (index) =>
        index % 20 === 0
          ? { kind: "ok", value: null, status: 200 }
          : { kind: "transient", errorKind: "http", message: "408", status: 408, retryAfterMs: null },
    });
    world.keep(1);
    await world.untilEnded();
    expectOneRowEach(world, items);
    expect(world.calls).toHaveLength(2 + 2 * (items - 2));
  });

  it("hold the rate to the end where the last round of chunks is a small one", async () => {
    const quota = { requests: "200/s", burst: null, perHost: null, tokens: null, tokenBurst: null };
    const world = new LaneWorld(coarse({ items: 4400, spec: { chunkSize: 100, maxParallelism: 40, quota } }));
    world.keep(4);
    await world.untilEnded();
    expectOneRowEach(world, 4400);
    expect(world.calls.at(-1)?.atMs).toBeLessThan((4400 / 200) * 1000 * 1.05 + 1000);
  });

  it.each([1, 2, 3])("leave no invocation with more than the others at the end (seed %i)", async (seed) => {
    const quota = { requests: "200/s", burst: null, perHost: null, tokens: null, tokenBurst: null };
    const world = new LaneWorld(
      coarse({
        seed,
        items: 8600,
        latencyMs: [50, 250],
        spec: { chunkSize: 100, maxParallelism: 80, quota },
      }),
    );
    world.keep(4);
    await world.untilEnded();
    expectOneRowEach(world, 8600);
    // The last 5 % take as long as any other: no invocation ends much before the others.
    const times = world.callTimes().sort((a, b) => a - b);
    const lastMs = (times.at(-1) ?? 0) - (times.at(-430) ?? 0);
    expect(lastMs).toBeLessThan(1.15 * (430 / 200) * 1000);
  });

  it("begin with all chunks leased, evenly: long calls hold the rate to the end", async () => {
    const quota = { requests: "200/s", burst: null, perHost: null, tokens: null, tokenBurst: null };
    const world = new LaneWorld(
      coarse({ items: 12_000, latencyMs: [600, 1200], spec: { chunkSize: 200, maxParallelism: 200, quota } }),
    );
    world.keep(4);
    await world.untilEnded();
    expectOneRowEach(world, 12_000);
    const times = world.callTimes().sort((a, b) => a - b);
    const lastMs = (times.at(-1) ?? 0) - (times.at(-600) ?? 0);
    expect(lastMs).toBeLessThan(1.1 * (600 / 200) * 1000);
  });

  it("go on to another lane of their invocation without asking for it", async () => {
    const world = new LaneWorld(coarse({ items: 4000, spec: { chunkSize: 100 } }));
    world.keep(4);
    await world.untilEnded();
    expectOneRowEach(world, 4000);
    expect(mostAtOnce(world)).toBeLessThanOrEqual(40);
    // 40 lanes at 100 ms a call: 10 s, and no lane idle before the last calls.
    expect(world.calls.at(-1)?.atMs).toBeLessThan(10_600);
  });

  it.each([1, 2, 3])("count every attempt of an item, whoever made it (seed %i)", async (seed) => {
    const world = new LaneWorld(
      coarse({
        seed,
        spec: { retry: { maxAttempts: 4, baseDelayMs: 50, maxDelayMs: 200, maxThrottles: 20 } },
        outcome: (index, tryNumber) =>
          index % 3 === 0 && tryNumber <= 2
            ? {
                kind: "transient",
                errorKind: "http",
                message: "500",
                status: 500,
                retryAfterMs: null,
                isDown: false,
              }
            : { kind: "ok", value: tryNumber, status: 200 },
      }),
    );
    world.keep(4);
    await world.untilEnded();
    expectOneRowEach(world, 2000);
    for (const { index, line } of world.rows()) {
      expect(JSON.parse(line)).toMatchObject({ ok: true, attempts: index % 3 === 0 ? 3 : 1 });
    }
  });

  it.each([1, 2, 3])(
    "lose and double nothing when requests and answers are lost and slices end (seed %i)",
    async (seed) => {
      let world: LaneWorld | null = null;
      const network = () => {
        if ((world?.random() ?? 1) < 0.1) throw new Error("connection lost");
      };
      world = new LaneWorld(coarse({ seed, network }));
      world.keep(4, 1500);
      await world.untilEnded();
      expectOneRowEach(world, 2000);
      expect(world.calls).toHaveLength(2000);
      expect(mostAtOnce(world)).toBeLessThanOrEqual(40);
    },
  );

  it("die with their invocation: others go on, and no more calls at once than lanes", async () => {
    const world = new LaneWorld(coarse({ items: 6000, spec: { chunkSize: 1500 } }));
    world.keep(4);
    world.time.after(2000, () => world.kill(0));
    world.time.after(4000, () => world.kill(1));
    await world.untilEnded();
    expectOneRowEach(world, 6000);
    expect(mostAtOnce(world)).toBeLessThanOrEqual(40);
  });

  it("stop with a pause, and nothing they did is repeated", async () => {
    const world = new LaneWorld(coarse());
    world.keep(4);
    world.time.after(2500, () => pause(world.run, "paused by a test"));
    await world.untilEnded();
    expect(world.run.state.counts.done).toBe(world.calls.length);
    resume(world.run, "1", world.time.nowMs);
    world.keep(4);
    await world.untilEnded();
    expectOneRowEach(world, 2000);
    expect(world.calls).toHaveLength(2000);
  });

  it("are the first to go when there are to be fewer lanes", async () => {
    const world = new LaneWorld(coarse({ items: 4000, spec: { chunkSize: 1000 } }));
    world.keep(4);
    world.time.after(3000, () =>
      patch(world.run, { maxParallelism: 6 }, SPEC_DEFAULTS, {
        nowMs: world.time.nowMs,
        wallMs: world.time.nowMs,
      }),
    );
    await world.untilEnded();
    expectOneRowEach(world, 4000);
    expect(world.calls).toHaveLength(4000);
    const late = world.callTimes().filter((atMs) => atMs > 6000 && atMs <= 6000 + LATENCY_MS);
    expect(late.length).toBeLessThanOrEqual(6);
    expect(late.length).toBeGreaterThan(3);
  });

  it("are not sent where hardly anything is left", async () => {
    const world = new LaneWorld(coarse({ items: 8, spec: { chunkSize: 2 } }));
    world.keep(4);
    await world.untilEnded();
    expectOneRowEach(world, 8);
    expect(world.opened).toBe(4);
  });
});
