/**
 * What a quota's burst means here: how late a permit may be used, and what may arrive together at worst.
 *
 * Weir paces evenly and never aims to use a burst. Calls bunch up only because permits may be used a little late:
 * at worst `rate × (grace + clock error) + 1` of them arrive at once. A small burst therefore shortens the grace.
 */
import { CLOCK_ERROR_MS, GRACE_MS, MIN_GRACE_MS } from "../limits.ts";
import { describeRate } from "./rate.ts";
import type { TokenSettings } from "./tokenQuota.ts";

export interface QuotaSettings {
  /** Null: no quota; calls go freely until a throttled answer sets a rate. */
  readonly ratePerSecond: number | null;
  /** Requests the target tolerates at once; null when not said. */
  readonly burst: number | null;
  /** The limit is not known: the rate is found out, up to `ratePerSecond`. */
  readonly isAuto?: boolean;
  /** Absent: tokens are not limited. */
  readonly tokens?: TokenSettings;
}

/** How late a permit may be used, milliseconds: less where the target's burst is small (not below 5 ms). */
export function graceMs(settings: QuotaSettings): number {
  if (settings.ratePerSecond === null || settings.burst === null) return GRACE_MS;
  const fittingMs = ((settings.burst - 1) * 1000) / settings.ratePerSecond - CLOCK_ERROR_MS;
  return Math.min(GRACE_MS, Math.max(MIN_GRACE_MS, Math.floor(fittingMs)));
}

/** The most requests that can arrive at once beyond the even pace; null without a quota. */
export function worstBurst(settings: QuotaSettings): number | null {
  if (settings.ratePerSecond === null) return null;
  return Math.floor((settings.ratePerSecond * (graceMs(settings) + CLOCK_ERROR_MS)) / 1000 + 1e-9) + 1;
}

/** A sentence where the burst that the target tolerates cannot be promised; null where it can. */
export function burstExcess(settings: QuotaSettings): string | null {
  const worst = worstBurst(settings);
  if (settings.ratePerSecond === null || settings.burst === null || worst === null) return null;
  if (worst <= settings.burst) return null;
  const rate = describeRate(settings.ratePerSecond);
  return `at ${rate} up to ${worst} requests can arrive together, more than the quota's burst of ${settings.burst}`;
}
