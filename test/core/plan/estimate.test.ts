/** Plans beside what the simulator plays: both say how long a run takes, and a user compares them. */
import { describe, expect, it } from "vitest";
import { itemsPerCall } from "../../../src/core/batch.ts";
import { estimatePlan } from "../../../src/core/plan/estimate.ts";
import { sharesChunks } from "../../../src/core/run/dispatch.ts";
import { configuredPerSecond } from "../../../src/core/run/run.ts";
import type { Spec } from "../../../src/core/spec.ts";
import { NO_FAULTS } from "../../../src/sim/options.ts";
import { simulate } from "../../../src/sim/simulate.ts";
import { spec as specOf } from "../../support/coreRun.ts";

interface Case {
  readonly items: number;
  readonly lanes: number;
  readonly callMs: number;
  readonly rate?: string;
  readonly chunkSize?: number;
  readonly batch?: number;
  readonly pacing?: Spec["pacing"];
}

function specOfCase({ lanes, rate, chunkSize = 1000, batch, pacing }: Case): Spec {
  return specOf({
    maxParallelism: lanes,
    chunkSize,
    quota: rate === undefined ? null : { requests: rate, burst: null },
    ...(pacing === undefined ? {} : { pacing }),
    ...(batch === undefined ? {} : { task: { kind: "http", url: "https://target.example/", batch } }),
  });
}

function planned(of: Case): number {
  const spec = specOfCase(of);
  return estimatePlan({
    items: of.items,
    chunkSize: spec.chunkSize,
    maxParallelism: spec.maxParallelism,
    ratePerSecond: configuredPerSecond(spec),
    callMs: of.callMs,
    intervalMs: spec.pacing.minIntervalMs + spec.pacing.jitterMs / 2,
    perCall: itemsPerCall(spec),
    lanesPerChunk: sharesChunks(spec) ? spec.maxParallelism : 1,
  }).etaSeconds;
}

async function simulated(of: Case): Promise<{ readonly seconds: number; readonly lanes: number }> {
  const { items } = of;
  const report = await simulate({
    ...{ seed: 1, place: "embedded" as const, invocations: 1, bug: null, isForPeople: true },
    ...{ spec: specOfCase(of), items, faults: NO_FAULTS, safetyMs: 86_400_000, livenessMs: 0 },
    target: {
      limit: null,
      // Few calls differ much in how long the longest of them takes: that is chance, and not what is compared.
      ...{ latencyMs: of.callMs, latencySpread: 0, mostLatencyMs: 60_000 },
      ...{ missing: 0, errors: 0, saysRetryAfter: true, outages: [], poison: [] },
    },
  });
  expect(report.status).toBe("completed");
  return { seconds: report.tookMs / 1000, lanes: report.mostUnderWay };
}

describe("a plan and a simulation", () => {
  it.each<[string, Case]>([
    ["too few lanes for the quota", { items: 20_000, rate: "500/s", lanes: 60, callMs: 200 }],
    ["lanes enough", { items: 30_000, rate: "1000/s", lanes: 500, callMs: 400 }],
    ["one chunk for many lanes", { items: 1000, lanes: 50, callMs: 400 }],
    ["a few chunks for many lanes", { items: 5000, lanes: 100, callMs: 300, rate: "400/s" }],
    ["chunks of a few items", { items: 5000, lanes: 40, callMs: 150, chunkSize: 10 }],
    ["chunks of one item", { items: 1000, lanes: 20, callMs: 250, chunkSize: 1 }],
    ["one lane", { items: 100, lanes: 1, callMs: 200 }],
    ["more lanes than items", { items: 30, lanes: 100, callMs: 4000 }],
    ["a slow quota", { items: 60, rate: "2/s", lanes: 10, callMs: 500 }],
    ["batches", { items: 20_000, lanes: 10, callMs: 500, batch: 50 }],
    ["batches that do not divide a chunk", { items: 10_000, lanes: 4, callMs: 1000, batch: 300 }],
    ["more chunks of batches than lanes", { items: 11_000, lanes: 10, callMs: 500, batch: 50 }],
    [
      "lanes that pause",
      { items: 2000, lanes: 20, callMs: 50, pacing: { minIntervalMs: 400, jitterMs: 100 } },
    ],
  ])("agree within a tenth, or a second of the begin and the end: %s", async (_, of) => {
    const plan = planned(of);
    const { seconds } = await simulated(of);
    expect(Math.abs(plan - seconds), `planned ${plan} s, simulated ${seconds.toFixed(1)} s`).toBeLessThan(
      Math.max(0.1 * seconds, 1),
    );
  });

  it("both put lanes without a chunk of their own to work", async () => {
    expect((await simulated({ items: 2000, lanes: 60, callMs: 200 })).lanes).toBe(60);
    expect((await simulated({ items: 100, lanes: 50, callMs: 1000 })).lanes).toBe(34);
    const few = { items: 100, chunkSize: 1000, maxParallelism: 50, ratePerSecond: null, lanesPerChunk: 50 };
    expect(estimatePlan(few).lanes).toBe(34);
  });
});

describe("a plan", () => {
  const given = { chunkSize: 1000, maxParallelism: 10, ratePerSecond: 40, lanesPerChunk: 10 };
  const warnings = (items: number, change: object = {}) =>
    estimatePlan({ ...given, items, ...change }).warnings;

  it.each([1, 2, 3, 10, 30])("warns of nothing where there are %i items for ten lanes", (items) => {
    expect(warnings(items)).toEqual([]);
    if (items <= 10) expect(warnings(items, { lanesPerChunk: 1 })).toEqual([]);
  });

  it("warns of chunks that keep lanes idle where it costs time", () => {
    const [few] = warnings(5000, { lanesPerChunk: 1, ratePerSecond: 1000, maxParallelism: 50 });
    expect(few).toMatch(/^5 chunks keep at most 5 of 50 lanes busy; a smaller chunkSize would use more$/);
    expect(warnings(5000, { lanesPerChunk: 1, ratePerSecond: 10, maxParallelism: 50 })).not.toContainEqual(
      expect.stringContaining("smaller chunkSize"),
    );
  });

  it("of nothing takes no time", () => {
    expect(estimatePlan({ ...given, items: 0 })).toMatchObject({ chunks: 0, etaSeconds: 0 });
  });

  it("reckons with the smoke stage, whose items go one after another", () => {
    const without = estimatePlan({ ...given, items: 1000 }).etaSeconds;
    expect(estimatePlan({ ...given, items: 1000, smokeItems: 50 }).etaSeconds).toBeGreaterThan(without + 8);
  });
});
