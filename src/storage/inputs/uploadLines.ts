/** Stored uploads, for those who read them: their indexes (kept by the isolate: uploads never change) and bytes. */

import { LINE_INDEXES_KEPT, SOURCE_SCAN_BYTES } from "../../core/limits.ts";
import { answered } from "../bucket/answered.ts";
import type { ObjectCount } from "../bucket/count.ts";
import { type CsvRefused, CsvScanner } from "./csvScanner.ts";
import { csvIndexKey, dataKey, indexKey } from "./inputKeys.ts";
import { decodeLineIndex, type LineIndex } from "./lineIndex.ts";
import type { ReadRange } from "./lineReader.ts";

/** An upload as a run pins it. */
export interface PinnedUpload {
  readonly name: string;
  readonly upload: string;
}

const kept = new Map<string, LineIndex>();

/** The line index of an upload; null when the upload is gone. */
export function lineIndexOf(
  bucket: R2Bucket,
  { name, upload }: PinnedUpload,
  count: ObjectCount,
): Promise<LineIndex | null> {
  return storedIndex(bucket, indexKey(name, upload), count);
}

/** Where the records of an upload begin that was read as CSV before; null when it was not, or is gone. */
export function csvIndexOf(
  bucket: R2Bucket,
  { name, upload }: PinnedUpload,
  delimiter: string,
  count: ObjectCount,
): Promise<LineIndex | null> {
  return storedIndex(bucket, csvIndexKey(name, upload, delimiter), count);
}

/**
 * Reads a whole upload of `bytes` as CSV, checks every record and stores where they begin. Safe to repeat.
 * Refused: the sentence names the line.
 */
export async function indexCsv(
  bucket: R2Bucket,
  { name, upload }: PinnedUpload,
  read: { readonly delimiter: string; readonly bytes: number; readonly range: ReadRange },
  count: ObjectCount,
): Promise<LineIndex | CsvRefused> {
  const scanner = new CsvScanner(read.delimiter);
  for (let from = 0; from < read.bytes; from += SOURCE_SCAN_BYTES) {
    const refused = scanner.push(await read.range(from, Math.min(from + SOURCE_SCAN_BYTES, read.bytes)));
    if (refused !== null) return refused;
  }
  const scanned = scanner.end();
  if (scanned.kind === "refused") return scanned;
  count("r2ClassA", 1);
  await answered(() => bucket.put(csvIndexKey(name, upload, read.delimiter), scanned.index));
  return decodeLineIndex(scanned.index.slice().buffer);
}

async function storedIndex(bucket: R2Bucket, key: string, count: ObjectCount): Promise<LineIndex | null> {
  const known = kept.get(key);
  if (known !== undefined) return known;
  count("r2ClassB", 1);
  const bytes = await answered(async () => (await bucket.get(key))?.arrayBuffer());
  if (bytes === undefined) return null;
  const index = decodeLineIndex(bytes);
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
    const range = { offset: from, length: to - from };
    const bytes = await answered(async () => (await bucket.get(key, { range }))?.bytes());
    if (bytes === undefined) throw options.gone();
    if (bytes.byteLength !== to - from)
      throw new Error(`${key}: ${bytes.byteLength} bytes, not ${to - from}`);
    return bytes;
  };
}
