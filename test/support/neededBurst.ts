/**
 * What a series of arrivals says about whoever sent it: the *needed burst* and the fullest windows.
 *
 * The needed burst is the smallest bucket, refilled at the limit's rate and full at the start, that would have
 * rejected none of the arrivals. One figure for overshoot at every time scale at once: an even sender at the
 * rate needs 1, a sender that lets n calls go at the same instant needs n. Computed afterwards from what was
 * seen, so it does not depend on which limiter the target runs.
 */

/** Sliding windows in which the most arrivals are counted, milliseconds. */
export const WINDOWS_MS = [10, 100, 1_000, 10_000] as const;

/**
 * The smallest bucket that would have rejected nothing; 0 for no arrivals.
 * `arrivalsMs` ascending.
 */
export function neededBurst(arrivalsMs: ArrayLike<number>, ratePerSecond: number): number {
  let usedTokens = 0;
  let lastMs = arrivalsMs[0] ?? 0;
  let needed = 0;
  for (let i = 0; i < arrivalsMs.length; i++) {
    const atMs = arrivalsMs[i] as number;
    usedTokens = Math.max(0, usedTokens - ((atMs - lastMs) * ratePerSecond) / 1000) + 1;
    lastMs = atMs;
    if (usedTokens > needed) needed = usedTokens;
  }
  return needed;
}

/** The most arrivals in any window `[t, t + windowMs)`. `arrivalsMs` ascending. */
export function mostInWindow(arrivalsMs: ArrayLike<number>, windowMs: number): number {
  let first = 0;
  let most = 0;
  for (let last = 0; last < arrivalsMs.length; last++) {
    while ((arrivalsMs[last] as number) - (arrivalsMs[first] as number) >= windowMs) first++;
    if (last - first + 1 > most) most = last - first + 1;
  }
  return most;
}

export interface ArrivalFigures {
  readonly calls: number;
  /** First arrival to last. */
  readonly spanMs: number;
  /** Calls over the span, per second; 0 for fewer than two calls. */
  readonly meanPerSecond: number;
  readonly neededBurst: number;
  /** Most arrivals by window length in milliseconds. */
  readonly mostIn: Readonly<Record<(typeof WINDOWS_MS)[number], number>>;
}

/** All figures of one series. `arrivalsMs` ascending. */
export function arrivalFigures(arrivalsMs: ArrayLike<number>, ratePerSecond: number): ArrivalFigures {
  const calls = arrivalsMs.length;
  const spanMs = calls === 0 ? 0 : (arrivalsMs[calls - 1] as number) - (arrivalsMs[0] as number);
  return {
    calls,
    spanMs,
    meanPerSecond: spanMs === 0 ? 0 : ((calls - 1) * 1000) / spanMs,
    neededBurst: neededBurst(arrivalsMs, ratePerSecond),
    mostIn: {
      10: mostInWindow(arrivalsMs, 10),
      100: mostInWindow(arrivalsMs, 100),
      1000: mostInWindow(arrivalsMs, 1000),
      10000: mostInWindow(arrivalsMs, 10_000),
    },
  };
}

/** Whole windows in which the used share is counted. */
const SHARE_WINDOW_MS = 1000;

/**
 * Share of the allowed rate that was used, 0 to a little over 1: accepted calls in whole seconds, from `warmUpMs` after
 * the first arrival on; the last, broken second is left out. Cut at borders of windows because a short run of a sender
 * that lets a window's calls go at once is otherwise off by a window. NaN when no whole second is left.
 * `arrivalsMs` ascending; `statuses` beside it.
 */
export function usedShare(
  arrivalsMs: ArrayLike<number>,
  statuses: ArrayLike<number>,
  of: { readonly ratePerSecond: number; readonly warmUpMs: number; readonly untilMs?: number },
): number {
  const fromMs = (arrivalsMs[0] ?? 0) + of.warmUpMs;
  const lastMs = Math.min(arrivalsMs[arrivalsMs.length - 1] ?? 0, of.untilMs ?? Number.POSITIVE_INFINITY);
  const windows = Math.floor((lastMs - fromMs) / SHARE_WINDOW_MS);
  if (windows < 1) return Number.NaN;
  const endMs = fromMs + windows * SHARE_WINDOW_MS;
  let accepted = 0;
  for (let i = 0; i < arrivalsMs.length; i++) {
    const atMs = arrivalsMs[i] as number;
    if (atMs >= fromMs && atMs < endMs && statuses[i] !== 429) accepted += 1;
  }
  return (accepted * 1000) / (of.ratePerSecond * windows * SHARE_WINDOW_MS);
}
