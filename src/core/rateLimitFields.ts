/**
 * What an answer says of the target's own ledger: `x-ratelimit-remaining-*` and `-reset-*` as language model endpoints
 * send them, and the `RateLimit` field of the IETF draft (both of its forms).
 *
 * Only what slows down is read. A field that does not parse says nothing.
 */
import type { Told } from "./protocol.ts";

/** Reads the fields; null when they say nothing of use. `field` gives a header's text by its lower-case name. */
export function readRateLimit(field: (name: string) => string | null): Told | null {
  const tokensRemaining = count(field("x-ratelimit-remaining-tokens"));
  const requestsInMs = requestsWaitMs(field);
  return tokensRemaining === null && requestsInMs === null ? null : { tokensRemaining, requestsInMs };
}

/** Until requests are taken again; null while some are left. */
function requestsWaitMs(field: (name: string) => string | null): number | null {
  if (count(field("x-ratelimit-remaining-requests")) === 0)
    return duration(field("x-ratelimit-reset-requests"));
  const draft = field("ratelimit");
  const remaining = count(draft === null ? field("ratelimit-remaining") : parameter(draft, "r", "remaining"));
  if (remaining !== 0) return null;
  const reset = count(draft === null ? field("ratelimit-reset") : parameter(draft, "t", "reset"));
  return reset === null ? null : reset * 1000;
}

/** `"default";r=0;t=12` and `limit=10, remaining=0, reset=12`. */
function parameter(text: string, short: string, long: string): string | null {
  return new RegExp(`(?:^|[;,\\s])(?:${short}|${long})\\s*=\\s*(\\d+)`, "i").exec(text)?.[1] ?? null;
}

function count(text: string | null): number | null {
  return text !== null && /^\s*\d{1,15}(?:\.\d+)?\s*$/.test(text) ? Number(text) : null;
}

const UNITS_MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;

/** "6m0s", "1.2s", "120ms", or plain seconds. */
function duration(text: string | null): number | null {
  if (text === null) return null;
  const seconds = count(text);
  if (seconds !== null) return seconds * 1000;
  if (!/^\s*(?:\d+(?:\.\d+)?(?:ms|[dhms]))+\s*$/.test(text)) return null;
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[dhms])/g)) {
    ms += Number(amount) * UNITS_MS[unit as keyof typeof UNITS_MS];
  }
  return ms;
}
