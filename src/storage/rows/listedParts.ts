/**
 * The parts of a run as R2 lists them, for a run whose own list is gone. Nothing says any more which of them were
 * committed: a part that was written and not committed counts as one here.
 */

import type { PartMeta } from "../../core/protocol.ts";
import { answered } from "../bucket/answered.ts";
import { describePart, NotRows, partKey, readPart } from "./parts.ts";

/** All parts in the order of their keys (as text), after the one at `after`, in pages of at most `limit`. */
export async function* listedParts(
  bucket: R2Bucket,
  run: string,
  options: { readonly after: { readonly chunk: number; readonly n: number } | null; readonly limit: number },
): AsyncGenerator<PartMeta[]> {
  const { after, limit } = options;
  const prefix = `runs/${run}/parts/`;
  let startAfter = after === null ? prefix : partKey(run, after.chunk, after.n);
  for (;;) {
    const from = startAfter;
    const page = await answered(() => bucket.list({ prefix, startAfter: from, limit }));
    const parts: PartMeta[] = [];
    for (const { key } of page.objects) {
      const part = await describeObject(bucket, key);
      if (part !== null) parts.push(part);
    }
    yield parts;
    const last = page.objects[page.objects.length - 1];
    if (!page.truncated || last === undefined) return;
    startAfter = last.key;
  }
}

/** Null for a key that is not a part's, an object that has gone meanwhile, or one that cannot be read. */
async function describeObject(bucket: R2Bucket, key: string): Promise<PartMeta | null> {
  const [, chunk, n] = /\/parts\/(\d+)\/(\d+)\.jsonl$/.exec(key) ?? [];
  if (chunk === undefined || n === undefined) return null;
  const read = await readPart(bucket, key).catch((fault: unknown) => {
    if (!(fault instanceof NotRows)) throw fault;
    console.warn(fault.message);
    return null;
  });
  if (read === null || read.rows.length === 0) return null;
  return describePart({ ...read, chunk: Number(chunk), n: Number(n), key });
}
