/** All lanes of a run in one invocation, as on a machine of one's own: the whole rate, and hardly a request for it. */
import { describe, expect, it } from "vitest";
import { LaneWorld } from "../support/laneWorld.ts";

const PER_SECOND = 1000;

describe("one invocation with all lanes", () => {
  it.each([
    { items: 10_000, chunkSize: 200, lanes: 100, latencyMs: [20, 80], mostRequests: 0.015 },
    { items: 10_000, chunkSize: 200, lanes: 250, latencyMs: [150, 150], mostRequests: 0.02 },
    { items: 20_000, chunkSize: 30, lanes: 1000, latencyMs: [600, 1200], mostRequests: 0.05 },
  ] as const)("holds the rate to the end: $lanes lanes in chunks of $chunkSize", async (of) => {
    const quota = { requests: `${PER_SECOND}/s`, burst: null, perHost: null, tokens: null, tokenBurst: null };
    const { items, chunkSize, latencyMs, lanes } = of;
    const world = new LaneWorld({
      items,
      latencyMs,
      invocations: 1,
      spec: { chunkSize, maxParallelism: lanes, quota },
    });
    world.keep(1);
    await world.untilEnded();
    const times = world.callTimes();
    expect(times).toHaveLength(items);
    const spanMs = Math.max(...times) - Math.min(...times);
    expect(spanMs).toBeLessThan(((items / PER_SECOND) * 1000) / 0.985);
    expect(spanMs).toBeGreaterThan(((items / PER_SECOND) * 1000) / 1.001);
    expect(world.run.state.coordinatorRequests).toBeLessThan(of.mostRequests * items);
  });
});
