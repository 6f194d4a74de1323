/**
 * Permits that lie apart: GCRA's line of instants with the places in it that nobody was given yet.
 *
 * `gcra.ts` hands out instants one behind the other, so an invocation with a few lanes gets one for each lane and asks
 * again. Its lanes could use a second round, if that came a turn later: instants for it are taken from further down the
 * line, and the places passed over stay free for others. So every slot is still given out once, a slot is one emission
 * interval, and the TAT stands behind the last slot that was given out, as ever.
 *
 * Invariants: no slot is given out twice; two instants lie at least one interval apart; a slot that nobody took in time
 * is gone. The places are known for one line only: where the TAT or the interval is not what this calendar left behind
 * (a changed rate, a permit from elsewhere, a restart), they are forgotten, which costs speed and never the rate. Kept in
 * memory only.
 */
import { assert } from "../assert.ts";
import { roundUp, type Tat, tatBehind } from "./gcra.ts";

/** Slots `from` up to and without `to`. */
interface Gap {
  readonly from: number;
  readonly to: number;
}

export interface Calendar {
  /** Instant of slot 0, run clock. */
  baseMs: number;
  /** One slot: the emission interval. */
  everyMs: number;
  /** Slots from here on were never passed. */
  end: number;
  /** The TAT behind what was given out: while it is the quota's, nobody else gave out any. */
  tatMs: number;
  /** Slots before `end` that are free, ascending. */
  gaps: Gap[];
}

/** A calendar that knows no line yet. */
export function createCalendar(): Calendar {
  return { baseMs: 0, everyMs: 0, end: 0, tatMs: Number.NaN, gaps: [] };
}

/** Forgets the free places: the clock leapt, so that they may be where others' instants are now. */
export function forgetPlaces(calendar: Calendar): void {
  calendar.tatMs = Number.NaN;
  calendar.gaps = [];
}

/** True where slots are free before the TAT. */
export function hasPlaces(calendar: Calendar, tat: Tat, intervalMs: number): boolean {
  return calendar.gaps.length > 0 && isSameLine(calendar, tat, intervalMs);
}

/** Nobody else gave out permits since, and the rate is the same. */
function isSameLine({ tatMs, everyMs }: Calendar, tat: Tat, intervalMs: number): boolean {
  return tatMs === tat.tatMs && everyMs === intervalMs;
}

export interface Booking {
  readonly nowMs: number;
  /** The first instant lies at least this far ahead. */
  readonly leadMs: number;
  /** Permits wanted, 1 or more. */
  readonly count: number;
  /** Two of them lie at least this far apart; one interval where it is shorter. */
  readonly spacingMs: number;
  /** No instant is given out further ahead than this. */
  readonly depthMs: number;
  readonly intervalMs: number;
  /** False: its instants lie behind all that were given out, so that evenly spaced ones are evenly spaced. */
  readonly takesPlaces: boolean;
}

/**
 * Takes up to `count` slots, each the first free one that lies far enough behind the one before. Null: none lies within
 * the depth. The caller stores the TAT.
 */
export function book(
  calendar: Calendar,
  tat: Tat,
  want: Booking,
): { readonly inMs: readonly number[]; readonly tat: Tat } | null {
  const { nowMs, intervalMs } = want;
  assert(
    want.count >= 1 && want.leadMs <= want.depthMs,
    "a booking has a count, and its lead lies within the depth",
  );
  follow(calendar, tat, want);
  const stride = Math.max(1, Math.ceil(want.spacingMs / intervalMs));
  const last = Math.floor((nowMs + want.depthMs - calendar.baseMs) / intervalMs);
  const inMs: number[] = [];
  let at = Math.max(slotFrom(calendar, nowMs + want.leadMs), want.takesPlaces ? 0 : calendar.end);
  while (inMs.length < want.count) {
    const slot = firstFree(calendar, at);
    if (slot > last) break;
    take(calendar, slot);
    inMs.push(calendar.baseMs - nowMs + slot * intervalMs);
    at = slot + stride;
  }
  if (inMs.length === 0) return null;
  const behind = tatBehind(calendar.baseMs + (calendar.end - 1) * intervalMs, intervalMs);
  calendar.tatMs = Math.max(tat.tatMs, behind.tatMs);
  return { inMs, tat: behind.tatMs > tat.tatMs ? behind : tat };
}

/**
 * Goes on with the line where it left it, or begins one behind the TAT. Slots before `nowMs` are gone; those within
 * this asker's lead may be of use to the next one.
 */
function follow(calendar: Calendar, tat: Tat, { nowMs, leadMs, intervalMs }: Booking): void {
  if (!isSameLine(calendar, tat, intervalMs) || tat.tatMs <= nowMs) {
    calendar.baseMs = roundUp(Math.max(tat.tatMs, nowMs + leadMs));
    calendar.everyMs = intervalMs;
    calendar.end = 0;
    calendar.gaps = [];
    return;
  }
  const first = slotFrom(calendar, nowMs);
  const gone = calendar.gaps.findIndex((gap) => gap.to > first);
  calendar.gaps.splice(0, gone < 0 ? calendar.gaps.length : gone);
  const [head] = calendar.gaps;
  if (head !== undefined && head.from < first) calendar.gaps[0] = { from: first, to: head.to };
}

function slotFrom({ baseMs, everyMs }: Calendar, ms: number): number {
  return Math.max(0, Math.ceil((ms - baseMs) / everyMs));
}

function firstFree({ gaps, end }: Calendar, at: number): number {
  const gap = gaps.find(({ to }) => to > at);
  return Math.max(at, gap === undefined ? end : gap.from);
}

function take(calendar: Calendar, slot: number): void {
  const { gaps, end } = calendar;
  if (slot >= end) {
    if (slot > end) gaps.push({ from: end, to: slot });
    calendar.end = slot + 1;
    return;
  }
  const at = gaps.findIndex(({ to }) => to > slot);
  const { from, to } = gaps[at]!;
  const left = [
    { from, to: slot },
    { from: slot + 1, to },
  ];
  gaps.splice(at, 1, ...left.filter((gap) => gap.from < gap.to));
}
