/**
 * Adoption: the next part of a chunk is already there, written by a lane that died or was too late to commit it.
 *
 * Its rows count; the checkpoint that goes with it is worked out from the last committed one. Items that the part
 * passes over without a row become deferred, due now: nobody knows what was waiting in the other lane.
 */
import type { ChunkPlan } from "../../core/protocol.ts";
import type { Item } from "../../sources/source.ts";
import type { PartRow } from "../../storage/rows/parts.ts";
import type { Snapshot } from "../items/progress.ts";

/** Ordinal of an item of the chunk by its index in the whole source; -1 for an index that is not in the chunk. */
export function ordinalOf(plan: ChunkPlan, index: number): number {
  if (plan.indexes === undefined) {
    const ordinal = index - plan.first;
    return ordinal >= 0 && ordinal < plan.count ? ordinal : -1;
  }
  let low = 0;
  let high = plan.indexes.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = plan.indexes[middle] ?? 0;
    if (found === index) return middle;
    if (found < index) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Ordinals that a part settles. */
export function ordinalsIn(plan: ChunkPlan, rows: readonly PartRow[]): ReadonlySet<number> {
  return new Set(rows.map((row) => ordinalOf(plan, row.index)).filter((ordinal) => ordinal >= 0));
}

/**
 * The checkpoint after the part: `base` is the last committed one, `read` gives the chunk's items from an ordinal on.
 * Throws what the source throws.
 */
export async function checkpointAfter(
  base: Snapshot,
  settled: ReadonlySet<number>,
  read: (from: { ordinal: number; position: number | null }) => AsyncIterable<Item>,
  nowMs: number,
): Promise<Snapshot> {
  const deferred = base.deferred.filter((item) => !settled.has(item.ordinal));
  const cursor = Math.max(base.cursor, ...[...settled].map((ordinal) => ordinal + 1));
  if (cursor === base.cursor) return { ...base, deferred };
  let position: number | null = null;
  for await (const item of read({ ordinal: base.cursor, position: base.position })) {
    if (item.ordinal === cursor) position = item.position;
    if (item.ordinal >= cursor) break;
    if (settled.has(item.ordinal)) continue;
    const { ordinal } = item;
    deferred.push({ ordinal, position: item.position, attempts: 0, throttles: 0, dueMs: nowMs });
  }
  return { cursor, position, deferred };
}
