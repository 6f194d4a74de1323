/**
 * How fast the run goes: calls of the last 5 s and the mean time of a call. In memory only: after a restart it
 * is measured anew. Estimates and `why` read it; no decision about permits does.
 */

/** `rate.currentPerSecond` is the mean of this long. */
export const ACTIVITY_WINDOW_MS = 5000;
/** Assumed until calls have been measured: slow enough that a fast target is not starved of lanes. */
export const ASSUMED_CALL_MS = 1000;
const BUCKET_MS = 250;
const BUCKETS = ACTIVITY_WINDOW_MS / BUCKET_MS;
/** Weight of the calls so far against new ones: about the last thousand calls count. */
const MEAN_OVER_CALLS = 1000;

export interface Activity {
  readonly calls: number[];
  /** Bucket number of the newest entry. */
  newest: number;
  /** Bucket number of the first report. */
  oldest: number | null;
  callMs: number | null;
  weight: number;
}

export function createActivity(): Activity {
  return { calls: new Array<number>(BUCKETS).fill(0), newest: 0, oldest: null, callMs: null, weight: 0 };
}

/** Counts calls that left, and the durations of those that ended. */
export function recordCalls(
  activity: Activity,
  seen: { calls: number; ended: number; callMs: number },
  nowMs: number,
): void {
  const bucket = moveTo(activity, nowMs);
  activity.oldest ??= bucket;
  activity.calls[bucket % BUCKETS] = (activity.calls[bucket % BUCKETS] ?? 0) + seen.calls;
  if (seen.ended <= 0) return;
  const mean = seen.callMs / seen.ended;
  const weight = Math.min(activity.weight, MEAN_OVER_CALLS);
  activity.callMs =
    activity.callMs === null ? mean : (activity.callMs * weight + seen.callMs) / (weight + seen.ended);
  activity.weight = weight + seen.ended;
}

/** Calls per second over the last 5 s, or since the first call if that is less. */
export function currentPerSecond(activity: Activity, nowMs: number): number {
  if (activity.oldest === null) return 0;
  const bucket = moveTo(activity, nowMs);
  const total = activity.calls.reduce((sum, calls) => sum + calls, 0);
  const fromBucket = Math.max(activity.oldest, bucket - BUCKETS + 1);
  const spanMs = Math.max(BUCKET_MS, nowMs - fromBucket * BUCKET_MS);
  return (total * 1000) / spanMs;
}

/** Since the first call that was reported; 0 before. After a restart it is counted anew. */
export function activeForMs(activity: Activity, nowMs: number): number {
  return activity.oldest === null ? 0 : Math.max(0, nowMs - activity.oldest * BUCKET_MS);
}

/** Mean duration of a call in ms, measured or assumed. */
export function callTimeMs(activity: Activity): number {
  return activity.callMs ?? ASSUMED_CALL_MS;
}

function moveTo(activity: Activity, nowMs: number): number {
  const bucket = Math.max(activity.newest, Math.floor(nowMs / BUCKET_MS));
  const stale = Math.min(BUCKETS, bucket - activity.newest);
  for (let i = 0; i < stale; i++) activity.calls[(bucket - i) % BUCKETS] = 0;
  activity.newest = bucket;
  return bucket;
}
