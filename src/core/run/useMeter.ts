/**
 * How much of its share a run uses in one dimension, and so how much it wants: all that it can get while it uses nearly
 * all of it, else what it used and a little room.
 *
 * The limiter's own line is the measure: instants that nobody asked for are gaps before the TAT, so their sum is what was
 * not used. Counting permits would not do, for they come in portions.
 */
import type { Tat } from "../limiter/gcra.ts";
import {
  LANES_BUSY,
  SHARE_ROOM,
  SHARE_USED,
  SHARE_USED_WAITING,
  USE_MEASURED_CALLS,
  USE_MEASURED_MS,
} from "../limits.ts";

/** Less than this part of what was used before is no chance, and counts at once. */
const LESS = 0.7;

export interface UseMeter {
  sinceMs: number;
  /** Of the line since then: what nobody asked for. */
  lostMs: number;
  /** Lanes that were seen since then, and those of them that were in a call. */
  lanes: number;
  busy: number;
  /** Somebody waited for more. */
  wasShort: boolean;
  /** As last measured; null: all. */
  want: number | null;
  /** Used per second in the time measured before, and whether that was nearly all; null: nothing was. */
  before: { readonly perSecond: number; readonly isFull: boolean } | null;
}

export function createMeter(nowMs: number): UseMeter {
  return { sinceMs: nowMs, lostMs: 0, lanes: 0, busy: 0, wasShort: false, want: null, before: null };
}

/** Notes that the line went on from `before` to `after`, of which `usedMs` were issued. */
export function noteLine(meter: UseMeter, before: Tat, after: Tat, usedMs: number): void {
  if (after.tatMs <= before.tatMs) return;
  meter.lostMs += Math.max(0, after.tatMs - usedMs - Math.max(before.tatMs, meter.sinceMs));
}

/** Somebody has to wait, and nothing but the limit holds him: more is wanted at once. */
export function noteShort(meter: UseMeter): void {
  meter.wasShort = true;
  meter.want = null;
}

/** Notes how many of an invocation's lanes are in a call. */
export function noteLanes(meter: UseMeter, lanes: number, busy: number): void {
  meter.lanes += lanes;
  meter.busy += Math.min(lanes, busy);
}

/** A share was given or changed: what was used under the former one says little. */
export function startMeasuring(meter: UseMeter, nowMs: number): void {
  meter.sinceMs = nowMs;
  meter.lostMs = 0;
  meter.lanes = 0;
  meter.busy = 0;
  meter.wasShort = false;
  meter.before = null;
}

/**
 * What is wanted under a limit of `perSecond`, whose line has come to `tatMs`; null: all. `least`: with less than this
 * nothing could begin anew.
 */
export function wanted(
  meter: UseMeter,
  line: { readonly perSecond: number; readonly tatMs: number; readonly least: number },
  nowMs: number,
): number | null {
  const { perSecond, tatMs, least } = line;
  const spanMs = nowMs - meter.sinceMs;
  const callsMs = perSecond > 0 ? (USE_MEASURED_CALLS * 1000) / perSecond : 0;
  if (spanMs < Math.max(USE_MEASURED_MS, callsMs)) return meter.want;
  const lostMs = meter.lostMs + Math.max(0, nowMs - Math.max(tatMs, meter.sinceMs));
  const part = Math.max(0, 1 - lostMs / spanMs);
  const { before } = meter;
  const waits = meter.busy < LANES_BUSY * meter.lanes;
  const now = { perSecond: part * perSecond, isFull: part >= (waits ? SHARE_USED_WAITING : SHARE_USED) };
  // Permits come in portions: once full, or once less, is chance.
  const isFull = meter.wasShort || (now.isFull && before?.isFull !== false);
  const last = before?.perSecond ?? 0;
  const used = now.perSecond < LESS * last ? now.perSecond : Math.max(now.perSecond, last);
  if (isFull) meter.want = null;
  else if (meter.want === null || !now.isFull) meter.want = Math.max(least, used * SHARE_ROOM);
  startMeasuring(meter, nowMs);
  meter.before = now;
  return meter.want;
}
