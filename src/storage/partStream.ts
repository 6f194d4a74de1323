/**
 * Committed parts as one stream of NDJSON, in the order given, a few read ahead.
 * A part that is missing or has another size than its commit says errors the stream: it is never closed as if
 * complete. Without a filter bytes pass through unread.
 */
import { PARTS_AHEAD, PARTS_PER_CALL } from "../core/limits.ts";
import type { PartMeta } from "../core/protocol.ts";
import { again } from "./again.ts";
import { type ObjectCount, uncounted } from "./count.ts";
import { fetchAhead } from "./fetchAhead.ts";
import { decodePart, encodePart } from "./parts.ts";

export type RowFilter = "ok" | "failed";

/** Streams the rows of `parts`; `filter` keeps only rows that are ok, or only failed ones. */
export function streamParts(
  bucket: R2Bucket,
  parts: AsyncIterable<PartMeta>,
  filter?: RowFilter,
  count: ObjectCount = uncounted,
): ReadableStream<Uint8Array> {
  const fetched = fetchAhead(wanted(parts, filter), PARTS_AHEAD, (part) => partBytes(bucket, part, count));
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        const next = await fetched.next();
        if (next.done) return controller.close();
        const bytes = kept(next.value.of, next.value.result, filter);
        if (bytes.byteLength > 0) return controller.enqueue(bytes);
      }
    },
    async cancel() {
      await fetched.return(undefined);
    },
  });
}

/** A committed part's bytes. Throws when it is missing or not of the committed size. */
export async function partBytes(
  bucket: R2Bucket,
  part: PartMeta,
  count: ObjectCount = uncounted,
): Promise<Uint8Array> {
  const bytes = await again(async () => {
    count("r2ClassB", 1);
    return (await bucket.get(part.key))?.bytes();
  });
  if (bytes === undefined) throw new Error(`part ${part.key} is missing`);
  if (bytes.byteLength !== part.bytes)
    throw new Error(`part ${part.key} has ${bytes.byteLength} bytes, not ${part.bytes}`);
  return bytes;
}

/** All committed parts of a run in chunk order, asked for page by page. */
export async function* partsInOrder(
  run: {
    partsInOrder(after: { chunk: number; n: number } | null, limit: number): Promise<PartMeta[]>;
  },
  from: { readonly chunk: number; readonly n: number } | null = null,
): AsyncGenerator<PartMeta> {
  let after = from === null ? null : { ...from };
  for (;;) {
    const page = await run.partsInOrder(after, PARTS_PER_CALL);
    yield* page;
    const last = page[page.length - 1];
    if (last === undefined || page.length < PARTS_PER_CALL) return;
    after = { chunk: last.chunk, n: last.n };
  }
}

/** Parts that hold no row of the kind asked for are not even read. */
async function* wanted(
  parts: AsyncIterable<PartMeta>,
  filter: RowFilter | undefined,
): AsyncGenerator<PartMeta> {
  for await (const part of parts) {
    if (filter === undefined || part[filter] > 0) yield part;
  }
}

function kept(part: PartMeta, bytes: Uint8Array, filter: RowFilter | undefined): Uint8Array {
  const others = filter === "ok" ? part.failed : part.ok;
  return filter === undefined || others === 0 ? bytes : keptRows(bytes, filter);
}

/** Of whole rows those that are ok, or those that failed. */
export function keptRows(bytes: Uint8Array, filter: RowFilter): Uint8Array {
  return encodePart(decodePart(bytes).filter((row) => row.ok === (filter === "ok")));
}
