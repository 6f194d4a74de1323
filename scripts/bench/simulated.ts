/** A deployed run in fair weather, simulated with the core, and what the target and the coordinator saw of it. */
import { SPEC_DEFAULTS } from "../../src/core/spec.ts";
import { NO_FAULTS } from "../../src/sim/options.ts";
import { type SimReport, simulate } from "../../src/sim/simulate.ts";

const DAY_MS = 86_400_000;

export interface Simulated {
  readonly report: SimReport;
  /** Arrivals at the target, ascending, milliseconds. */
  readonly atMs: readonly number[];
  /** Requests at the coordinator by second. */
  readonly asked: readonly number[];
}

/** Timers late in 0.2 % and answers of the coordinator stalled in 1 %, as on a working platform. */
export async function simulateDeployed(of: {
  readonly seed: number;
  readonly items: number;
  readonly chunkSize: number;
  readonly lanes: number;
  readonly ratePerSecond: number;
  readonly latencyMs: number;
  /** Absent: as deployed. */
  readonly lanesPerInvocation?: number;
}): Promise<Simulated> {
  const atMs: number[] = [];
  const asked: number[] = [];
  const { seed, items, chunkSize, lanes, ratePerSecond, latencyMs, lanesPerInvocation } = of;
  const report = await simulate(
    {
      seed,
      items,
      place: "deployed",
      invocations: 1,
      ...(lanesPerInvocation !== undefined && { lanesPerInvocation }),
      spec: {
        ...SPEC_DEFAULTS,
        name: null,
        source: { kind: "range", from: 0, to: items, step: 1 },
        task: { kind: "http", url: "https://target.example/{{item}}" },
        chunkSize,
        maxParallelism: lanes,
        quota: { requests: `${ratePerSecond}/s`, burst: null },
      },
      target: {
        limit: { perSecond: ratePerSecond, burst: 100 },
        latencyMs,
        latencySpread: 0.4,
        mostLatencyMs: 4 * latencyMs,
        missing: 0,
        errors: 0,
        saysRetryAfter: true,
        outages: [],
        poison: [],
      },
      faults: { ...NO_FAULTS, timerLate: 0.002, stalled: 0.01 },
      safetyMs: DAY_MS,
      livenessMs: 0,
      bug: null,
      isForPeople: true,
    },
    {
      called: (ms) => atMs.push(ms),
      asked: (ms) => {
        const second = Math.floor(ms / 1000);
        asked[second] = (asked[second] ?? 0) + 1;
      },
    },
  );
  return { report, atMs, asked };
}
