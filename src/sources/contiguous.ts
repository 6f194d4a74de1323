/** Cutting a source of a known number of items into chunks: chunk k holds items k × size … (k + 1) × size − 1. */
import { assert } from "../core/assert.ts";
import { CHUNKS_PER_PLAN_CALL, MAX_CHUNKS } from "../core/limits.ts";
import type { ChunkPlan } from "../core/protocol.ts";
import { type PlanStep, SourceError } from "./source.ts";

/**
 * The next chunks from `cursor` (the first item of the next one, as text). `positionOf` says where a chunk lies.
 * Throws SourceError when there would be more chunks than a run can hold.
 */
export function planContiguous(
  items: number,
  chunkSize: number,
  cursor: string | null,
  positionOf: (first: number, count: number) => string,
): PlanStep {
  assert(chunkSize >= 1, "a chunk holds an item");
  if (items > chunkSize * MAX_CHUNKS)
    throw new SourceError(
      "chunkSize",
      `${items} items make more than ${MAX_CHUNKS} chunks: choose larger chunks`,
    );
  const chunks: ChunkPlan[] = [];
  let first = cursor === null ? 0 : Number(cursor);
  while (first < items && chunks.length < CHUNKS_PER_PLAN_CALL) {
    const count = Math.min(chunkSize, items - first);
    chunks.push({ first, count, position: positionOf(first, count) });
    first += count;
  }
  return { chunks, cursor: first < items ? String(first) : null };
}

/** Index, in the whole source, of the item at `ordinal` of a chunk. */
export function indexAt(chunk: ChunkPlan, ordinal: number): number {
  if (chunk.indexes === undefined) return chunk.first + ordinal;
  const index = chunk.indexes[ordinal];
  assert(index !== undefined, "an ordinal lies inside its chunk");
  return index;
}
