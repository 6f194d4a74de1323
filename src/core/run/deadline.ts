/**
 * Whether a run will be done by its deadline, and by how much not. For people: it changes no limit and no permit.
 *
 * Two judgements, the worse one counts. What the limits allow is certain: with the quota at its full rate, or with all
 * lanes at the duration of a call as measured, it cannot end earlier. How fast the run goes now is a forecast, and heeded
 * where it is far off and has been measured for some time.
 */
import { itemsPerCall } from "../batch.ts";
import { pace } from "../plan/estimate.ts";
import { lasting, number } from "../sentence.ts";
import { doneAtMs, openMsBetween } from "../window/openTime.ts";
import { activeForMs } from "./activity.ts";
import { afterRampMs, shareOfLimits } from "./rampCap.ts";
import { configuredPerSecond, configuredTokensPerSecond, isWorking, type Run } from "./run.ts";
import { type DeadlineView, isEnded } from "./runView.ts";
import { moment } from "./waiting.ts";

/** Less than this past the deadline, or this share of what is left, is not said to be certain. */
const CERTAIN_FROM_MS = 1000;
const CERTAIN_FROM_SHARE = 0.01;
/** Rows wait up to half a minute for their part, and the pace of a run varies. */
const FORECAST_FROM_MS = 30_000;
const FORECAST_FROM_SHARE = 0.05;
/** So long a run has gone before its pace says anything. */
const FORECAST_AFTER_MS = 10_000;

interface Reading {
  readonly nowMs: number;
  readonly wallMs: number;
}

/** Null where the run has no deadline. `etaMs`: when it would be done as it goes now; null: not known. */
export function judgeDeadline(run: Run, etaMs: number | null, reader: Reading): DeadlineView | null {
  const { state } = run;
  const dueMs = state.deadlineMs ?? null;
  if (dueMs === null) return null;
  const at = new Date(dueMs).toISOString();
  const lateMs = isEnded(state.status)
    ? (state.endedAtMs ?? dueMs) - dueMs
    : lateByMs(run, dueMs, { ...reader, etaMs });
  return {
    at,
    missedBySeconds: lateMs <= 0 ? null : Math.ceil(lateMs / 1000),
    neededPerSecond: isWorking(run) ? neededPerSecond(run, dueMs, reader.wallMs) : null,
  };
}

/** How much later than `dueMs` it will be done; 0 or less: in time, as far as is known. */
function lateByMs(run: Run, dueMs: number, reader: Reading & { readonly etaMs: number | null }): number {
  const { nowMs, wallMs, etaMs } = reader;
  const window = run.state.spec.window ?? null;
  const best = bestPerSecond(run);
  const share = shareOfLimits(run);
  const leastMs = best === null ? 0 : afterRampMs(run, (callsLeft(run) / (best * share)) * 1000);
  const certainMs = doneAtMs(window, wallMs, leastMs) ?? Number.POSITIVE_INFINITY;
  const certain = beyond(certainMs, dueMs, wallMs, CERTAIN_FROM_MS, CERTAIN_FROM_SHARE);
  const isMeasured = activeForMs(run.activity, nowMs) >= FORECAST_AFTER_MS;
  const forecast =
    etaMs === null || !isMeasured ? 0 : beyond(etaMs, dueMs, wallMs, FORECAST_FROM_MS, FORECAST_FROM_SHARE);
  return Math.max(wallMs - dueMs, certain, forecast);
}

function beyond(endMs: number, dueMs: number, wallMs: number, fromMs: number, share: number): number {
  const lateMs = endMs - dueMs;
  return lateMs > Math.max(fromMs, share * (endMs - wallMs)) ? lateMs : 0;
}

/** Calls that certainly are still to come; 0 while the items are not all planned. */
function callsLeft({ state }: Run): number {
  const { items, counts, plan, spec } = state;
  if (!plan.complete) return 0;
  const carried = itemsPerCall(spec);
  // Calls that have ended and whose rows are not committed yet are behind us.
  return Math.max(0, items - Math.max(counts.done, counts.attempts * carried)) / carried;
}

/** The most calls a second that the limits allow; null: nothing bounds them, or it is not known yet. */
function bestPerSecond({ state, activity }: Run): number | null {
  const { spec, quota } = state;
  const meanTokens = quota.tokens?.meanTokens ?? null;
  const tokens = configuredTokensPerSecond(spec);
  const byTokens = tokens === null || meanTokens === null ? Number.POSITIVE_INFINITY : tokens / meanTokens;
  const rate = Math.min(configuredPerSecond(spec) ?? Number.POSITIVE_INFINITY, byTokens);
  const ratePerSecond = rate === Number.POSITIVE_INFINITY ? null : rate;
  if (activity.callMs === null) return ratePerSecond;
  const callMs = Math.max(activity.callMs, spec.pacing.minIntervalMs + spec.pacing.jitterMs / 2);
  return pace({ ratePerSecond, lanes: spec.maxParallelism, callMs }).perSecond;
}

/** Calls a second, from now on, with which it would be done in time; null: nothing is left, or no rate would do. */
function neededPerSecond(run: Run, dueMs: number, wallMs: number): number | null {
  const calls = callsLeft(run);
  const openMs = openMsBetween(run.state.spec.window ?? null, wallMs, dueMs);
  return calls === 0 || openMs === 0 ? null : Math.round((calls * 10_000_000) / openMs) / 10_000;
}

/** What `why` says of it, behind the rest; "" where it is in time or there is none. */
export function deadlineNote(run: Run, deadline: DeadlineView | null, wallMs: number): string {
  if (deadline?.missedBySeconds == null) return "";
  const due = moment(wallMs, Date.parse(deadline.at));
  const by = lasting(deadline.missedBySeconds * 1000);
  if (isEnded(run.state.status)) return `; the deadline, ${due}, was missed by ${by}`;
  const { neededPerSecond: needed } = deadline;
  const takes = needed === null ? "" : `: it takes ${number(needed)}/s`;
  return `; the deadline, ${due}, will be missed by about ${by}${takes}`;
}
