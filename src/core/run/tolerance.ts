/**
 * The share of failed rows among the last settled items. Kept per commit: a window is at most one part longer
 * than asked. Judged from `TOLERATE_FROM_ITEMS` on, so that one early failure stops nothing. The window is a run's
 * own and empty at its start and at a resume: what failed before is known.
 */
import { TOLERATE_FROM_ITEMS } from "../limits.ts";
import type { TolerateSpec } from "../spec.ts";

export interface Tolerance {
  commits: { readonly settled: number; readonly failed: number }[];
}

/** Failed and settled items of the window when the limit is passed. */
export type Verdict =
  | { readonly kind: "fine" }
  | { readonly kind: "passed"; readonly failed: number; readonly settled: number };

export function createTolerance(): Tolerance {
  return { commits: [] };
}

/** Counts a committed part and judges the window. */
export function judge(
  tolerance: Tolerance,
  part: { ok: number; failed: number },
  limit: TolerateSpec,
): Verdict {
  tolerance.commits.push({ settled: part.ok + part.failed, failed: part.failed });
  let settled = tolerance.commits.reduce((sum, commit) => sum + commit.settled, 0);
  while (tolerance.commits.length > 1 && settled - (tolerance.commits[0]?.settled ?? 0) >= limit.over) {
    settled -= tolerance.commits.shift()?.settled ?? 0;
  }
  const failed = tolerance.commits.reduce((sum, commit) => sum + commit.failed, 0);
  const enough = settled >= Math.min(TOLERATE_FROM_ITEMS, limit.over);
  return enough && failed > limit.failureRate * settled
    ? { kind: "passed", failed, settled }
    : { kind: "fine" };
}
