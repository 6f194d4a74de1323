/**
 * The reserve of a target: permits for programs that are not Weir, by a limiter of their own (`gcra.ts`) whose rate is
 * a part of the target's.
 *
 * While programs ask, the reserve follows what they use, up to the whole of it; when nobody has asked for
 * `RESERVE_IDLE_MS`, all but a tenth is the runs'. It grows only by what no run holds, as any share does, and what it
 * gave out stays with it until the instants are over.
 */

import { emissionIntervalMs, emptyTat, reserve, retime, type Tat } from "../limiter/gcra.ts";
import {
  PERMITS_PER_REQUEST,
  PERMITS_WAIT_MAX_MS,
  RESERVE_CATCH_UP,
  RESERVE_IDLE,
  RESERVE_IDLE_MS,
  RESERVE_ROOM,
  RESERVE_WAIT_MS,
  TARGET_WAIT_ASK_MS,
} from "../limits.ts";

export interface Reserve {
  /** The rate that programs may use now; null: requests are not limited. */
  perSecond: number | null;
  tat: Tat;
  /** A former, larger rate, which its last instants use until then. */
  tail: { readonly perSecond: number; readonly untilMs: number };
  /** When a program last asked; null: never, or not since the restart. */
  askedMs: number | null;
  /** Permits given in each of the last seconds, the newest first, and the second of the newest. */
  used: readonly number[];
  second: number;
  /** When a program last had to wait; null: none had to. */
  shortMs: number | null;
}

/** So long the whole reserve, and more, is wanted after a program had to wait. */
const SHORT_MS = 2000;
const SECONDS = RESERVE_IDLE_MS / 1000;

export function createReserve(nowMs: number): Reserve {
  return {
    perSecond: 0,
    tat: emptyTat(nowMs),
    tail: { perSecond: 0, untilMs: 0 },
    askedMs: null,
    used: [],
    second: Math.floor(nowMs / 1000),
    shortMs: null,
  };
}

/** Programs asked of late: their part of what cannot be counted (lanes, tokens) is left to them whole. */
export function isReserveInUse({ askedMs }: Reserve, nowMs: number): boolean {
  return askedMs !== null && nowMs - askedMs < RESERVE_IDLE_MS;
}

/** How much of `most`, the whole reserve, programs want now. */
export function reserveWanted(state: Reserve, most: number, nowMs: number): number {
  const least = RESERVE_IDLE * most;
  if (!isReserveInUse(state, nowMs)) return least;
  if (state.shortMs !== null && nowMs - state.shortMs < SHORT_MS) return RESERVE_CATCH_UP * most;
  const used = Math.max(0, ...shifted(state, nowMs));
  return Math.min(most, Math.max(least, RESERVE_ROOM * used + 1));
}

/** What programs may be using at most. */
export function reserveHeld({ perSecond, tail }: Reserve, nowMs: number): number {
  const former = nowMs < tail.untilMs ? tail.perSecond : 0;
  return Math.max(perSecond ?? Number.POSITIVE_INFINITY, former);
}

/** Another rate for programs, from now on: the instants that are out stay. */
export function setReserve(state: Reserve, perSecond: number | null, nowMs: number): void {
  const before = state.perSecond;
  if (before === perSecond) return;
  if (before !== null && before > (perSecond ?? Number.POSITIVE_INFINITY)) {
    const untilMs = Math.max(state.tat.tatMs, nowMs < state.tail.untilMs ? state.tail.untilMs : 0);
    state.tail = { perSecond: reserveHeld(state, nowMs), untilMs };
  }
  state.perSecond = perSecond;
  if (before !== null && before > 0 && perSecond !== null && perSecond > 0)
    state.tat = retime(state.tat, {
      fromMs: emissionIntervalMs(before),
      toMs: emissionIntervalMs(perSecond),
    });
}

interface ReservePermits {
  readonly sendInMs: readonly number[];
  readonly askAgainInMs: number | null;
}

/** Permits for a program; none before `notBeforeMs`. */
export function takeFromReserve(
  state: Reserve,
  want: {
    readonly count: number;
    readonly waitMs: number;
    readonly notBeforeMs: number;
    readonly nowMs: number;
  },
): ReservePermits {
  const { nowMs, notBeforeMs } = want;
  const count = Math.min(want.count, PERMITS_PER_REQUEST);
  state.askedMs = nowMs;
  if (count === 0) return { sendInMs: [], askAgainInMs: null };
  const depthMs = Math.min(want.waitMs, PERMITS_WAIT_MAX_MS);
  const pausedMs = Math.max(0, notBeforeMs - nowMs);
  if (pausedMs > depthMs) return { sendInMs: [], askAgainInMs: pausedMs };
  if (state.perSecond === null) {
    record(state, count, nowMs);
    return { sendInMs: Array.from({ length: count }, () => pausedMs), askAgainInMs: null };
  }
  if (state.perSecond === 0) {
    state.shortMs = nowMs;
    return { sendInMs: [], askAgainInMs: TARGET_WAIT_ASK_MS };
  }
  const intervalMs = emissionIntervalMs(state.perSecond);
  const reserved = reserve([{ ...state.tat, intervalMs, cost: 1, burst: null }], {
    nowMs,
    leadMs: 0,
    count,
    depthMs,
    notBeforeMs,
  });
  if (reserved.kind !== "granted") {
    state.shortMs = nowMs;
    const askAgainInMs = reserved.kind === "deferred" ? reserved.askAgainInMs : TARGET_WAIT_ASK_MS;
    return { sendInMs: [], askAgainInMs };
  }
  state.tat = reserved.tats[0]!;
  record(state, reserved.count, nowMs);
  if (reserved.count < count || reserved.firstInMs > RESERVE_WAIT_MS + pausedMs) state.shortMs = nowMs;
  const { firstInMs, everyMs } = reserved;
  return {
    sendInMs: Array.from({ length: reserved.count }, (_, at) => firstInMs + at * everyMs),
    askAgainInMs: reserved.count < count ? Math.max(0, state.tat.tatMs - nowMs - depthMs) : null,
  };
}

function record(state: Reserve, count: number, nowMs: number): void {
  const used = [...shifted(state, nowMs)];
  used[0] = (used[0] ?? 0) + count;
  state.used = used;
  state.second = Math.max(state.second, Math.floor(nowMs / 1000));
}

function shifted({ used, second }: Reserve, nowMs: number): readonly number[] {
  const gone = Math.min(SECONDS, Math.max(0, Math.floor(nowMs / 1000) - second));
  return [...Array.from({ length: gone }, () => 0), ...used].slice(0, SECONDS);
}
