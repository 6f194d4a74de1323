/**
 * What bounds a run and how long it takes: the arithmetic behind plans, ETA and `why`.
 * Lanes give `lanes / call time` calls a second; the quota gives its rate; the smaller one is the pace.
 */
import { burstExcess } from "./burst.ts";
import { HEADROOM, LEASE_TTL_MS } from "./limits.ts";

/** A guess for plans, said as such: nobody has called the target yet. */
export const PLANNED_CALL_MS = 200;

export interface Pace {
  readonly perSecond: number;
  readonly limitedBy: "quota" | "lanes" | "items";
  /** Lanes that would reach the quota; null without one. */
  readonly lanesForQuota: number | null;
}

/** The pace that quota and lanes allow; `lanes` may not exceed the chunks there are. */
export function pace(input: {
  readonly ratePerSecond: number | null;
  readonly lanes: number;
  readonly callMs: number;
}): Pace {
  const byLanes = (input.lanes * 1000) / Math.max(1, input.callMs);
  if (input.ratePerSecond === null) return { perSecond: byLanes, limitedBy: "lanes", lanesForQuota: null };
  const byQuota = input.ratePerSecond * (1 - HEADROOM);
  const lanesForQuota = Math.ceil((byQuota * input.callMs) / 1000);
  return byQuota <= byLanes
    ? { perSecond: byQuota, limitedBy: "quota", lanesForQuota }
    : { perSecond: byLanes, limitedBy: "lanes", lanesForQuota };
}

export interface PlanEstimate {
  readonly chunks: number;
  readonly limitedBy: "quota" | "lanes" | "items";
  readonly etaSeconds: number;
  readonly warnings: readonly string[];
}

/** How a run of `items` would go; `callMs` is a guess unless measured. */
export function estimatePlan(input: {
  readonly items: number;
  readonly chunkSize: number;
  readonly maxParallelism: number;
  readonly ratePerSecond: number | null;
  readonly burst?: number | null;
  /** Hosts are told apart: how many there are, nobody knows before. */
  readonly isPerHost?: boolean;
  readonly callMs?: number;
  /** Items that one call carries. */
  readonly perCall?: number;
  /** How many lanes may work on one chunk; absent: one. */
  readonly lanesPerChunk?: number;
}): PlanEstimate {
  const callMs = input.callMs ?? PLANNED_CALL_MS;
  const chunks = Math.ceil(input.items / input.chunkSize);
  const most = Math.min(chunks * (input.lanesPerChunk ?? 1), input.items);
  const lanes = Math.max(1, Math.min(input.maxParallelism, most));
  const expected = pace({ ratePerSecond: input.ratePerSecond, lanes, callMs });
  return {
    chunks,
    limitedBy: most < input.maxParallelism && expected.limitedBy === "lanes" ? "items" : expected.limitedBy,
    etaSeconds: Math.ceil(input.items / (input.perCall ?? 1) / expected.perSecond),
    warnings: planWarnings({ ...input, callMs, chunks, most }),
  };
}

function planWarnings(input: {
  readonly items: number;
  readonly chunkSize: number;
  readonly chunks: number;
  /** Lanes that can be at work at once, by the chunks there are. */
  readonly most: number;
  readonly maxParallelism: number;
  readonly ratePerSecond: number | null;
  readonly burst?: number | null;
  readonly isPerHost?: boolean;
  readonly callMs: number;
}): readonly string[] {
  const warnings: string[] = [];
  if (input.isPerHost === true) {
    warnings.push(
      "quota.perHost is not in the estimate: the host with the most items decides how long it takes",
    );
  }
  const excess = burstExcess({ ratePerSecond: input.ratePerSecond, burst: input.burst ?? null });
  if (excess !== null) warnings.push(excess);
  if (input.ratePerSecond === null) {
    warnings.push("no quota is set: calls go as fast as the lanes allow");
  }
  if (input.most < input.maxParallelism) {
    warnings.push(
      `${input.chunks} ${input.chunks === 1 ? "chunk keeps" : "chunks keep"} at most ${input.most} of ` +
        `${input.maxParallelism} lanes busy; a smaller chunkSize would use more`,
    );
  }
  if (input.ratePerSecond !== null) {
    const needed = Math.ceil((input.ratePerSecond * input.callMs) / 1000);
    if (needed > input.maxParallelism) {
      warnings.push(
        `at ${input.callMs} ms a call, ${input.maxParallelism} lanes do not reach the quota; ${needed} would`,
      );
    }
    if (input.maxParallelism / input.ratePerSecond > LEASE_TTL_MS / 1000) {
      warnings.push("most lanes will wait for permits: the quota is far below what the lanes could use");
    }
  }
  return warnings;
}
