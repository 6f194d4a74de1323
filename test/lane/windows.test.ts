/** Targets with windows: so many calls, then none until the next one begins. No item is lost to them, and none is wasted. */
import { describe, expect, it } from "vitest";
import { judgeWindow, type ThrottledRow } from "../../src/core/limiter/closedWindow.ts";
import type { Trouble } from "../../src/core/protocol.ts";
import { SPEC_DEFAULTS } from "../../src/core/spec.ts";
import { NO_FAULTS } from "../../src/sim/options.ts";
import { simulate } from "../../src/sim/simulate.ts";
import { report } from "../support/coreRun.ts";

const MINUTE_MS = 60_000;

/** A run of 300 items against windows of 100 calls: how long it took, in minutes. */
async function run(everyMs: number, saysRetryAfter: boolean, requests: string | null): Promise<number> {
  const items = 300;
  const played = await simulate({
    seed: 1,
    items,
    spec: {
      ...SPEC_DEFAULTS,
      name: null,
      source: { kind: "range", from: 0, to: items },
      task: { kind: "http", url: "https://target.example/{{item}}" },
      chunkSize: 100,
      quota: requests === null ? null : { requests, burst: null },
    },
    place: "embedded",
    invocations: 1,
    faults: NO_FAULTS,
    safetyMs: 86_400_000,
    livenessMs: 0,
    bug: null,
    isForPeople: true,
    target: {
      limit: null,
      window: { calls: 100, everyMs },
      latencyMs: 200,
      latencySpread: 0.3,
      mostLatencyMs: 5000,
      missing: 0,
      errors: 0,
      saysRetryAfter,
      outages: [],
      poison: [],
    },
  });
  expect(played).toMatchObject({ violation: null, status: "completed" });
  return played.tookMs / MINUTE_MS;
}

describe("windows of a target", () => {
  it.each([
    ["a minute, announced", MINUTE_MS, true, "20/s"],
    ["a minute, without a word", MINUTE_MS, false, "20/s"],
    ["a quarter of an hour, announced", 15 * MINUTE_MS, true, null],
    ["a quarter of an hour, without a word", 15 * MINUTE_MS, false, null],
    ["an hour, announced", 60 * MINUTE_MS, true, null],
    ["an hour, without a word", 60 * MINUTE_MS, false, null],
  ] as const)(
    "lose no item and cost no more than themselves: %s",
    { timeout: 60_000 },
    async (_name, everyMs, says, requests) => {
      expect(await run(everyMs, says, requests)).toBeLessThan((2 * everyMs) / MINUTE_MS + 5);
    },
  );
});

describe("a closed window", () => {
  const throttled = (index: number, change: Partial<Trouble> = {}): Trouble => ({
    kind: "throttled",
    index,
    epoch: index,
    retryAfterMs: null,
    probe: false,
    ...change,
  });
  const asking = (index: number, retryAfterMs: number) => throttled(index, { retryAfterMs });

  type Step = readonly [atS: number, troubles: readonly Trouble[], answered?: number];

  /** The pause after each of these reports; the epoch is that of the newest call. */
  function pauses(...reports: readonly Step[]): readonly (number | null)[] {
    let row: ThrottledRow | null = null;
    let epoch = 0;
    return reports.map(([atS, troubles, answered = 0]) => {
      const seen = report({ troubles, answered, troublesSinceAnswer: answered > 0 ? 0 : troubles.length });
      epoch = Math.max(epoch, ...troubles.map((trouble) => trouble.epoch));
      const judged = judgeWindow(row, seen, { nowMs: atS * 1000, epoch });
      row = judged.row;
      return judged.pauseMs;
    });
  }

  it("is one that says how long, to three items in a row", () => {
    expect(pauses([0, [asking(1, 5000)]], [1, [asking(2, 5000)]], [2, [asking(3, 9000)]])).toEqual([
      null,
      null,
      9000,
    ]);
    expect(pauses([0, [1, 2, 3].map((index) => asking(index, 3_600_000))])).toEqual([60_000]);
  });

  it("is one that says nothing and answers nobody for five seconds", () => {
    const last = throttled(3);
    expect(pauses([0, [throttled(1)]], [2, [throttled(2)]], [4, [last]], [5, [last]])).toEqual([
      null,
      null,
      null,
      1000,
    ]);
  });

  it("is not one while calls are answered in between, one item asks again, or probes ask", () => {
    expect(pauses([0, [throttled(1), throttled(2)]], [3, [throttled(3)], 1], [6, [throttled(4)]])).toEqual([
      null,
      null,
      null,
    ]);
    expect(pauses([0, [throttled(1)]], [4, [throttled(1)]], [9, [throttled(1)]])).toEqual([null, null, null]);
    const probes = [1, 2, 3].map((index) => throttled(index, { retryAfterMs: 5000, probe: true }));
    expect(pauses([0, probes], [9, probes])).toEqual([null, null]);
  });

  it("is paused for once: calls that were under way count for no other pause", () => {
    const late = [4, 5, 6].map((index) => throttled(index, { retryAfterMs: 5000, epoch: 3 }));
    const three = [1, 2, 3].map((index) => asking(index, 5000));
    const newer = [7, 8, 9].map((index) => asking(index, 5000));
    expect(pauses([0, three], [1, late], [7, newer])).toEqual([5000, null, 5000]);
    const older = throttled(3, { retryAfterMs: 5000, epoch: 1 });
    expect(pauses([0, [asking(1, 5000), asking(2, 5000), older]])).toEqual([null]);
  });
});
