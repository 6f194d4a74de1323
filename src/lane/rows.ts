/**
 * Rows as lines of JSON, in the order of keys that the contract shows.
 *
 * Written by hand rather than from an object: a lane makes thousands a second, and only the value is of unknown
 * shape.
 */
import { stringifyJson } from "../core/json.ts";
import { MAX_ERROR_MESSAGE_CHARS, MAX_ROW_ITEM_BYTES } from "../core/limits.ts";
import type { RowError } from "../core/row.ts";
import type { Json } from "../core/spec.ts";
import type { Usage } from "../core/usage.ts";
import type { Item } from "../sources/source.ts";
import type { PartRow } from "../storage/parts.ts";

/** What a row says beside its item. */
export interface Settled {
  readonly status?: number | undefined;
  readonly attempts: number;
  readonly throttles: number;
  /** Tokens of the try that made the row. */
  readonly usage?: Usage | undefined;
  readonly result:
    | { readonly ok: true; readonly value: Json }
    | { readonly ok: false; readonly error: RowError };
}

/** The row of an item; `mask` hides secrets in an error's message. */
export function rowOf(item: Item, settled: Settled, mask: (text: string) => string): PartRow {
  const { status, attempts, throttles, usage, result } = settled;
  const pieces = ['{"index":', `${item.index}`, ',"item":', itemText(item.value)];
  pieces.push(result.ok ? ',"ok":true' : ',"ok":false');
  if (status !== undefined) pieces.push(`,"status":${status}`);
  pieces.push(`,"attempts":${attempts},"throttles":${throttles}`);
  if (usage !== undefined) pieces.push(',"usage":', JSON.stringify(usage));
  if (result.ok) pieces.push(',"value":', stringifyJson(result.value), "}");
  else pieces.push(',"error":', errorText(result.error, mask), "}");
  // Not by `+`: a row waits for its part, and a string made by `+` is a tree of its pieces until somebody reads it;
  // every full collection of garbage had to mark the pieces of thousands of rows.
  const line = pieces.join("");
  return { index: item.index, ok: result.ok, line, ...(usage === undefined ? {} : { usage }) };
}

/** The item as JSON; one that is too long is cut, as text, and marked. */
function itemText(value: Json): string {
  const json = stringifyJson(value);
  // A character takes at most three bytes of UTF-8 per unit of UTF-16.
  if (json.length * 3 <= MAX_ROW_ITEM_BYTES) return json;
  const text = typeof value === "string" ? value : json;
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= MAX_ROW_ITEM_BYTES) return json;
  return `${JSON.stringify(cutUtf8(bytes, MAX_ROW_ITEM_BYTES))},"itemTruncated":true`;
}

/** The longest text of whole characters within `most` bytes. */
function cutUtf8(bytes: Uint8Array, most: number): string {
  let end = most;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end));
}

function errorText(error: RowError, mask: (text: string) => string): string {
  const oneLine = mask(error.message).replace(/\s+/g, " ").trim();
  return JSON.stringify({ kind: error.kind, message: cutChars(oneLine), retryable: error.retryable });
}

function cutChars(text: string): string {
  if (text.length <= MAX_ERROR_MESSAGE_CHARS) return text;
  const last = text.charCodeAt(MAX_ERROR_MESSAGE_CHARS - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, splitsPair ? MAX_ERROR_MESSAGE_CHARS - 1 : MAX_ERROR_MESSAGE_CHARS);
}
