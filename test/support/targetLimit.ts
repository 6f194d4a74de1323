/** Which limiter a target's options ask for. */
import { StrictLimit } from "./strictLimit.ts";
import type { TargetOptions } from "./targetOptions.ts";
import { AlignedLimit, SlidingLimit } from "./windowLimit.ts";

export interface Limit {
  /** Null: accepted. Else milliseconds until one call would be. */
  admit(nowMs: number): number | null;
}

/** Null: the target only observes. */
export function limitOf({ limit }: TargetOptions): Limit | null {
  if (limit === undefined || limit === null) return null;
  if (!("window" in limit)) return new StrictLimit(limit);
  return limit.window === "sliding" ? new SlidingLimit(limit) : new AlignedLimit(limit);
}
