/**
 * The hours in which a run may call: `window` of a spec, and when it opens and closes next.
 *
 * A window is open whenever the clock of its zone shows a time within it. That decides all that happens where clocks
 * change: what the clock leaps over is missing, and what it shows twice counts twice. A window that goes over midnight
 * belongs to the day on which it begins: "fri" from 22:00 to 06:00 ends on Saturday.
 */
import { assert } from "../assert.ts";
import type { WindowSpec } from "../spec.ts";
import { offsetMs } from "./zone.ts";

/** In the order of the week as the platform counts it. */
export const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
export type Day = (typeof DAYS)[number];

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** 1970-01-01 was a Thursday. */
const EPOCH_DAY = 4;
/** A window that stays as it is for so long does not change: the longest stretch is a week, and a day may be leapt over. */
const LOOK_AHEAD_MS = 31 * DAY_MS;

export interface Opening {
  readonly isOpen: boolean;
  /** The first instant at which that is different, milliseconds since 1970; null: it always is so. */
  readonly changesAtMs: number | null;
}

/** Minutes since midnight of "HH:MM", 00:00 to 24:00; null for anything else. */
export function parseTimeOfDay(text: string): number | null {
  const [, hours, minutes] = /^(\d\d):(\d\d)$/.exec(text) ?? [];
  if (hours === undefined) return null;
  const minute = Number(hours) * 60 + Number(minutes);
  return Number(minutes) < 60 && minute <= 1440 ? minute : null;
}

/** Whether the window is open at an instant (milliseconds since 1970), and until when. */
export function openingAt(window: WindowSpec, atMs: number): Opening {
  const isOpen = isOpenAt(window, atMs);
  for (let fromMs = atMs; fromMs < atMs + LOOK_AHEAD_MS; ) {
    const nextMs = nextLook(window, fromMs);
    if (isOpenAt(window, nextMs) !== isOpen) return { isOpen, changesAtMs: nextMs };
    fromMs = nextMs;
  }
  return { isOpen, changesAtMs: null };
}

function isOpenAt(window: WindowSpec, atMs: number): boolean {
  const localMs = atMs + offsetMs(window.timeZone, atMs);
  const day = Math.floor(localMs / DAY_MS);
  const timeMs = localMs - day * DAY_MS;
  const { fromMs, toMs } = timesOf(window);
  if (fromMs < toMs) return isDay(window, day) && timeMs >= fromMs && timeMs < toMs;
  return (isDay(window, day) && timeMs >= fromMs) || (isDay(window, day - 1) && timeMs < toMs);
}

function isDay({ days }: WindowSpec, day: number): boolean {
  return days === null || days.includes(DAYS[(((day + EPOCH_DAY) % 7) + 7) % 7]!);
}

function timesOf(window: WindowSpec): { readonly fromMs: number; readonly toMs: number } {
  const from = parseTimeOfDay(window.from);
  const to = parseTimeOfDay(window.to);
  assert(from !== null && to !== null, "a stored window was checked when it was accepted");
  return { fromMs: from * MINUTE_MS, toMs: to * MINUTE_MS };
}

/** The next instant at which the window may change: a time of day that it names, midnight, or a change of the clock. */
function nextLook(window: WindowSpec, fromMs: number): number {
  const offset = offsetMs(window.timeZone, fromMs);
  const localMs = fromMs + offset;
  const midnightMs = Math.floor(localMs / DAY_MS) * DAY_MS;
  const times = timesOf(window);
  const ahead = [midnightMs + times.fromMs, midnightMs + times.toMs, midnightMs + DAY_MS];
  const nextMs = Math.min(...ahead.filter((ms) => ms > localMs)) - offset;
  return offsetMs(window.timeZone, nextMs) === offset ? nextMs : clockChange(window, fromMs, nextMs);
}

/** The first instant after `fromMs` with the offset that `toMs` has; less than a day lies between, so one change does. */
function clockChange({ timeZone }: WindowSpec, fromMs: number, toMs: number): number {
  const before = offsetMs(timeZone, fromMs);
  let [low, high] = [fromMs, toMs];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetMs(timeZone, middle) === before) low = middle;
    else high = middle;
  }
  return high;
}
