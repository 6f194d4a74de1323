/**
 * How far apart an invocation keeps its calls, where its target refuses some that come too near to one another.
 *
 * A busy machine lets calls go in groups: timers are late, and what became due meanwhile goes at once. A bucket takes
 * that, a limiter without one refuses all but the first. So where refusals of such calls are more than rare, calls are let go by a bucket of
 * Weir's own, and what it holds up for too long is forfeit. It is as small as the platform's timers are exact
 * (`SPACED_MS`), and is halved where calls are refused all the same. Where it costs much of the rate it is
 * doubled again: refused again at once, it was right, and is left alone for longer and longer.
 */
import { LOOSEN_FIRST_MS, LOOSEN_MOST_MS, LOOSEN_USED, SPACED_MS, SPACING_SHARE } from "../limits.ts";
import type { Spacing } from "../protocol.ts";

export interface Evenness {
  /** 0: as permits are due; 1 … 4: closer and closer to the distance of permits. */
  readonly level: number;
  /** When it was last made looser, run clock; absent: it was not. */
  readonly loosenedMs?: number;
  /** It is made looser when the last refusal is so long ago. */
  readonly loosensAfterMs: number;
}

/** At this one no call leaves before its distance to the one before is over. */
const LEVEL_MOST = 4;
/** At this distance of permits late timers cost less than a tenth of it. */
const STRICT_FROM_MS = 9;
/** A refusal within this is a consequence of the looser level. */
const CONSEQUENCE_MS = 5000;
const LOOSENS_LATER = 4;

/** The next level, where calls close behind others are refused. */
export function evener(before: Evenness | undefined, everyMs: number, nowMs: number): Evenness {
  const { level, loosensAfterMs, loosenedMs } = before ?? { level: 0, loosensAfterMs: LOOSEN_FIRST_MS };
  const next = everyMs >= STRICT_FROM_MS ? LEVEL_MOST : Math.min(LEVEL_MOST, level + 1);
  const isConsequence = loosenedMs !== undefined && nowMs - loosenedMs <= CONSEQUENCE_MS;
  if (!isConsequence) return { level: next, loosensAfterMs };
  return { level: next, loosensAfterMs: Math.min(LOOSEN_MOST_MS, loosensAfterMs * LOOSENS_LATER) };
}

/** No level is left: what is refused now is refused for its rate. */
export function isEvenest(evenness: Evenness | undefined): boolean {
  return evenness?.level === LEVEL_MOST;
}

/** To be as even as can be costs so little at this distance of permits that one refusal is reason enough. */
export function isCheapAt(everyMs: number): boolean {
  return everyMs >= STRICT_FROM_MS;
}

/** A looser level where the rate in force is not reached; `used`: the share of it that is. Null: it stays. */
export function loosened(
  before: Evenness | undefined,
  at: { readonly nowMs: number; readonly quietMs: number; readonly used: number },
): Evenness | null {
  if (before === undefined || before.level === 0 || at.used >= LOOSEN_USED) return null;
  if (at.quietMs < before.loosensAfterMs) return null;
  if (before.loosenedMs !== undefined && at.nowMs - before.loosenedMs < CONSEQUENCE_MS) return null;
  return { ...before, level: before.level - 1, loosenedMs: at.nowMs };
}

/** What an invocation is to keep; null: calls leave as their permits are due. `everyMs`: the distance of permits. */
export function spacingAt(evenness: Evenness | undefined, everyMs: number): Spacing | null {
  if (evenness === undefined || evenness.level === 0) return null;
  const looseMs = evenness.level >= LEVEL_MOST ? 0 : SPACED_MS / 2 ** (evenness.level - 1);
  return { together: 1 + looseMs / everyMs, everyMs: SPACING_SHARE * everyMs };
}
