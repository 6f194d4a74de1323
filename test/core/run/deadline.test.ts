import { describe, expect, it } from "vitest";
import { finished, patch, type Run } from "../../../src/core/run/run.ts";
import { view } from "../../../src/core/run/view.ts";
import { SPEC_DEFAULTS, type Spec, WINDOW_DEFAULTS } from "../../../src/core/spec.ts";
import { commitOf, Invocation, plannedRun, report } from "../../support/coreRun.ts";

const HOUR_MS = 3_600_000;
const QUOTA: Spec["quota"] = { requests: "10/s", burst: null };

const seen = (run: Run, nowMs: number) => {
  const { deadline, why } = view(run, { nowMs, wallMs: nowMs, driven: true });
  return { ...deadline, why };
};

/** 36,000 items, an hour at 10/s; time and wall clock begin at midnight of 1970. */
const hourLong = (change: Partial<Spec>): Run =>
  plannedRun(36_000, { quota: QUOTA, chunkSize: 1000, maxParallelism: 20, ...change });

describe("a deadline", () => {
  it("that the quota cannot keep is known before the first call, with the rate that it takes", () => {
    const run = hourLong({ deadline: "30m" });
    expect(seen(run, 0)).toEqual({
      at: "1970-01-01T00:30:00.000Z",
      missedBySeconds: 1800,
      neededPerSecond: 20,
      why: "waiting for a lane to start; the deadline, 00:30:00Z, will be missed by about 30 min: it takes 20/s",
    });
  });

  it("that the quota keeps is not spoken of", () => {
    const run = hourLong({ deadline: "61m" });
    expect(seen(run, 0)).toMatchObject({ missedBySeconds: null, why: "waiting for a lane to start" });
  });

  it("that the lanes cannot keep is known with the first calls", () => {
    const run = hourLong({ quota: null, deadline: "61m", maxParallelism: 2 });
    expect(seen(run, 0).missedBySeconds).toBeNull();
    new Invocation(run, "a").ask(1000, { report: report({ calls: 10, answered: 10, callMs: 10_000 }) });
    // 35,990 calls of a second in two lanes.
    expect(seen(run, 1000).missedBySeconds).toBe(35_990 / 2 + 1 - 3660);
  });

  it("counts only the hours of the window", () => {
    const window = { ...WINDOW_DEFAULTS, to: "00:30" };
    const run = hourLong({ deadline: "23h", window });
    expect(seen(run, 0).missedBySeconds).toBeGreaterThan(3600);
    expect(seen(run, 0).neededPerSecond).toBe(20);
    const { why } = seen(run, HOUR_MS);
    expect(why).toMatch(/^outside its window: .*; the deadline, 23:00:00Z, will be missed by about 1 d 2 h$/);
  });

  it("that the present pace misses by far is forecast, and by little it is not", () => {
    const run = hourLong({ deadline: "2h", quota: { requests: "100/s", burst: null }, maxParallelism: 500 });
    const lane = new Invocation(run, "a");
    const paced = (everyMs: number, fromMs: number) => {
      for (let ms = fromMs; ms <= fromMs + 20_000; ms += everyMs)
        lane.ask(ms, { report: report({ calls: 1, answered: 1, callMs: 50 }) });
    };
    paced(400, 0);
    expect(seen(run, 20_000).missedBySeconds).toBeGreaterThan(1.9 * 3600);
    paced(200, 21_000);
    expect(seen(run, 41_000).missedBySeconds).toBeNull();
  });

  it("that is over was missed by so much at least", () => {
    const run = hourLong({ deadline: "1s", quota: null });
    expect(seen(run, 5000)).toMatchObject({ missedBySeconds: 4, neededPerSecond: null });
  });

  it("is judged at the end by when the run ended", () => {
    for (const [endMs, missedBySeconds] of [
      [9000, null],
      [12_345, 3],
    ] as const) {
      const run = plannedRun(10, { chunkSize: 10, deadline: "10s" });
      const lane = new Invocation(run, "a");
      const [lease] = lane.ask(0).leases;
      lane.ask(5000, { commits: [commitOf(lease!, 10)] });
      finished(run, endMs);
      expect(seen(run, 60_000)).toMatchObject({ missedBySeconds, neededPerSecond: null });
      const said = missedBySeconds === null ? "" : "; the deadline, 00:00:10Z, was missed by 3 s";
      expect(seen(run, 60_000).why).toBe(`all 10 items are done${said}`);
    }
  });

  it("is set anew from now on, and taken away", () => {
    const run = hourLong({ deadline: "30m" });
    const at = { nowMs: 7 * HOUR_MS, wallMs: 7 * HOUR_MS };
    patch(run, { deadline: "2h" }, SPEC_DEFAULTS, at);
    expect(seen(run, at.nowMs)).toMatchObject({ at: "1970-01-01T09:00:00.000Z", missedBySeconds: null });
    expect(patch(run, { deadline: "1970-01-01T06:00Z" }, SPEC_DEFAULTS, at)).toEqual({
      kind: "conflict",
      message: "deadline must lie in the future: it is 1970-01-01T07:00:00.000Z",
    });
    patch(run, { deadline: null }, SPEC_DEFAULTS, at);
    expect(view(run, { ...at, driven: true }).deadline).toBeNull();
  });
});
