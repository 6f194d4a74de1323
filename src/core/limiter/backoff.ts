/**
 * How long an item waits before its next try: equal jitter (half fixed, half random), doubling up to a cap,
 * with what the target asked for as a floor.
 *
 * Invariant: `c/2 ≤ wait ≤ max(c, floor)` with `c = min(maxDelayMs, baseDelayMs × 2^(n−1))`, and never less than
 * the floor. What the target asked for is heeded up to a ceiling (`heededMs`). Randomness is passed in.
 */
import { assert } from "../assert.ts";
import { RETRY_AFTER_HEEDED_MS } from "../limits.ts";
import type { RetrySpec } from "../spec.ts";

export interface BackoffInput {
  /** Tries made so far, 1 or more: the wait is the one before try `attempt + 1`. */
  readonly attempt: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** The least wait; null: none. */
  readonly floorMs: number | null;
  /** 0 … 1, from the caller's source of randomness. */
  readonly random: number;
}

/** Milliseconds until the next try of an item. */
export function backoffMs(input: BackoffInput): number {
  assert(input.attempt >= 1, "a backoff follows at least one try");
  const ceilingMs = Math.min(input.maxDelayMs, input.baseDelayMs * 2 ** (input.attempt - 1));
  const jitteredMs = ceilingMs / 2 + (input.random * ceilingMs) / 2;
  return Math.max(input.floorMs ?? 0, jitteredMs);
}

/** What is heeded of the wait that a target asked for (null: it asked for none): beyond the ceiling the item asks again. */
export function heededMs(retryAfterMs: number | null, retry: RetrySpec): number | null {
  return retryAfterMs === null ? null : Math.min(retryAfterMs, maxRetryAfterMs(retry));
}

/** The ceiling of announced waits; runs of an older version have the default. */
export function maxRetryAfterMs(retry: RetrySpec): number {
  return retry.maxRetryAfterMs ?? RETRY_AFTER_HEEDED_MS;
}

/** The longest that any item of a run waits for its next try. */
export function longestWaitMs(retry: RetrySpec): number {
  return Math.max(maxRetryAfterMs(retry), retry.maxDelayMs, retry.throttledMinDelayMs ?? 0);
}
