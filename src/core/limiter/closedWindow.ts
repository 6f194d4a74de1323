/**
 * A window that is closed, as opposed to a rate that is too high: different items are throttled one after the other and
 * no call is answered in between. A lower rate does not open a window, so all pause and single calls ask (`circuit.ts`):
 * at once where the target says how long, else after some seconds without any answer.
 *
 * Without this each throttled call would begin an epoch of its own at a lower rate, down to a call in minutes, and the
 * rate would take hours to grow again once the window is open.
 */
import {
  CLOSED_WINDOW_MS,
  PROBE_FIRST_MS,
  SHARED_PAUSE_MAX_MS,
  SHORT_WAIT_MS,
  THROTTLED_ITEMS_TO_PAUSE,
} from "../limits.ts";
import type { Report, Trouble } from "../protocol.ts";

/** Calls that were throttled since the last one that was answered. */
export interface ThrottledRow {
  /** Since when; of no meaning without items. */
  readonly sinceMs: number;
  /** Different items, at most `THROTTLED_ITEMS_TO_PAUSE`. */
  readonly items: readonly number[];
  /** The latest that was asked for; null: nothing was. */
  readonly retryAfterMs: number | null;
  /** Calls of older epochs do not count: they were under way when the rate was lowered, or all paused. */
  readonly fromEpoch: number;
}

export interface Judged {
  readonly row: ThrottledRow;
  /** How long all pause before a single call asks; null: it may be the rate. */
  readonly pauseMs: number | null;
  /** The target says how long it is closed. */
  readonly isAnnounced: boolean;
}

/** The row after a report. `epoch`: the current one. */
export function judgeWindow(
  before: ThrottledRow | null,
  report: Report,
  at: { readonly nowMs: number; readonly epoch: number },
): Judged {
  let row = before ?? NONE;
  if (report.answered > 0) row = { ...NONE, fromEpoch: row.fromEpoch };
  for (const trouble of sinceAnswer(report)) row = withTrouble(row, trouble, at.nowMs);
  const pauseMs = pauseOf(row, at.nowMs);
  const isAnnounced = row.retryAfterMs !== null;
  if (pauseMs === null) return { row, pauseMs, isAnnounced };
  return { row: { ...NONE, fromEpoch: at.epoch + 1 }, pauseMs, isAnnounced };
}

const NONE: ThrottledRow = { sinceMs: 0, items: [], retryAfterMs: null, fromEpoch: Number.MIN_SAFE_INTEGER };

function sinceAnswer({ answered, troubles, troublesSinceAnswer }: Report): readonly Trouble[] {
  const since = Math.min(troublesSinceAnswer, troubles.length);
  return answered > 0 ? troubles.slice(troubles.length - since) : troubles;
}

/** A probe asks whether the window is open: the circuit keeps its answers. */
function withTrouble(row: ThrottledRow, trouble: Trouble, nowMs: number): ThrottledRow {
  const { kind, index, epoch, retryAfterMs, probe } = trouble;
  if (kind !== "throttled" || probe || epoch < row.fromEpoch) return row;
  const { items } = row;
  const isNew = items.length < THROTTLED_ITEMS_TO_PAUSE && !items.includes(index);
  return {
    sinceMs: items.length === 0 ? nowMs : row.sinceMs,
    items: isNew ? [...items, index] : items,
    retryAfterMs,
    fromEpoch: epoch,
  };
}

function pauseOf({ items, retryAfterMs, sinceMs }: ThrottledRow, nowMs: number): number | null {
  if (items.length < THROTTLED_ITEMS_TO_PAUSE) return null;
  const forMs = nowMs - sinceMs;
  // Who answers in whole seconds says "1" for a millisecond too: that much must pass without an answer first.
  if (retryAfterMs !== null)
    return retryAfterMs > SHORT_WAIT_MS || forMs >= SHORT_WAIT_MS
      ? Math.min(retryAfterMs, SHARED_PAUSE_MAX_MS)
      : null;
  return forMs >= CLOSED_WINDOW_MS ? PROBE_FIRST_MS : null;
}
