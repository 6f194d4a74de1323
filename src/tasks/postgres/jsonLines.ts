/**
 * The records of a JSON Lines file, plain or gzip, as they come: never more than one line and one piece are in memory.
 * A file that is damaged is told apart from a store that stopped sending: only the first is the file's fault.
 */
import { isExactNumber, parseJson } from "../../core/json.ts";
import { MAX_LINE_BYTES, STORE_ANSWER_MS } from "../../core/limits.ts";
import type { Json } from "../../core/spec.ts";
import { gunzipped, NotGzip } from "../../storage/inputs/gunzip.ts";
import { bomBytes, isBlank, LF } from "../../storage/line.ts";
import { StoreFault } from "../../storage/stores/objectStore.ts";

export type JsonRecord = { readonly [field: string]: Json };

/** The file is not JSON Lines; the sentence says what and where. */
export class DamagedFile extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DamagedFile";
  }
}

/** Yields the record of every line that is not blank. Throws DamagedFile, and StoreFault when the store stops sending. */
export async function* jsonLines(body: ReadableStream<Uint8Array>): AsyncGenerator<JsonRecord> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let number = 0;
  for await (const line of lines(body)) {
    number += 1;
    const start = number === 1 ? bomBytes(line) : 0;
    if (!isBlank(line, start, line.byteLength)) yield recordOf(line.subarray(start), decoder, number);
  }
}

function recordOf(line: Uint8Array, decoder: TextDecoder, number: number): JsonRecord {
  let record: Json;
  try {
    record = parseJson(decoder.decode(line));
  } catch {
    throw new DamagedFile(`line ${number} is not JSON`);
  }
  if (isRecord(record)) return record;
  throw new DamagedFile(`line ${number} is not a JSON object`);
}

function isRecord(value: Json): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isExactNumber(value);
}

async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array(0);
  let number = 1;
  for await (const piece of unpacked(body)) {
    let from = 0;
    for (let end = piece.indexOf(LF); end >= 0; end = piece.indexOf(LF, from)) {
      yield joined(rest, piece.subarray(from, end), number);
      rest = rest.subarray(0, 0);
      from = end + 1;
      number += 1;
    }
    rest = joined(rest, piece.subarray(from), number);
  }
  if (rest.byteLength > 0) yield rest;
}

function joined(a: Uint8Array, b: Uint8Array, number: number): Uint8Array {
  if (a.byteLength + b.byteLength > MAX_LINE_BYTES)
    throw new DamagedFile(`line ${number} is longer than ${MAX_LINE_BYTES} bytes`);
  const both = new Uint8Array(a.byteLength + b.byteLength);
  both.set(a);
  both.set(b, a.byteLength);
  return both;
}

async function* unpacked(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* gunzipped(fromStore(body));
  } catch (fault) {
    if (fault instanceof NotGzip) throw new DamagedFile("the file is gzip that cannot be unpacked");
    throw fault;
  }
}

/** The object's bytes. Throws StoreFault when they break off, or none come for `STORE_ANSWER_MS`. */
async function* fromStore(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { value, done } = await inTime(reader);
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function inTime(reader: ReadableStreamDefaultReader<Uint8Array>) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const fault = new StoreFault(`the store sent nothing for ${STORE_ANSWER_MS} ms`, null);
    timer = setTimeout(() => reject(fault), STORE_ANSWER_MS);
  });
  try {
    return await Promise.race([reader.read(), late]);
  } catch (fault) {
    if (fault instanceof StoreFault) throw fault;
    const message = fault instanceof Error ? fault.message : String(fault);
    throw new StoreFault(`the object broke off: ${message}`, null);
  } finally {
    clearTimeout(timer);
  }
}
