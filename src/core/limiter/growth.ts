/**
 * How the rate in force grows while calls are answered and none is refused.
 *
 * - *Starting* (the limit is not known): it doubles every second.
 * - *Seeking* (just lowered by a guess): quickly back to where it was refused, a part of the way each second, until it
 *   is refused again (binary increase, as in Xu, Harfoush and Rhee, "Binary Increase Congestion Control", 2004).
 * - *Holding*: slowly, because the rate stands just under the limit; the step doubles with every quiet time, in which a
 *   refusal was to be expected. So a limit that was raised is found in less than a minute.
 *
 * Only answered calls let it grow, for errors come back fast. And only a rate that is used: what was not tried says
 * nothing about the target (RFC 7661 has the same for TCP's window).
 */
import {
  HOLDING_GROWTH,
  QUIET_MS,
  RARE_REFUSALS,
  RATE_USED_STARTING,
  SEEKING_GAP,
  SEEKING_GROWTH,
  SEEKING_TO,
  STEP_DOWN_MOST,
} from "../limits.ts";

export type Phase = "starting" | "seeking" | "holding";

export interface Growing {
  readonly ratePerSecond: number;
  /** The rate that was refused last. */
  readonly ceilingPerSecond: number;
  readonly phase: Phase;
  /** Calls per second that leave; null: not known yet. */
  readonly sentPerSecond: number | null;
  /** The rate has to be used by so much, as a share, to be raised. */
  readonly usedLeast: number;
  /** Without a refusal for so long. */
  readonly quietMs: number;
  /** Of it since the last step. */
  readonly passedMs: number;
}

/** A step once in so long: each begins a line of permits anew. */
const STEP_MS = { starting: 100, seeking: 100, holding: 500 } as const;
/** Of a longer time without a report no more counts. */
const PASSED_MOST_MS = 2000;

/** The rate after the time that passed; null: it is not time for a step. */
export function grownRate(growing: Growing): { readonly perSecond: number; readonly phase: Phase } | null {
  const { ratePerSecond: rate, ceilingPerSecond: ceiling, phase, sentPerSecond: sent } = growing;
  const passedMs = Math.min(growing.passedMs, PASSED_MOST_MS);
  if (growing.passedMs < STEP_MS[phase]) return null;
  const used = phase === "starting" ? RATE_USED_STARTING : growing.usedLeast;
  if (sent === null || sent < used * rate) return null;
  const passedS = passedMs / 1000;
  if (phase === "starting") return { perSecond: rate * 2 ** passedS, phase };
  const top = ceiling * SEEKING_TO;
  if (phase === "seeking" && rate < top) {
    const perSecond = Math.max(
      rate * (1 + SEEKING_GROWTH * passedS),
      rate + (top - rate) * SEEKING_GAP * passedS,
    );
    return { perSecond: Math.min(top, perSecond), phase };
  }
  const doublings = Math.floor(growing.quietMs / quietTimeMs(sent));
  const perSecond = rate * (1 + holdingGrowth(sent) * 2 ** doublings * passedS);
  return { perSecond, phase: "holding" };
}

/**
 * What one rare refusal takes off the rate, as a share: what it grows by in as many calls as have one refusal among
 * them. So the rate stands where `RARE_REFUSALS` of the calls are refused, whatever the target's limiter looks like.
 */
export function stepDown(sentPerSecond: number): number {
  return Math.min(STEP_DOWN_MOST, HOLDING_GROWTH / (RARE_REFUSALS * sentPerSecond));
}

/** Growth a second as a share of the rate: less where calls are few, so that a step down stays small. */
function holdingGrowth(sentPerSecond: number): number {
  return Math.min(HOLDING_GROWTH, RARE_REFUSALS * STEP_DOWN_MOST * sentPerSecond);
}

/** By then a refusal was to be expected. */
function quietTimeMs(sentPerSecond: number): number {
  return Math.max(QUIET_MS, 1000 / (RARE_REFUSALS * sentPerSecond));
}
