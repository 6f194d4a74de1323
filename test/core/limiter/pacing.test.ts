import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { observeClock, offsetBounds } from "../../../src/core/limiter/clockMap.ts";
import { askAt, type Forecast, usableInstants } from "../../../src/core/limiter/pacing.ts";
import { CLOCK_ERROR_MS, GRACE_MS, MIN_GRACE_MS } from "../../../src/core/limits.ts";
import { Instants } from "../../../src/lane/permits/instants.ts";
import { RunClock, usableMs } from "../../../src/lane/permits/runClock.ts";

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
    expect(askAt({ ...timing, lastHeldMs: 100, gapMs: 0 })).toBe(60);
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
    expect(after).toEqual({ leastMs: -4900, mostMs: -4896, atMs: 104, answers: 1 });
  });

  it("trusts the middle of wide bounds once several answers say that it is the distance", () => {
    let map = null;
    const widths: number[] = [];
    for (let sentMs = 0; sentMs < 1000; sentMs += 200) {
      map = observeClock(map, { sentMs, receivedMs: sentMs + 140, remoteMs: sentMs + 70 + 5000 });
      const { leastMs, mostMs } = offsetBounds(map);
      expect((leastMs + mostMs) / 2).toBeCloseTo(-5000, 0);
      widths.push(Math.round(mostMs - leastMs));
    }
    expect(widths).toEqual([140, 140, 140, 140, CLOCK_ERROR_MS]);
  });
});

describe("instants", () => {
  const grant = { kind: "granted", firstInMs: 10, everyMs: 5, count: 3, graceMs: 50, probe: false } as const;
  const near = { leastMs: 0, mostMs: 4, receivedMs: 4, epoch: 1 };

  it("gives each out once, at its latest possible place and not before", () => {
    const instants = new Instants();
    instants.add(grant, near);
    expect(instants.takeDue(13.9)).toBeNull();
    expect(instants.takeDue(14)?.notBeforeMs).toBe(14);
    expect(instants.takeDue(14)).toBeNull();
    expect(instants.nextMs(14)).toBe(19);
    expect(instants.held).toBe(2);
  });

  it("forfeits those whose grace is over by the earliest possible reckoning", () => {
    const instants = new Instants();
    instants.add(grant, near);
    const firstEndsMs = 0 + 10 + 50;
    expect(instants.takeDue(firstEndsMs)?.notBeforeMs).toBeGreaterThan(14);
    expect(instants.takeForfeited().expired).toBeGreaterThan(0);
  });

  it("has no use for an answer that was away longer than the grace and the clock error", () => {
    const instants = new Instants();
    instants.add(grant, { leastMs: 0, mostMs: 80, receivedMs: 80, epoch: 1 });
    expect(instants.nextMs(80)).toBeNull();
    expect(instants.takeForfeited().forfeited).toBe(3);
  });

  it("gives those that lie apart in order, also when they lie between others that are held", () => {
    const instants = new Instants();
    instants.add({ ...grant, inMs: [10, 30, 60] }, near);
    expect(instants.add({ ...grant, firstInMs: 20, count: 2, inMs: [20, 50] }, near)).toBe(24);
    expect([...instants.all()]).toEqual([14, 24, 34, 54, 64]);
    expect([instants.held, instants.lastMs(4)]).toEqual([5, 64]);
    expect([instants.takeDue(30)?.notBeforeMs, instants.takeDue(30)?.notBeforeMs]).toEqual([14, 24]);
    expect(instants.takeDue(30)).toBeNull();
  });

  it("forfeits what is held of an older epoch", () => {
    const instants = new Instants();
    instants.add(grant, near);
    instants.add(grant, { ...near, epoch: 2 });
    instants.forfeitBefore(2);
    expect(instants.held).toBe(3);
    expect(instants.takeForfeited()).toEqual({ forfeited: 3, expired: 0 });
  });
});

describe("the Run's clock", () => {
  const answer = { sentMs: 0, receivedMs: 2, clockMs: 1001, epoch: 1 };

  it("tells by the Run's clock when a late answer was made", () => {
    const runClock = new RunClock();
    runClock.answered(answer);
    const late = runClock.answered({ sentMs: 100, receivedMs: 140, clockMs: 1101, epoch: 1 });
    expect(late.mostMs).toBeCloseTo(102, 0);
    expect(runClock.leadMs).toBeUndefined();
  });

  it("asks for permits further ahead where the Run is far away, and only there", () => {
    const runClock = new RunClock();
    for (let sentMs = 0; sentMs < 1000; sentMs += 200) {
      runClock.answered({ sentMs, receivedMs: sentMs + 140, clockMs: sentMs + 70, epoch: 1 });
    }
    const { leadMs = 0 } = runClock;
    const next = runClock.answered({ sentMs: 2000, receivedMs: 2140, clockMs: 2070, epoch: 1 });
    const usableUntilMs = next.mostMs + leadMs + usableMs(GRACE_MS, next.mostMs - next.leastMs);
    expect(usableUntilMs).toBeGreaterThan(2140);
    expect(leadMs).toBeLessThan(140);
  });

  it.each([
    { graceMs: 40, errorMs: 2, usable: 30 },
    { graceMs: 40, errorMs: CLOCK_ERROR_MS, usable: 24 },
    { graceMs: MIN_GRACE_MS, errorMs: 6, usable: 3 },
    { graceMs: MIN_GRACE_MS, errorMs: CLOCK_ERROR_MS, usable: 3 },
    { graceMs: MIN_GRACE_MS, errorMs: 40, usable: -10 },
  ])("leaves $usable ms of $graceMs ms of grace when the moment is known within $errorMs ms", (row) => {
    expect(usableMs(row.graceMs, row.errorMs)).toBeCloseTo(row.usable, 6);
    expect(row.errorMs + row.usable).toBeLessThanOrEqual(row.graceMs + CLOCK_ERROR_MS);
  });
});
