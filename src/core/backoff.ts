/**
 * How long an item waits before its next try: equal jitter (half fixed, half random), doubling up to a cap,
 * with the target's Retry-After as a floor.
 *
 * Invariant: `c/2 ≤ wait ≤ max(c, Retry-After)` with `c = min(maxDelayMs, baseDelayMs × 2^(n−1))`, and never less
 * than the target asked for. Randomness is passed in.
 */
import { assert } from "./assert.ts";
import { RETRY_AFTER_MAX_MS } from "./limits.ts";

export interface BackoffInput {
  /** Tries made so far, 1 or more: the wait is the one before try `attempt + 1`. */
  readonly attempt: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** What the target asked for; null when it said nothing. */
  readonly retryAfterMs: number | null;
  /** 0 … 1, from the caller's source of randomness. */
  readonly random: number;
}

export type Backoff =
  | { readonly kind: "wait"; readonly ms: number }
  /** The target asked for more than `RETRY_AFTER_MAX_MS`: the item fails. */
  | { readonly kind: "too-long" };

/** Milliseconds until the next try of an item, or that it is not worth waiting for. */
export function backoffMs(input: BackoffInput): Backoff {
  assert(input.attempt >= 1, "a backoff follows at least one try");
  const floorMs = input.retryAfterMs ?? 0;
  if (floorMs > RETRY_AFTER_MAX_MS) return { kind: "too-long" };
  const ceilingMs = Math.min(input.maxDelayMs, input.baseDelayMs * 2 ** (input.attempt - 1));
  const jitteredMs = ceilingMs / 2 + (input.random * ceilingMs) / 2;
  return { kind: "wait", ms: Math.max(floorMs, jitteredMs) };
}
