/** A run's lanes in many invocations with a few each, as deployed: the real lanes, in virtual time. */
import { expect, it } from "vitest";
import { LaneWorld } from "../support/laneWorld.ts";

it("holds the rate with far less than a request for each round of an invocation's lanes", async () => {
  const [items, perSecond] = [8000, 400];
  const quota = { requests: `${perSecond}/s`, burst: null, perHost: null, tokens: null, tokenBurst: null };
  const world = new LaneWorld({
    items,
    latencyMs: [20, 80],
    invocations: 25,
    spec: { chunkSize: 80, maxParallelism: 100, quota },
  });
  world.keep(25);
  await world.untilEnded();
  const times = world.callTimes().toSorted((a, b) => a - b);
  expect(times).toHaveLength(items);
  expect(((times.at(-1)! - times[0]!) * perSecond) / (items * 1000)).toBeLessThan(1.03);
  // One permit for each of four lanes in an answer would be 0.25 and more; the first seconds are like that.
  expect(world.run.state.coordinatorRequests).toBeLessThan(0.22 * items);
});
