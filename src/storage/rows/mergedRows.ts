/**
 * The rows of a run and its retries as one stream: of every item the newest committed row, in item order.
 *
 * Of a run that has ended the joined object is read, in windows, so that no body is held open while another run's
 * rows are passed on; of one that goes on, the parts committed so far. A window or part that cannot be had errors
 * the stream.
 */

import { MERGE_WINDOW_MAX_BYTES, MERGE_WINDOW_MIN_BYTES, MERGE_WINDOWS_BYTES } from "../../core/limits.ts";
import type { PartMeta } from "../../core/protocol.ts";
import { answered } from "../bucket/answered.ts";
import { objectWindows } from "../bucket/objectStream.ts";
import { resultsKey } from "../runRecord.ts";
import { joinParts } from "./joinParts.ts";
import { mergeRows } from "./mergeRows.ts";
import {
  keptRows,
  partBytes,
  raise,
  readablePart,
  type StreamOptions,
  type TakesNote,
} from "./partStream.ts";
import { RowReader } from "./rowReader.ts";

/** A run of a family, as far as its rows go. */
export interface FamilyRun {
  readonly id: string;
  /** Its rows are joined in one object. */
  readonly hasEnded: boolean;
  /** Its committed parts, in chunk order. */
  parts(): AsyncIterable<PartMeta>;
}

/** Windows of one object that are in memory at once: one in use, the others on their way. */
const WINDOWS_AHEAD = 2;

/**
 * Streams the merged rows of `family` (oldest run first); `filter` looks at the row that decides. Parts of the first run
 * that cannot be read are left out when `unreadable` takes note of them; those of its retries error the stream.
 */
export function streamMerged(
  bucket: R2Bucket,
  family: readonly FamilyRun[],
  { filter, unreadable = raise }: Pick<StreamOptions, "filter" | "unreadable"> = {},
): ReadableStream<Uint8Array> {
  const share = Math.floor(MERGE_WINDOWS_BYTES / (family.length * (WINDOWS_AHEAD + 1)));
  const windowBytes = Math.max(MERGE_WINDOW_MIN_BYTES, Math.min(MERGE_WINDOW_MAX_BYTES, share));
  const pieces = mergeRows(
    family.map((run, i) => new RowReader(rowsOf(bucket, run, windowBytes, i === 0 ? unreadable : raise))),
  );
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        const next = await pieces.next();
        if (next.done) return controller.close();
        const bytes = filter === undefined ? next.value : keptRows(next.value, filter);
        if (bytes.byteLength > 0) return controller.enqueue(bytes);
      }
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
}

async function* rowsOf(
  bucket: R2Bucket,
  run: FamilyRun,
  windowBytes: number,
  unreadable: TakesNote,
): AsyncGenerator<Uint8Array> {
  const joined = run.hasEnded ? await answered(() => bucket.head(resultsKey(run.id))) : null;
  if (joined !== null) {
    yield* objectWindows(bucket, joined, { windowBytes, ahead: WINDOWS_AHEAD });
    return;
  }
  const fetch = (part: PartMeta) => readablePart(() => partBytes(bucket, part), unreadable);
  for await (const piece of joinParts(run.parts(), fetch)) {
    if (piece.kind === "bytes") yield piece.bytes;
  }
}
