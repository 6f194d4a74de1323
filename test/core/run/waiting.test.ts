import { describe, expect, it } from "vitest";
import type { Trouble } from "../../../src/core/protocol.ts";
import { patch, type Run } from "../../../src/core/run/run.ts";
import { view } from "../../../src/core/run/view.ts";
import { moment } from "../../../src/core/run/waiting.ts";
import { SPEC_DEFAULTS } from "../../../src/core/spec.ts";
import { commitOf, Invocation, plannedRun, report } from "../../support/coreRun.ts";

const WALL = Date.UTC(2026, 10, 28, 17, 0, 0);
const HOUR_MS = 3_600_000;

const throttled = (index: number, change: Partial<Trouble> = {}): Trouble => ({
  kind: "throttled",
  index,
  epoch: 1,
  retryAfterMs: 60_000,
  askedBy: "retry-after",
  probe: false,
  ...change,
});

/** What people see at `nowMs` of the run clock: why, and the time left in seconds. */
function run(of: Run, nowMs: number): { readonly why: string; readonly leftSeconds: number | null } {
  const { why, eta } = view(of, { nowMs, wallMs: WALL + nowMs, driven: true });
  return { why, leftSeconds: eta === null ? null : (Date.parse(eta) - WALL - nowMs) / 1000 };
}

/** At least the wait, and little more than the calls after it. */
function expectAfter(leftSeconds: number | null, waitSeconds: number): void {
  expect(leftSeconds).toBeGreaterThanOrEqual(waitSeconds);
  expect(leftSeconds).toBeLessThan(waitSeconds + 5);
}

/** Ten items, of which one lane has tried `troubles.length`, and which all wait for `dueInMs`. */
function waitingRun(troubles: readonly Trouble[], dueInMs: number): Run {
  const retry = { ...SPEC_DEFAULTS.retry, maxRetryAfterMs: 24 * HOUR_MS };
  const of = plannedRun(10, { chunkSize: 10, retry });
  const lane = new Invocation(of, "a");
  const [lease] = lane.ask(0).leases;
  const deferred = troubles.map(({ index }) => ({
    ordinal: index,
    position: index,
    attempts: 0,
    throttles: 1,
    dueInMs,
  }));
  const seen = report({ troubles, troublesSinceAnswer: troubles.length, throttled: troubles.length });
  const done = 10 - troubles.length;
  const commit = commitOf(lease!, done, { checkpoint: { cursor: 10, position: null, deferred } });
  lane.ask(1, { report: seen, commits: [commit] });
  return of;
}

describe("a run that waits", () => {
  it("says until when, and which header asks for it", () => {
    const of = waitingRun([throttled(9)], 60_000);
    const { why, leftSeconds } = run(of, 1);
    expect(why).toBe(
      "waiting until 17:01:00Z: the target asks for it (retry-after), and the last item is asked for again then",
    );
    expectAfter(leftSeconds, 60);
  });

  it("says the date where that is not today's", () => {
    const of = waitingRun([throttled(8, { retryAfterMs: 12 * HOUR_MS }), throttled(9)], 12 * HOUR_MS);
    expect(run(of, 1).why).toBe(
      "waiting until 2026-11-29 05:00:00Z: the target asks for it (retry-after), " +
        "and the 2 items that are left are asked for again then",
    );
    expectAfter(run(of, 1).leftSeconds, 12 * 3600);
  });

  it("says what it waits for where nobody asked for it", () => {
    const of = waitingRun([throttled(9, { retryAfterMs: null })], 20_000);
    const { why, leftSeconds } = run(of, 1);
    expect(why).toBe("waiting until 17:00:20Z: the last item is tried again then");
    expectAfter(leftSeconds, 20);
  });

  it("has no less time left than it waits, while others go on too", () => {
    const of = plannedRun(100, { chunkSize: 10, quota: { requests: "100/s", burst: null } });
    const lane = new Invocation(of, "a");
    lane.ask(0);
    const seen = report({ troubles: [throttled(9)], throttled: 1, calls: 50, answered: 50, callMs: 5000 });
    lane.ask(1000, { report: seen });
    expect(run(of, 1000).leftSeconds).toBe(60);
    expect(run(of, 31_000).leftSeconds).toBe(30);
    expect(run(of, 62_000).leftSeconds ?? 0).toBeLessThan(30);
  });

  it("counts the rest after a pause that all keep, and names the longer wait that was asked for", () => {
    const of = plannedRun(1000, { chunkSize: 10, quota: { requests: "10/s", burst: null } });
    const lane = new Invocation(of, "a");
    lane.ask(0);
    const troubles = [1, 2, 3].map((index) =>
      throttled(index, { retryAfterMs: HOUR_MS, askedBy: "x-ratelimit-reset" }),
    );
    lane.ask(1000, { report: report({ troubles, troublesSinceAnswer: 3, throttled: 3 }) });
    const { why, leftSeconds } = run(of, 1000);
    expect(why).toBe(
      "throttled by the target, which asks for a wait until 18:00:01Z (x-ratelimit-reset); next call at 17:01:01Z",
    );
    expect(leftSeconds).toBeGreaterThanOrEqual(3600);
  });

  it("names the header of a short pause", () => {
    const of = plannedRun(1000, { chunkSize: 10 });
    const lane = new Invocation(of, "a");
    lane.ask(0);
    const troubles = [1, 2, 3].map((index) => throttled(index, { retryAfterMs: 5000 }));
    lane.ask(1000, { report: report({ troubles, troublesSinceAnswer: 3, throttled: 3 }) });
    expect(run(of, 1000).why).toBe("throttled by the target until 17:00:06Z (retry-after)");
  });

  it("waits no longer than a bound that was lowered meanwhile", () => {
    const of = waitingRun([throttled(9, { retryAfterMs: HOUR_MS })], HOUR_MS);
    patch(of, { retry: { maxRetryAfterMs: 60_000 } }, SPEC_DEFAULTS, { nowMs: 1000, wallMs: 1000 });
    const { why, leftSeconds } = run(of, 1000);
    expect(why).toContain("until 17:01:01Z");
    expectAfter(leftSeconds, 60);
  });
});

describe("a moment", () => {
  it.each([
    [WALL + 1000, "17:00:01Z"],
    [WALL + 7 * HOUR_MS, "2026-11-29 00:00:00Z"],
    [WALL - 18 * HOUR_MS, "2026-11-27 23:00:00Z"],
  ])("%d is written %s", (atMs, text) => {
    expect(moment(WALL, atMs)).toBe(text);
  });
});
