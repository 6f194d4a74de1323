/** Stored uploads, for those who read them: the line index (kept by the isolate: uploads never change) and bytes. */
import { LINE_INDEXES_KEPT } from "../core/limits.ts";
import type { ObjectCount } from "./count.ts";
import { dataKey, indexKey } from "./inputKeys.ts";
import { decodeLineIndex, type LineIndex } from "./lineIndex.ts";
import type { ReadRange } from "./lineReader.ts";

/** An upload as a run pins it. */
export interface PinnedUpload {
  readonly name: string;
  readonly upload: string;
}

const kept = new Map<string, LineIndex>();

/** The line index of an upload; null when the upload is gone. */
export async function lineIndexOf(
  bucket: R2Bucket,
  { name, upload }: PinnedUpload,
  count: ObjectCount,
): Promise<LineIndex | null> {
  const key = indexKey(name, upload);
  const known = kept.get(key);
  if (known !== undefined) return known;
  count("r2ClassB", 1);
  const object = await bucket.get(key);
  if (object === null) return null;
  const index = decodeLineIndex(await object.arrayBuffer());
  const oldest = kept.keys().next();
  if (kept.size >= LINE_INDEXES_KEPT && !oldest.done) kept.delete(oldest.value);
  kept.set(key, index);
  return index;
}

/** Reads ranges of an upload. `gone` makes the error for an upload that is not there any more. */
export function rangeReader(
  bucket: R2Bucket,
  { name, upload }: PinnedUpload,
  options: { readonly count: ObjectCount; readonly gone: () => Error },
): ReadRange {
  const key = dataKey(name, upload);
  return async (from, to) => {
    options.count("r2ClassB", 1);
    const object = await bucket.get(key, { range: { offset: from, length: to - from } });
    if (object === null) throw options.gone();
    const bytes = await object.bytes();
    if (bytes.byteLength !== to - from)
      throw new Error(`${key}: ${bytes.byteLength} bytes, not ${to - from}`);
    return bytes;
  };
}
