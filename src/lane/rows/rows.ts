/**
 * Rows as lines of JSON, in the order of keys that the contract shows.
 *
 * Written by hand rather than from an object: a lane makes thousands a second, and only the value is of unknown
 * shape.
 */
import { stringifyJson } from "../../core/json.ts";
import { MAX_ERROR_MESSAGE_CHARS, MAX_ROW_ITEM_BYTES } from "../../core/limits.ts";
import { cutText, oneLine } from "../../core/outsideText.ts";
import type { RowError } from "../../core/row.ts";
import type { Json } from "../../core/spec.ts";
import type { Usage } from "../../core/usage.ts";
import type { Item } from "../../sources/source.ts";
import type { PartRow } from "../../storage/rows/parts.ts";
import { messageOf } from "../../tasks/faults.ts";

/** What a row says beside its item. */
export interface Settled {
  readonly status?: number | undefined;
  readonly url?: string | undefined;
  readonly headers?: { readonly [name: string]: string } | undefined;
  readonly attempts: number;
  readonly throttles: number;
  /** Tokens of the try that made the row. */
  readonly usage?: Usage | undefined;
  readonly result:
    | { readonly ok: true; readonly value: Json }
    | { readonly ok: false; readonly error: RowError };
}

/**
 * The row of an item; `mask` hides secrets in an error's message. Never throws: a value that cannot be written is a
 * failed row, because whoever tried the item again would meet it again.
 */
export function rowOf(item: Item, settled: Settled, mask: (text: string) => string): PartRow {
  const { status, url, headers, attempts, throttles, usage } = settled;
  const { result, text } = written(settled.result, mask);
  const pieces = ['{"index":', `${item.index}`, ',"item":', itemText(item.value)];
  pieces.push(result.ok ? ',"ok":true' : ',"ok":false');
  if (status !== undefined) pieces.push(`,"status":${status}`);
  if (url !== undefined) pieces.push(',"url":', JSON.stringify(url));
  if (headers !== undefined) pieces.push(',"headers":', JSON.stringify(headers));
  pieces.push(`,"attempts":${attempts},"throttles":${throttles}`);
  if (usage !== undefined) pieces.push(',"usage":', JSON.stringify(usage));
  pieces.push(result.ok ? ',"value":' : ',"error":', text, "}");
  // Not by `+`: a row waits for its part, and a string made by `+` is a tree of its pieces until somebody reads it;
  // every full collection of garbage had to mark the pieces of thousands of rows.
  const line = pieces.join("");
  return { index: item.index, ok: result.ok, line, ...(usage === undefined ? {} : { usage }) };
}

/** The result as it stands in the row, and its JSON. */
function written(
  result: Settled["result"],
  mask: (text: string) => string,
): { readonly result: Settled["result"]; readonly text: string } {
  if (!result.ok) return { result, text: errorText(result.error, mask) };
  try {
    // JSON.stringify gives undefined, whatever its type says, for what it cannot write.
    const text: string | undefined = stringifyJson(result.value);
    if (text !== undefined) return { result, text };
    return unwritable("it has no JSON", mask);
  } catch (fault) {
    return unwritable(messageOf(fault), mask);
  }
}

function unwritable(why: string, mask: (text: string) => string) {
  const message = `the value cannot be written as JSON: ${why}`;
  const error: RowError = { kind: "task", message, retryable: false };
  return { result: { ok: false, error } as const, text: errorText(error, mask) };
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
  const { kind, retryable, detail } = error;
  const message = cutText(oneLine(mask(error.message)), MAX_ERROR_MESSAGE_CHARS);
  return JSON.stringify({ kind, message, retryable, ...(detail === undefined ? {} : { detail }) });
}
