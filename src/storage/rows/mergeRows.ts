/**
 * One row for every item of a family of runs: the row of the newest run that has one, in item order.
 *
 * Invariants: every index that any of the runs has comes out exactly once; memory is what the readers hold and one
 * piece of output. Stretches in which one run alone has rows pass through as they are.
 */
import { MERGE_PIECE_BYTES } from "../../core/limits.ts";
import { concatenated, type RowReader } from "./rowReader.ts";

/** The merged rows of `readers` (oldest run first) in pieces of whole rows. Throws what a reader throws. */
export async function* mergeRows(readers: readonly RowReader[]): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      await Promise.all(readers.filter((reader) => !reader.isReady).map((reader) => reader.fill()));
      if (readers.every((reader) => reader.nextIndex === END)) return;
      const piece = mergeReady(readers);
      if (piece.byteLength > 0) yield piece;
    }
  } finally {
    await Promise.all(readers.map((reader) => reader.close()));
  }
}

const END = Number.POSITIVE_INFINITY;

/** Merges until a reader has to be filled, all are at their end, or the piece is large enough. */
function mergeReady(readers: readonly RowReader[]): Uint8Array {
  const stretches: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < MERGE_PIECE_BYTES && readers.every((reader) => reader.isReady)) {
    const stretch = nextStretch(readers);
    if (stretch === null) break;
    stretches.push(stretch);
    bytes += stretch.byteLength;
  }
  return concatenated(stretches);
}

/** The rows up to the next index at which another run has a say; null at the end. */
function nextStretch(readers: readonly RowReader[]): Uint8Array | null {
  const first = Math.min(...readers.map((reader) => reader.nextIndex));
  if (first === END) return null;
  const having = readers.filter((reader) => reader.nextIndex === first);
  const newest = having.pop() as RowReader;
  for (const older of having) older.skip();
  // A reader that was skipped may have to be filled before its next index is known.
  if (having.length > 0) return newest.takeBelow(first + 1);
  return newest.takeBelow(Math.min(...readers.map((reader) => (reader === newest ? END : reader.nextIndex))));
}
