/**
 * What an answer says of the target's own ledger: tokens that remain, and until when no request is taken.
 *
 * Only what slows down is read. A field that does not parse says nothing.
 */

import type { Told } from "../protocol.ts";
import { type Field, requestsReset } from "./askedWait.ts";

/** Reads the fields; null when they say nothing of use. `nowMs`: wall time, for an answer without a Date. */
export function readRateLimit(field: Field, nowMs: number): Told | null {
  const tokensRemaining = count(field("x-ratelimit-remaining-tokens"));
  const requestsInMs = requestsReset(field, nowMs);
  return tokensRemaining === null && requestsInMs === null ? null : { tokensRemaining, requestsInMs };
}

function count(text: string | null): number | null {
  return text !== null && /^\s*\d{1,15}(?:\.\d+)?\s*$/.test(text) ? Number(text) : null;
}
