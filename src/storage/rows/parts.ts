/**
 * Parts: immutable JSONL objects of rows in R2, one row a line, every line ended.
 *
 * Invariant: a part is written once (`If-None-Match: *`); whoever writes second finds the first one's rows.
 * This module knows keys and bytes. Which parts count is the Run's decision alone.
 */
import type { PartMeta } from "../../core/protocol.ts";
import { addUsage, type Usage } from "../../core/usage.ts";
import { answered } from "../bucket/answered.ts";
import { type ObjectCount, uncounted } from "../bucket/count.ts";

/** A row as it stands in a part. */
export interface PartRow {
  /** Index of the item in the root run's source. */
  readonly index: number;
  readonly ok: boolean;
  /** The row's JSON without the line end. */
  readonly line: string;
  /** Tokens of the try that made it; absent where none were told. */
  readonly usage?: Usage;
}

/** The tokens of rows together; undefined where none told of any. */
export function usageOfRows(rows: readonly PartRow[]): Usage | undefined {
  let sum: Usage | undefined;
  for (const { usage } of rows) {
    if (usage !== undefined) sum = sum === undefined ? usage : addUsage(sum, usage);
  }
  return sum;
}

/** Where part `n` of a chunk lies. */
export function partKey(run: string, chunk: number, n: number): string {
  return `runs/${run}/parts/${chunk}/${n}.jsonl`;
}

/** The bytes of a part: rows as given (sorted by index by the caller), each with its line end. */
export function encodePart(rows: readonly PartRow[]): Uint8Array {
  return new TextEncoder().encode(`${rows.map((row) => row.line).join("\n")}\n`);
}

/**
 * Writes a part unless its key is taken. `exists`: somebody wrote it before (perhaps this lane, whose answer was
 * lost): read it and adopt its rows. Throws when R2 refuses.
 */
export async function writePart(
  bucket: R2Bucket,
  key: string,
  bytes: Uint8Array,
  count: ObjectCount = uncounted,
): Promise<{ readonly kind: "written" } | { readonly kind: "exists" }> {
  count("r2ClassA", 1);
  const onlyIf = new Headers({ "If-None-Match": "*" });
  const written = await answered(() => bucket.put(key, bytes, { onlyIf }));
  return written === null ? { kind: "exists" } : { kind: "written" };
}

/** A part's rows, size in bytes and hash; null when it is not there. Throws when R2 refuses, and NotRows. */
export async function readPart(
  bucket: R2Bucket,
  key: string,
  count: ObjectCount = uncounted,
): Promise<{
  readonly rows: readonly PartRow[];
  readonly bytes: number;
  readonly sha256: string;
} | null> {
  count("r2ClassB", 1);
  const bytes = await answered(async () => (await bucket.get(key))?.bytes());
  if (bytes === undefined) return null;
  return { rows: rowsOfObject(key, bytes), bytes: bytes.byteLength, sha256: await sha256Hex(bytes) };
}

function rowsOfObject(key: string, bytes: Uint8Array): readonly PartRow[] {
  try {
    return decodePart(bytes);
  } catch (fault) {
    throw fault instanceof NotRows ? new NotRows(`part ${key} cannot be read: ${fault.message}`) : fault;
  }
}

/** The bytes of a part are not rows: they were changed. */
export class NotRows extends Error {}

/** Rows of a part's bytes. Throws NotRows on a line that is not a row. */
export function decodePart(bytes: Uint8Array): PartRow[] {
  try {
    const lines = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes).split("\n");
    return lines.filter((line) => line !== "").map(rowOfLine);
  } catch (fault) {
    throw fault instanceof NotRows ? fault : new NotRows("its bytes are not rows", { cause: fault });
  }
}

function rowOfLine(line: string): PartRow {
  const { index, ok, usage } = JSON.parse(line) as {
    readonly index?: unknown;
    readonly ok?: unknown;
    readonly usage?: Usage;
  };
  if (typeof index !== "number" || typeof ok !== "boolean")
    throw new NotRows(`a line of it is not a row: ${line.slice(0, 80)}`);
  return { index, ok, line, ...(usage === undefined ? {} : { usage }) };
}

/** What the commit says of the rows of a part. */
export type RowSpan = Pick<PartMeta, "firstIndex" | "lastIndex" | "ok" | "failed">;

/** What the commit says of a part; `span` is that of its rows. */
export function partMeta(part: {
  readonly chunk: number;
  readonly n: number;
  readonly key: string;
  readonly span: RowSpan;
  readonly bytes: Uint8Array;
  readonly sha256: string;
}): PartMeta {
  const { chunk, n, key, span, bytes, sha256 } = part;
  return { chunk, n, key, ...span, bytes: bytes.byteLength, sha256 };
}

/** The same for a part that was read back (`readPart` tells its size and hash). */
export function describePart(part: {
  readonly chunk: number;
  readonly n: number;
  readonly key: string;
  readonly rows: readonly PartRow[];
  readonly bytes: number;
  readonly sha256: string;
}): PartMeta {
  const { rows, ...rest } = part;
  if (rows.length === 0) throw new Error(`part ${part.key} has no rows`);
  return { ...rest, ...spanOf(rows) };
}

/** Of rows sorted by index. Throws without one: there is no part of none. */
export function spanOf(rows: readonly PartRow[]): RowSpan {
  const first = rows[0];
  const last = rows[rows.length - 1];
  if (first === undefined || last === undefined) throw new Error("a part has rows");
  const ok = rows.filter((row) => row.ok).length;
  return { firstIndex: first.index, lastIndex: last.index, ok, failed: rows.length - ok };
}

/** SHA-256 as 64 lower-case hex digits. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
