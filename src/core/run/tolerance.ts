/**
 * The share of failed rows that a run tolerates, judged over its last `over` items, or over all of them where they are
 * fewer: the limit is passed as soon as more items failed than that share of *the whole window* allows. So a run of
 * which up to that share fails is never stopped, in whatever order its items come, and one of which every item fails
 * is stopped after that share of a window. Judged from `TOLERATE_FROM_ITEMS` settled items on.
 * Kept per commit: a window is at most one part longer than asked. It is a run's own and empty at its start and at a
 * resume: what failed before is known.
 */
import { TOLERATE_FROM_ITEMS } from "../limits.ts";
import type { TolerateSpec } from "../spec.ts";

export interface Tolerance {
  commits: { readonly settled: number; readonly failed: number }[];
}

/** When the limit is passed: failed and settled items, and of how many (`span`) how many may fail. */
export type Verdict =
  | { readonly kind: "fine" }
  | {
      readonly kind: "passed";
      readonly failed: number;
      readonly settled: number;
      readonly span: number;
      readonly allowed: number;
    };

export function createTolerance(): Tolerance {
  return { commits: [] };
}

/** Counts a committed part and judges the window. `left`: items without a row; Infinity while that is not known. */
export function judge(
  tolerance: Tolerance,
  part: { ok: number; failed: number },
  limit: TolerateSpec,
  left: number,
): Verdict {
  tolerance.commits.push({ settled: part.ok + part.failed, failed: part.failed });
  let settled = tolerance.commits.reduce((sum, commit) => sum + commit.settled, 0);
  while (tolerance.commits.length > 1 && settled - (tolerance.commits[0]?.settled ?? 0) >= limit.over) {
    settled -= tolerance.commits.shift()?.settled ?? 0;
  }
  const failed = tolerance.commits.reduce((sum, commit) => sum + commit.failed, 0);
  const span = Math.max(settled, Math.min(limit.over, settled + left));
  const allowed = Math.floor(limit.failureRate * span);
  const enough = settled >= Math.min(TOLERATE_FROM_ITEMS, limit.over);
  return enough && failed > allowed ? { kind: "passed", failed, settled, span, allowed } : { kind: "fine" };
}
