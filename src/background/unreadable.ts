/** Committed parts that cannot be read: the Run that lists them takes note, and the others are gone on with. */
import type { Run } from "../objects/run.ts";
import type { TakesNote } from "../storage/rows/partStream.ts";

/** Reports each such part to `run`. */
export function notedBy(run: Pick<Run, "foundUnreadable">): TakesNote {
  return ({ part, problem }) => run.foundUnreadable([{ chunk: part.chunk, n: part.n, problem }]);
}
