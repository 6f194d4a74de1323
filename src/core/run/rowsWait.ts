/**
 * How long rows may wait for their part while a run is young: whoever has just started one wants to see what comes.
 *
 * A part costs the same whatever it holds, so the wait grows with the time that the run has gone, and with the lanes
 * that cut parts: a young run cuts at most `EARLY_PARTS_PER_SECOND`, an old one as its spec says. The early parts of a
 * lane are therefore a number that does not depend on the run's size.
 */

import { EARLY_PARTS_PER_SECOND, ROWS_WAIT_LEAST_MS, ROWS_WAIT_SHARE } from "../limits.ts";
import { activeForMs } from "./activity.ts";
import type { Run } from "./run.ts";

/** Milliseconds from the first row of a part to its cut, at most; what the spec says may be less. */
export function rowsWaitMs(run: Run, nowMs: number): number {
  let lanes = 0;
  for (const { helps } of run.semaphore.live.values()) if (helps === null) lanes += 1;
  return waitMs({ activeMs: activeForMs(run.activity, nowMs), lanes });
}

/** Exported for its test. `lanes`: those that cut parts. */
export function waitMs({ activeMs, lanes }: { readonly activeMs: number; readonly lanes: number }): number {
  return Math.max(ROWS_WAIT_LEAST_MS, activeMs * ROWS_WAIT_SHARE, (lanes * 1000) / EARLY_PARTS_PER_SECOND);
}
