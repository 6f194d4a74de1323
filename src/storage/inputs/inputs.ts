/**
 * Inputs: named files of lines in R2.
 *
 * Invariants: an upload is stored whole or not at all, is checked line by line on its way in, and is never changed
 * afterwards; the name moves to it only when it is complete. A run reads the upload it was planned on, whatever
 * the name points to later.
 */
import { z } from "zod";
import { INFLATION_FREE_BYTES, MAX_INFLATION, MAX_INPUT_BYTES, MAX_LINE_BYTES } from "../../core/limits.ts";
import { answered } from "../bucket/answered.ts";
import { type ObjectCount, uncounted } from "../bucket/count.ts";
import { openObjectWriter } from "../bucket/objectWriter.ts";
import type { Refusal } from "../refusal.ts";
import { NotGzip } from "./gunzip.ts";
import { type Incoming, openIncoming } from "./inflate.ts";
import { CURRENT_PREFIX, currentKey, dataKey, INPUT_NAME, indexKey, newUploadId } from "./inputKeys.ts";
import { LineScanner, type Scanned } from "./lineScanner.ts";

const recordSchema = z.object({
  name: z.string(),
  upload: z.string(),
  /** The upload that this one replaced: a run may be about to pin it. */
  replaced: z.string().nullable(),
  bytes: z.number(),
  items: z.number(),
  createdAt: z.string(),
});

/** What a name points to. `bytes` are unpacked ones. */
export type InputRecord = z.infer<typeof recordSchema>;

export type StoreOutcome = { readonly kind: "stored"; readonly input: InputRecord } | Refusal;

/** Bounds of one upload; the defaults are those of `limits.ts`. */
export interface InputBounds {
  readonly maxBytes: number;
  readonly maxInflation: number;
  readonly inflationFreeBytes: number;
  readonly maxLineBytes: number;
}

const BOUNDS: InputBounds = {
  maxBytes: MAX_INPUT_BYTES,
  maxInflation: MAX_INFLATION,
  inflationFreeBytes: INFLATION_FREE_BYTES,
  maxLineBytes: MAX_LINE_BYTES,
};

/**
 * Streams `body` into a new upload and points `name` to it. Refuses a bad name, a binary or empty body, a line or
 * body over its bound. Throws when R2 refuses or the sender goes away; nothing is stored then.
 */
export async function storeInput(
  bucket: R2Bucket,
  name: string,
  body: ReadableStream<Uint8Array>,
  options: { readonly nowMs: number; readonly count?: ObjectCount; readonly bounds?: Partial<InputBounds> },
): Promise<StoreOutcome> {
  const count = options.count ?? uncounted;
  const refusedName = refuseName(name);
  if (refusedName !== null) {
    await body.cancel().catch(() => {});
    return refusedName;
  }
  const upload = newUploadId(options.nowMs);
  const bounds = { ...BOUNDS, ...options.bounds };
  const scanned = await storeData(bucket, dataKey(name, upload), body, bounds, count);
  if (scanned.kind === "refused") return scanned;
  count("r2ClassA", 1);
  await answered(() => bucket.put(indexKey(name, upload), scanned.index));
  const input: InputRecord = {
    name,
    upload,
    replaced: (await getInput(bucket, name, count))?.upload ?? null,
    bytes: scanned.bytes,
    items: scanned.items,
    createdAt: new Date(options.nowMs).toISOString(),
  };
  await pointTo(bucket, input, count);
  return { kind: "stored", input };
}

/** Why a name cannot be an input's; null when it can. */
export function refuseName(name: string): Refusal | null {
  if (INPUT_NAME.test(name)) return null;
  const message =
    "an input's name has 1 to 128 letters, digits, dots, dashes and underscores, the first a letter or digit";
  return { kind: "refused", code: "invalid", path: "name", message };
}

/** The record of a name's newest upload; null when there is none. */
export async function getInput(
  bucket: R2Bucket,
  name: string,
  count: ObjectCount = uncounted,
): Promise<InputRecord | null> {
  if (!INPUT_NAME.test(name)) return null;
  count("r2ClassB", 1);
  const record = await answered(async () => (await bucket.get(currentKey(name)))?.json());
  return record === undefined ? null : recordSchema.parse(record);
}

/** Inputs by name; `cursor` is null after the last page. */
export async function listInputs(
  bucket: R2Bucket,
  page: { readonly cursor?: string | null | undefined; readonly limit: number },
): Promise<{ readonly inputs: readonly InputRecord[]; readonly cursor: string | null }> {
  const from = page.cursor ? { startAfter: currentKey(page.cursor) } : {};
  const listed = await answered(() =>
    bucket.list({ prefix: CURRENT_PREFIX, limit: page.limit, include: ["customMetadata"], ...from }),
  );
  const inputs = listed.objects.map((object) =>
    recordSchema.parse(JSON.parse(object.customMetadata?.record ?? "null")),
  );
  return { inputs, cursor: listed.truncated ? (inputs[inputs.length - 1]?.name ?? null) : null };
}

/** The record is the object, and also its metadata: so one list request shows a page of inputs. */
async function pointTo(bucket: R2Bucket, input: InputRecord, count: ObjectCount): Promise<void> {
  const record = JSON.stringify(input);
  count("r2ClassA", 1);
  await answered(() => bucket.put(currentKey(input.name), record, { customMetadata: { record } }));
}

async function storeData(
  bucket: R2Bucket,
  key: string,
  body: ReadableStream<Uint8Array>,
  bounds: InputBounds,
  count: ObjectCount,
): Promise<Scanned | Refusal> {
  const writer = openObjectWriter(bucket, key, { contentType: "text/plain; charset=utf-8", count });
  const scanner = new LineScanner({ maxLineBytes: bounds.maxLineBytes });
  try {
    const incoming = await openIncoming(body);
    let bytes = 0;
    for await (const chunk of incoming.chunks) {
      bytes += chunk.byteLength;
      const refusal = tooMuch(bytes, incoming, bounds) ?? scanner.push(chunk);
      if (refusal !== null) return await given(writer, refusal);
      await writer.write(chunk);
    }
    const end = scanner.end();
    if (end.kind === "refused") return await given(writer, end);
    await writer.finish();
    return end;
  } catch (error) {
    await writer.abort();
    if (error instanceof NotGzip)
      return { kind: "refused", code: "invalid", path: "body", message: `the input: ${error.message}` };
    throw error;
  }
}

async function given(writer: { abort(): Promise<void> }, refusal: Refusal): Promise<Refusal> {
  await writer.abort();
  return refusal;
}

function tooMuch(bytes: number, incoming: Incoming, bounds: InputBounds): Refusal | null {
  if (bytes > bounds.maxBytes) return tooLarge(`the input is larger than ${bounds.maxBytes} bytes unpacked`);
  if (!incoming.packed || bytes <= bounds.inflationFreeBytes) return null;
  if (bytes <= incoming.receivedBytes() * bounds.maxInflation) return null;
  return tooLarge(
    `the input unpacks to more than ${bounds.maxInflation} times its size (beyond ${bounds.inflationFreeBytes} bytes)`,
  );
}

/** The refusal of an input that is larger than one may be. */
export function tooLarge(message: string): Refusal {
  return { kind: "refused", code: "too_large", path: "body", message };
}
