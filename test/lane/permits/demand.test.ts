/** When an invocation whose lanes all run asks for the next permits. */
import { describe, expect, it } from "vitest";
import { Demand, type Place, type Standing } from "../../../src/lane/permits/demand.ts";
import { Instants } from "../../../src/lane/permits/instants.ts";

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
    callsLeft: () => 100,
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

describe("an invocation with four lanes among others", () => {
  /** All in a call but the first, with so many calls left; others' instants lie between its own. */
  function fourLanes(
    callsLeft: number,
    change: { readonly lanes?: number; readonly everyMs?: number; readonly inMs?: number[] } = {},
  ) {
    const { lanes = 4, everyMs = 1, inMs } = change;
    const demand = new Demand();
    const instants = new Instants();
    const answered = { leastMs: NOW_MS, mostMs: NOW_MS, receivedMs: NOW_MS, epoch: 1 };
    const one = { kind: "granted", firstInMs: 100, everyMs, graceMs: 40, count: 1, probe: false } as const;
    const grant = inMs === undefined ? one : { ...one, inMs };
    instants.add(grant, answered);
    demand.sawRoundTrip(2);
    for (let asked = 0; asked < 4; asked++)
      demand.sawGrant({
        ...grant,
        lastMs: null,
        firstMs: NOW_MS + 100,
        sentMs: NOW_MS - 2,
        receivedMs: NOW_MS,
      });
    for (let turn = 0; turn < 200; turn++) demand.sawTurn(150, lanes);
    const seats = new Set<Place>(
      Array.from({ length: lanes }, (_, nth) => ({
        waiting: nth === 0,
        readyMs: NOW_MS + (nth === 0 ? 0 : 50),
        turnFromMs: nth === 0 ? null : NOW_MS - 100,
        callsLeft: () => callsLeft,
      })),
    );
    return { demand, standing: { nowMs: NOW_MS, seats, waiting: 1, instants } };
  }

  it("tells what its lanes can do with permits of further rounds", () => {
    const { demand, standing } = fourLanes(3);
    expect(demand.rounds(standing)).toEqual({
      turnMs: expect.closeTo(150, 0),
      held: 1,
      heldForMs: 100,
      left: [3, 2, 2, 2],
    });
    expect(fourLanes(100).demand.rounds(fourLanes(100).standing)?.left).toEqual([3, 3, 3, 3]);
  });

  it("says nothing of further rounds where its lanes are many, or are the limit", () => {
    const many = fourLanes(100, { lanes: 20 });
    expect(many.demand.rounds(many.standing)).toBeUndefined();
    const limit = fourLanes(100, { everyMs: 95 });
    expect(limit.demand.rounds(limit.standing)).toBeUndefined();
  });

  it("asks for no permit for a lane whose call under way is its last, where permits lie apart", () => {
    const [some, last, near] = [
      fourLanes(2, { inMs: [100] }),
      fourLanes(1, { inMs: [100] }),
      fourLanes(1),
    ].map(({ demand, standing }) => demand.want(standing));
    expect(some).toBeGreaterThan(0);
    expect(last).toBe(0);
    expect(near).toBe(some);
  });
});
