/** What a named target is configured to: the limits that all its users share, and the part kept for other programs. */
import { assert } from "../assert.ts";
import type { QuotaSettings } from "../limiter/burst.ts";
import { parseRate } from "../limiter/rate.ts";
import type { Limits } from "./targetProtocol.ts";

export interface TargetSettings {
  /** As the user wrote it; null: requests are not limited. */
  readonly requests: string | null;
  /** Requests that the outside system tolerates at once; null when not said. */
  readonly burst: number | null;
  /** As the user wrote it; null: tokens are not limited. */
  readonly tokens: string | null;
  /** Calls under way at once; null: not limited. */
  readonly maxParallelism: number | null;
  /** Share of every limit that is kept for programs that are not Weir, 0 to `MAX_RESERVE`. */
  readonly reserve: number;
}

/** What a target that says nothing of it gets. */
export const TARGET_DEFAULTS: TargetSettings = {
  requests: null,
  burst: null,
  tokens: null,
  maxParallelism: null,
  reserve: 0,
};

export function limitsOf({ requests, tokens, maxParallelism }: TargetSettings): Limits {
  return { perSecond: perSecond(requests), tokensPerSecond: perSecond(tokens), lanes: maxParallelism };
}

/** For the limiter that learns from throttled answers what the limit in force is. */
export function quotaOf(settings: TargetSettings): QuotaSettings {
  const { perSecond: ratePerSecond, tokensPerSecond } = limitsOf(settings);
  const requests = { ratePerSecond, burst: settings.burst };
  if (tokensPerSecond === null) return requests;
  return { ...requests, tokens: { perSecond: tokensPerSecond, burst: null } };
}

function perSecond(text: string | null): number | null {
  if (text === null) return null;
  const rate = parseRate(text);
  assert(rate.kind === "ok", "a stored rate was checked when it was accepted");
  return rate.perSecond;
}

/** What a target may be called: part of a path, of a key in storage and of a command line. */
export const TARGET_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
export const TARGET_NAME_RULE =
  "must be a name of 1 to 64 letters, digits, dots, underscores and hyphens that begins with a letter or digit";
