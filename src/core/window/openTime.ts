/** Time that counts only while a window is open: when work of some length is done, and how much fits before an instant. */
import type { WindowSpec } from "../spec.ts";
import { openingAt } from "./window.ts";

/** Openings that are gone through: half a year of nights. Who needs more is given no estimate. */
const MOST_CHANGES = 400;

/**
 * The instant at which `workMs` of open time have passed since `fromMs`, both instants in milliseconds since 1970; null
 * where that is further away than can be told. Without a window all time is open.
 */
export function doneAtMs(window: WindowSpec | null, fromMs: number, workMs: number): number | null {
  if (window === null) return fromMs + workMs;
  let [atMs, leftMs] = [fromMs, workMs];
  for (let changes = 0; changes < MOST_CHANGES; changes++) {
    const { isOpen, changesAtMs } = openingAt(window, atMs);
    if (changesAtMs === null) return isOpen ? atMs + leftMs : null;
    if (isOpen && leftMs <= changesAtMs - atMs) return atMs + leftMs;
    if (isOpen) leftMs -= changesAtMs - atMs;
    atMs = changesAtMs;
  }
  return null;
}

/** Open time from one instant to another, milliseconds; 0 where the second is not later. */
export function openMsBetween(window: WindowSpec | null, fromMs: number, toMs: number): number {
  if (window === null) return Math.max(0, toMs - fromMs);
  let [atMs, openMs] = [fromMs, 0];
  for (let changes = 0; changes < MOST_CHANGES && atMs < toMs; changes++) {
    const { isOpen, changesAtMs } = openingAt(window, atMs);
    const untilMs = Math.min(changesAtMs ?? toMs, toMs);
    if (isOpen) openMs += untilMs - atMs;
    atMs = untilMs;
  }
  return openMs;
}
