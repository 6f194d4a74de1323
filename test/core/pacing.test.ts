import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { observeClock } from "../../src/core/clockMap.ts";
import { askAt, type Forecast, usableInstants } from "../../src/core/pacing.ts";
import { Instants } from "../../src/lane/instants.ts";

function usable(change: Partial<Forecast>): number {
  return usableInstants({
    readyMs: [0],
    heldMs: [],
    firstMs: 0,
    everyMs: 1,
    turnMs: 50,
    slackMs: 0,
    horizonMs: 200,
    most: 5000,
    fill: 1,
    ...change,
  });
}

describe("pacing", () => {
  it.each<[string, Partial<Forecast>, number]>([
    ["asks for nothing without lanes", { readyMs: [] }, 0],
    ["asks for one instant per waiting lane", { readyMs: [0, 0, 0, 0] }, 4],
    [
      "counts lanes that will have finished when the instants come",
      { readyMs: [40, 45, 50], firstMs: 60 },
      3,
    ],
    ["leaves out lanes that will not be ready in time", { readyMs: [0, 100], firstMs: 10 }, 1],
    ["counts a lane that is late by no more than the slack", { readyMs: [0, 20], slackMs: 20 }, 2],
    ["counts a lane twice when its turn is over in time", { readyMs: [0], everyMs: 60 }, 4],
    ["leaves to held instants the lanes that will use them", { readyMs: [0, 0, 0], heldMs: [0, 1] }, 1],
    ["asks no further ahead than the horizon", { readyMs: [0, 0, 0, 0], everyMs: 100, turnMs: 1 }, 3],
    ["asks for no more than the bound", { readyMs: [0, 0, 0], most: 2 }, 2],
    ["wastes instants up to the share given", { readyMs: [0, 4], fill: 0.4 }, 5],
    ["wastes no instant when all must be used", { readyMs: [0, 4], fill: 1 }, 1],
  ])("%s", (_rule, change, count) => {
    expect(usable(change)).toBe(count);
  });

  it("asks so that the next instants connect to the last held one", () => {
    const timing = { nextReadyMs: 0, roundTripMs: 10, aheadMs: 10, gatherMs: 5 };
    expect(askAt({ ...timing, lastHeldMs: 100, gapMs: 0 })).toBe(90);
    expect(askAt({ ...timing, lastHeldMs: 100, gapMs: 50 })).toBe(100);
  });

  it("asks when the first lane will be ready, and never while none will", () => {
    const timing = { lastHeldMs: null, roundTripMs: 10, aheadMs: 30, gapMs: 0, gatherMs: 5 };
    expect(askAt({ ...timing, nextReadyMs: 100 })).toBe(75);
    expect(askAt({ ...timing, nextReadyMs: Number.POSITIVE_INFINITY })).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("clock map", () => {
  it("holds the true offset within its bounds, whatever each way takes", () => {
    const trip = fc.double({ min: 0, max: 300, noNaN: true });
    const answers = fc.array(fc.tuple(trip, trip, fc.double({ min: 0, max: 5000, noNaN: true })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(answers, fc.double({ min: -1e9, max: 1e9, noNaN: true }), (trips, offsetMs) => {
        let map = null;
        let nowMs = 0;
        for (const [thereMs, backMs, pauseMs] of trips) {
          nowMs += pauseMs;
          const remoteMs = nowMs + thereMs - offsetMs;
          map = observeClock(map, { sentMs: nowMs, receivedMs: nowMs + thereMs + backMs, remoteMs });
          expect(map.leastMs).toBeLessThanOrEqual(offsetMs + 1e-6);
          expect(map.mostMs).toBeGreaterThanOrEqual(offsetMs - 1e-6);
          nowMs += thereMs + backMs;
        }
      }),
    );
  });

  it("starts again when a clock has stepped", () => {
    const before = observeClock(null, { sentMs: 0, receivedMs: 4, remoteMs: 1000 });
    const after = observeClock(before, { sentMs: 100, receivedMs: 104, remoteMs: 5000 });
    expect(after).toEqual({ leastMs: -4900, mostMs: -4896, atMs: 104 });
  });
});

describe("instants", () => {
  const grant = { kind: "granted", firstInMs: 10, everyMs: 5, count: 3, graceMs: 50, probe: false } as const;

  it("gives each out once, at its latest possible place and not before", () => {
    const instants = new Instants();
    instants.add(grant, { sentMs: 0, receivedMs: 4, clockMs: undefined, epoch: 1 });
    expect(instants.takeDue(13.9)).toBeNull();
    expect(instants.takeDue(14)?.notBeforeMs).toBe(14);
    expect(instants.takeDue(14)).toBeNull();
    expect(instants.nextMs(14)).toBe(19);
    expect(instants.held).toBe(2);
  });

  it("forfeits those whose grace is over by the earliest possible reckoning", () => {
    const instants = new Instants();
    instants.add(grant, { sentMs: 0, receivedMs: 4, clockMs: undefined, epoch: 1 });
    const firstEndsMs = 0 + 10 + 50;
    expect(instants.takeDue(firstEndsMs)?.notBeforeMs).toBeGreaterThan(14);
    expect(instants.takeForfeited().expired).toBeGreaterThan(0);
  });

  it("has no use for an answer that was away longer than the grace", () => {
    const instants = new Instants();
    instants.add(grant, { sentMs: 0, receivedMs: 60, clockMs: undefined, epoch: 1 });
    expect(instants.nextMs(60)).toBeNull();
    expect(instants.takeForfeited().forfeited).toBe(3);
  });

  it("recognises by the Run's clock when the instants of a late answer are", () => {
    const instants = new Instants();
    instants.observe({ sentMs: 0, receivedMs: 2, clockMs: 1001, epoch: 1 });
    instants.add(grant, { sentMs: 100, receivedMs: 140, clockMs: 1101, epoch: 1 });
    expect(instants.takeDue(140)?.notBeforeMs).toBeCloseTo(112, 0);
  });

  it("forfeits what is held of an older epoch", () => {
    const instants = new Instants();
    instants.add(grant, { sentMs: 0, receivedMs: 4, clockMs: undefined, epoch: 1 });
    instants.add(grant, { sentMs: 0, receivedMs: 4, clockMs: undefined, epoch: 2 });
    instants.forfeitBefore(2);
    expect(instants.held).toBe(3);
    expect(instants.takeForfeited()).toEqual({ forfeited: 3, expired: 0 });
  });
});
