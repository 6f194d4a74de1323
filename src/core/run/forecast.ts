/** How fast a run can be expected to go, where what it does now says nothing about it. */
import { effectiveRate } from "../limiter/quota.ts";
import { pace } from "../plan/estimate.ts";
import { lanesUnderRamp } from "./rampCap.ts";
import type { Run } from "./run.ts";

/** Calls a second that its limits and its lanes allow; null: neither a rate nor a call's duration is known. */
export function foreseenPerSecond(run: Run): number | null {
  const { state, activity } = run;
  const { pacing } = state.spec;
  const ratePerSecond = effectiveRate(state.quota);
  if (activity.callMs === null) return ratePerSecond;
  const callMs = Math.max(activity.callMs, pacing.minIntervalMs + pacing.jitterMs / 2);
  return pace({ ratePerSecond, lanes: lanesUnderRamp(run), callMs }).perSecond;
}
