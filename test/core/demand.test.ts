/** When an invocation whose lanes all run asks for the next permits. */
import { expect, it } from "vitest";
import { Demand, type Place, type Standing } from "../../src/lane/demand.ts";
import { Instants } from "../../src/lane/instants.ts";

const NOW_MS = 1000;

/** `lanes` in a call that takes `turnMs`, none of them waiting, and a permit held for every one of the next `held` ms. */
function runningLanes(of: { lanes: number; turnMs: number; held: number }) {
  const demand = new Demand();
  const instants = new Instants();
  const grant = { kind: "granted", firstInMs: 0, everyMs: 1, graceMs: 40, probe: false } as const;
  const lastMs = instants.lastMs(NOW_MS);
  if (of.held > 0) {
    const answered = { leastMs: NOW_MS, mostMs: NOW_MS, receivedMs: NOW_MS, epoch: 1 };
    instants.add({ ...grant, count: of.held }, answered);
  }
  demand.sawRoundTrip(2);
  demand.sawGrant({ ...grant, lastMs, firstMs: NOW_MS, sentMs: NOW_MS - 2, receivedMs: NOW_MS });
  for (let turn = 0; turn < 20 * of.lanes; turn++) demand.sawTurn(of.turnMs, of.lanes);
  const place: Place = {
    waiting: false,
    readyMs: NOW_MS + of.turnMs / 2,
    turnFromMs: NOW_MS - of.turnMs / 2,
  };
  const seats = new Set(Array.from({ length: of.lanes }, () => ({ ...place })));
  const standing: Standing = { nowMs: NOW_MS, seats, waiting: 0, instants };
  return { demand, standing };
}

it("asks before the last permit is over although no lane waits, where the lanes keep up with the rate", () => {
  const { demand, standing } = runningLanes({ lanes: 100, turnMs: 20, held: 200 });
  const atMs = demand.askAtMs(standing);
  expect(atMs).toBeGreaterThan(NOW_MS + 100);
  expect(atMs).toBeLessThan(NOW_MS + 199);
  const late = { ...standing, nowMs: atMs };
  expect(demand.want(late)).toBeGreaterThan(100);
});

it("does so after a pause of the loop, in which every call under way took long", () => {
  const { demand, standing } = runningLanes({ lanes: 100, turnMs: 20, held: 200 });
  for (let turn = 0; turn < 100; turn++) demand.sawTurn(150, 100);
  expect(demand.askAtMs(standing)).toBeLessThan(NOW_MS + 199);
});

it("waits for a lane that waits, where the lanes are too few for the rate", () => {
  const { demand, standing } = runningLanes({ lanes: 100, turnMs: 150, held: 200 });
  expect(demand.askAtMs(standing)).toBe(Number.POSITIVE_INFINITY);
});

it("waits for a lane that waits, where no permit is held", () => {
  const { demand, standing } = runningLanes({ lanes: 100, turnMs: 20, held: 0 });
  expect(demand.askAtMs(standing)).toBe(Number.POSITIVE_INFINITY);
});
