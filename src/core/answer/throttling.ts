/**
 * How long an item is asked for again that the target throttles, and when it is given up.
 *
 * A throttled try spends no attempt. The item waits for what the target announced (at most `maxRetryAfterMs`, then it
 * asks again), at least `throttledMinDelayMs`, and without a word the usual, doubling time. It is given up when two
 * things are true: it was throttled `maxThrottles` times, and it has waited, in all, for as long as the longest wait
 * that was announced to it (`RETRY_AFTER_MAX_MS` at most). Where `maxThrottles` is the default or more it has waited
 * for `maxRetryAfterMs` as well, an hour by default, because windows need not be announced. A smaller number is the
 * wish to give up early, and only an announced window outlasts it.
 *
 * It ends: `THROTTLED_TRIES_MOST` tries (or `maxThrottles`, if that is more) are the last in any case.
 */
import { backoffMs, heededMs, maxRetryAfterMs } from "../limiter/backoff.ts";
import { RETRY_AFTER_MAX_MS, THROTTLED_TRIES_MOST } from "../limits.ts";
import { type RetrySpec, SPEC_DEFAULTS } from "../spec.ts";
import { type Tries, triesOf } from "../tries.ts";

export type Throttled =
  | { readonly kind: "again"; readonly tries: Tries; readonly inMs: number }
  | { readonly kind: "given-up"; readonly tries: Tries };

/** What becomes of an item after a throttled try; `retryAfterMs`: what the target asked for. `random`: 0 … 1. */
export function afterThrottledTry(
  before: Tries,
  retryAfterMs: number | null,
  by: { readonly retry: RetrySpec; readonly random: number },
): Throttled {
  const { retry, random } = by;
  const announcedMs = Math.max(before.announcedMs ?? 0, Math.min(retryAfterMs ?? 0, RETRY_AFTER_MAX_MS));
  const throttles = before.throttles + 1;
  const tries = { ...triesOf(before), throttles, ...(announcedMs > 0 && { announcedMs }) };
  const waitedMs = before.throttledForMs ?? 0;
  const isPatient = waitedMs < patienceMs(announcedMs, retry) && throttles < THROTTLED_TRIES_MOST;
  if (throttles >= retry.maxThrottles && !isPatient) return { kind: "given-up", tries };
  const inMs = backoffMs({
    attempt: throttles,
    baseDelayMs: retry.baseDelayMs,
    maxDelayMs: retry.maxDelayMs,
    floorMs: restMs(retryAfterMs, retry),
    random,
  });
  return { kind: "again", tries: { ...tries, throttledForMs: Math.ceil(waitedMs + inMs) }, inMs };
}

/** How long the item, and with several of them everybody, leaves the target alone at least; null: nothing was said. */
export function restMs(retryAfterMs: number | null, retry: RetrySpec): number | null {
  const leastMs = retry.throttledMinDelayMs ?? 0;
  const heeded = heededMs(retryAfterMs, retry);
  return heeded === null && leastMs === 0 ? null : Math.max(heeded ?? 0, leastMs);
}

function patienceMs(announcedMs: number, retry: RetrySpec): number {
  const isEarly = retry.maxThrottles < SPEC_DEFAULTS.retry.maxThrottles;
  return isEarly ? announcedMs : Math.max(announcedMs, maxRetryAfterMs(retry));
}
