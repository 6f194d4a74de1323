/**
 * Indexing what lanes left undone: failures of committed parts that are not in D1 yet. Safe to repeat. A part that
 * cannot be read has none that could be indexed: the Run takes note of it, and goes on to its end.
 */
import { D1_QUERIES_PER_SLICE, PARTS_PER_INDEX_CALL } from "../core/limits.ts";
import type { Env } from "../objects/env.ts";
import { runById } from "../objects/runStub.ts";
import { indexParts } from "../storage/index/failures.ts";
import { Spending } from "./spending.ts";
import { notedBy } from "./unreadable.ts";

/**
 * Indexes until nothing is left or the platform's bound on queries is near; the Run then asks again.
 * Throws when D1, R2 or the Run refuses: the parts stay unindexed.
 */
export async function indexRun(env: Env, runId: string): Promise<void> {
  const run = runById(env, runId);
  const settings = await run.settings();
  if (settings === null) return;
  const spending = new Spending();
  for (let queries = 0; queries < D1_QUERIES_PER_SLICE; ) {
    const parts = await run.unindexed(PARTS_PER_INDEX_CALL);
    if (parts.length === 0) return;
    queries +=
      1 +
      (await indexParts(env, settings, parts, {
        count: spending.count,
        unreadable: notedBy(run),
      }));
    await run.markIndexed(
      parts.map(({ chunk, n }) => ({ chunk, n })),
      spending.take(),
    );
  }
}
