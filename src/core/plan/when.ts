/** When a planned run would be done if it started now: its hours, and whether its deadline would be kept. */

import { cleanShares, lanesUnder, type RampSettings, rampedMs } from "../limiter/ramp.ts";
import { HEADROOM } from "../limits.ts";
import type { WindowSpec } from "../spec.ts";
import { doneAtMs, openMsBetween } from "../window/openTime.ts";
import { openingAt } from "../window/window.ts";
import { BEGIN_AND_END_MS } from "./estimate.ts";

export interface WhenInput {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly window: WindowSpec | null;
  /** Null: there is no deadline. */
  readonly dueMs: number | null;
  /** Open time that the run takes with all of its limits. */
  readonly workMs: number;
  /** Null: all limits are in force from the beginning. */
  readonly ramp: RampSettings | null;
  /** Null where the number of items is not known. */
  readonly calls: number | null;
  /** From the start of a call to the moment its lane can start another. */
  readonly turnMs: number;
}

export interface When {
  /** From now to its end, closed hours included; null: further away than can be told. */
  readonly etaMs: number | null;
  /** Null without a window. */
  readonly opening: { readonly isOpen: boolean; readonly changesAtMs: number | null } | null;
  readonly deadline: PlannedDeadline | null;
}

export interface PlannedDeadline {
  readonly atMs: number;
  /** By how much it would be missed; 0: it would be kept. Null where the number of items is not known. */
  readonly missedByMs: number | null;
  /** Calls a second that it takes at least, and lanes; null: not known, or no rate would do. */
  readonly perSecond: number | null;
  readonly lanes: number | null;
}

export function planWhen(input: WhenInput): When {
  const { nowMs, window, ramp } = input;
  const workMs = ramp === null ? input.workMs : rampedMs(ramp, ramp.from, input.workMs);
  const endMs = doneAtMs(window, nowMs, workMs);
  return {
    etaMs: endMs === null ? null : endMs - nowMs,
    opening: window === null ? null : openingAt(window, nowMs),
    deadline: input.dueMs === null ? null : deadlineOf(input, input.dueMs, endMs),
  };
}

function deadlineOf(
  { nowMs, window, calls, turnMs }: WhenInput,
  dueMs: number,
  endMs: number | null,
): PlannedDeadline {
  if (calls === null) return { atMs: dueMs, missedByMs: null, perSecond: null, lanes: null };
  const missedByMs = Math.max(0, (endMs ?? Number.MAX_SAFE_INTEGER) - dueMs);
  // The last call begins a turn before the end.
  const callingMs = openMsBetween(window, nowMs, dueMs) - BEGIN_AND_END_MS - turnMs;
  if (callingMs <= 0) return { atMs: dueMs, missedByMs, perSecond: null, lanes: null };
  const exact = (Math.max(0, calls - 1) * 1000) / callingMs / (1 - HEADROOM);
  return {
    atMs: dueMs,
    missedByMs,
    perSecond: roundUp(exact),
    lanes: Math.ceil((exact * turnMs) / 1000) || 1,
  };
}

/** Three digits that are enough, never less than what it takes. */
function roundUp(perSecond: number): number {
  if (perSecond === 0) return 0;
  const step = 10 ** (Math.floor(Math.log10(perSecond)) - 2);
  return Number((Math.ceil(perSecond / step) * step).toPrecision(3));
}

export interface PlannedStep {
  readonly afterSeconds: number;
  readonly share: number;
  /** Null without a quota of requests. */
  readonly ratePerSecond: number | null;
  readonly lanes: number;
}

/** The steps of a ramp of which none is dirty. */
export function rampSteps(
  ramp: RampSettings,
  limits: { readonly ratePerSecond: number | null; readonly maxParallelism: number },
): readonly PlannedStep[] {
  const { ratePerSecond, maxParallelism } = limits;
  return cleanShares(ramp).map((share, at) => ({
    afterSeconds: (at * ramp.everyMs) / 1000,
    share,
    ratePerSecond: ratePerSecond === null ? null : Number((ratePerSecond * share).toPrecision(6)),
    lanes: lanesUnder(maxParallelism, share),
  }));
}
