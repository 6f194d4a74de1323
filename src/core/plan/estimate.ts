/**
 * What bounds a run and how long it takes: the arithmetic behind plans, ETA and `why`.
 * Lanes give `lanes / call time` calls a second; the quota gives its rate; the smaller one is the pace.
 */
import { burstExcess } from "../limiter/burst.ts";
import { HEADROOM, ITEMS_PER_LANE, LEASE_TTL_MS } from "../limits.ts";

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

export interface PlanInput {
  readonly items: number;
  readonly chunkSize: number;
  readonly maxParallelism: number;
  readonly ratePerSecond: number | null;
  readonly burst?: number | null;
  /** Hosts are told apart: how many there are, nobody knows before. */
  readonly isPerHost?: boolean;
  readonly callMs?: number;
  /** Between the starts of two items of a lane; absent: nothing. */
  readonly intervalMs?: number;
  /** Items that one call carries. */
  readonly perCall?: number;
  /** How many lanes may work on one chunk; absent: one. */
  readonly lanesPerChunk?: number;
  /** Items that go alone before all others; absent: none. */
  readonly smokeItems?: number;
}

export interface PlanEstimate {
  readonly chunks: number;
  /** Lanes that are at work at once, at most. */
  readonly lanes: number;
  readonly limitedBy: "quota" | "lanes" | "items";
  readonly etaSeconds: number;
  readonly warnings: readonly string[];
}

/** The plan, the first leases, the last commits and the join of a run: half a second to a second and a half were measured. */
export const BEGIN_AND_END_MS = 500;

/** From the last row of a chunk to the first call of the lane's next one: a part is written, and a request made. */
const HAND_OVER_MS = 30;

/** How a run of `items` would go; `callMs` is a guess unless measured. */
export function estimatePlan(input: PlanInput): PlanEstimate {
  const { maxParallelism, ratePerSecond } = input;
  const callMs = input.callMs ?? PLANNED_CALL_MS;
  const turnMs = Math.max(callMs, input.intervalMs ?? 0);
  const work = workOf(input);
  const lanes = Math.max(1, Math.min(maxParallelism, work.lanesMost));
  const alone = Math.min(work.calls, Math.ceil((input.smokeItems ?? 0) / (input.perCall ?? 1)));
  const turns = work.turns(lanes, work.calls - alone);
  const byLanesMs = turns * turnMs + Math.ceil(work.chunks / lanes) * HAND_OVER_MS;
  const byQuotaMs =
    ratePerSecond === null || work.calls === 0
      ? 0
      : ((work.calls - alone - 1) * 1000) / (ratePerSecond * (1 - HEADROOM)) + callMs;
  const isQuota = ratePerSecond !== null && byQuotaMs >= byLanesMs;
  const ms = work.calls === 0 ? 0 : alone * turnMs + Math.max(byLanesMs, byQuotaMs) + BEGIN_AND_END_MS;
  const isShort = work.lanesMost < maxParallelism;
  return {
    chunks: work.chunks,
    lanes,
    limitedBy: isQuota ? "quota" : isShort ? "items" : "lanes",
    etaSeconds: Math.ceil(ms / 1000),
    warnings: planWarnings({
      ...input,
      callMs,
      work,
      // Had every lane work to the end.
      lostMs: isQuota ? 0 : byLanesMs - Math.ceil(work.calls / maxParallelism) * turnMs,
    }),
  };
}

/** Calls, and how lanes share them. */
interface Work {
  readonly chunks: number;
  readonly calls: number;
  /** Lanes that can be at work at once, by the chunks there are. */
  readonly lanesMost: number;
  /** Calls that each of so many lanes makes one after another, of `calls` in all. */
  turns(lanes: number, calls: number): number;
}

function workOf({ items, chunkSize, perCall = 1, lanesPerChunk = 1 }: PlanInput): Work {
  const chunks = Math.ceil(items / chunkSize);
  const whole = Math.ceil(chunkSize / perCall);
  const last = Math.ceil((items - Math.max(0, chunks - 1) * chunkSize) / perCall);
  const calls = Math.max(0, chunks - 1) * whole + last;
  const ofChunk = chunks > 1 ? whole : last;
  // Where side lanes help, as many as have a few items each; all end together.
  const helping = Math.min(lanesPerChunk, Math.floor(ofChunk / ITEMS_PER_LANE) + 1);
  if (lanesPerChunk > 1) {
    const lanesMost = Math.min(chunks * helping, calls);
    return { chunks, calls, lanesMost, turns: (lanes, n) => Math.ceil(n / lanes) };
  }
  const turns = (lanes: number, n: number) => {
    const rounds = Math.floor((chunks - 1) / lanes);
    // A last round of the last chunk alone is as long as that one.
    const lastRound = (chunks - 1) % lanes === 0 ? last : whole;
    return calls === 0 ? 0 : Math.max(Math.ceil(n / lanes), rounds * whole + lastRound - (calls - n));
  };
  return { chunks, calls, lanesMost: chunks, turns };
}

function planWarnings(
  input: PlanInput & { readonly callMs: number; readonly work: Work; readonly lostMs: number },
): readonly string[] {
  const { maxParallelism, ratePerSecond, callMs, work } = input;
  const warnings: string[] = [];
  if (input.isPerHost === true) {
    warnings.push(
      "quota.perHost is not in the estimate: the host with the most items decides how long it takes",
    );
  }
  const excess = burstExcess({ ratePerSecond, burst: input.burst ?? null });
  if (excess !== null) warnings.push(excess);
  if (ratePerSecond === null) warnings.push("no quota is set: calls go as fast as the lanes allow");
  const few = tooFewChunks(input);
  if (few !== null) warnings.push(few);
  if (ratePerSecond !== null) {
    const needed = Math.ceil((ratePerSecond * callMs) / 1000);
    if (needed > maxParallelism && work.calls > maxParallelism) {
      warnings.push(
        `at ${callMs} ms a call, ${maxParallelism} lanes do not reach the quota; ${needed} would`,
      );
    }
    if (maxParallelism / ratePerSecond > LEASE_TTL_MS / 1000) {
      warnings.push("most lanes will wait for permits: the quota is far below what the lanes could use");
    }
  }
  return warnings;
}

/** Who would win less by smaller chunks is not told of them. */
const WORTH_A_WARNING_MS = 5000;

/** Where smaller chunks would put more lanes to work, and those are what the run lacks; else null. */
function tooFewChunks({
  maxParallelism,
  chunkSize,
  perCall = 1,
  work,
  lostMs,
}: PlanInput & { readonly work: Work; readonly lostMs: number }): string | null {
  const { chunks, lanesMost } = work;
  if (chunkSize <= perCall || lanesMost >= maxParallelism || lostMs < WORTH_A_WARNING_MS) return null;
  return (
    `${chunks} ${chunks === 1 ? "chunk keeps" : "chunks keep"} at most ${lanesMost} of ` +
    `${maxParallelism} lanes busy; a smaller chunkSize would use more`
  );
}
