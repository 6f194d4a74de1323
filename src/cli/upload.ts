/**
 * Sending a local file, or stdin, to Weir as an input. Streams only: memory does not grow with the input.
 *
 * What is known to fit into one request goes in one; anything else goes in pieces. A piece of a file that did not
 * arrive is sent again; stdin passes by once.
 */
import { createReadStream, statSync } from "node:fs";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { MAX_UPLOAD_BODY_BYTES } from "../core/limits.ts";
import { ApiError, type Client, Unreachable } from "./client.ts";
import { UsageError } from "./exit.ts";
import type { LocalInput } from "./localInput.ts";
import { printable } from "./printable.ts";
import { faultOf } from "./systemFault.ts";
import { takeItems } from "./takeItems.ts";

export interface StoredInput {
  readonly name: string;
  readonly bytes: number;
  readonly items: number;
}

/** Read ahead of a stream of unknown length to see whether it ends: then one request does. */
const PEEK_BYTES = 4_000_000;
const PIECE_BYTES = MAX_UPLOAD_BODY_BYTES;
const PIECE_TRIES = 3;
/** Twenty gigabytes are joined in less. */
const JOIN_MS = 3_600_000;

/** Stores the input and returns what Weir counted. Throws UsageError naming the file where it is refused. */
export async function uploadInput(client: Client, input: LocalInput): Promise<StoredInput> {
  const shownName = input.file === null ? "stdin" : printable(input.file);
  try {
    const stored = await send(client, input);
    if (stored.items === 0) throw new UsageError(`--input: ${shownName} has no items: every line is blank`);
    return stored;
  } catch (error) {
    const isRefusal = error instanceof ApiError && (error.status === 400 || error.status === 413);
    throw isRefusal ? new UsageError(`--input: ${shownName}: ${error.message}`) : error;
  }
}

async function send(client: Client, input: LocalInput): Promise<StoredInput> {
  const path = `/v1/inputs/${encodeURIComponent(input.name)}`;
  const stat = input.file === null ? null : statSync(input.file);
  if (input.file !== null && stat?.isFile() === true && input.limit === null) {
    if (stat.size > PIECE_BYTES) return sendFileInPieces(client, path, input.file, stat.size);
    return client.ask("PUT", path, { body: createReadStream(input.file) });
  }
  const source = input.file === null ? process.stdin : createReadStream(input.file);
  const items = input.limit === null ? source : takeItems(unpack(source), input.limit, input.isCsv);
  return sendStream(client, path, items);
}

async function sendFileInPieces(
  client: Client,
  path: string,
  file: string,
  bytes: number,
): Promise<StoredInput> {
  const { id } = await client.ask<{ id: string }>("POST", `${path}/uploads`);
  const upload = `${path}/uploads/${encodeURIComponent(id)}`;
  for (let n = 0; n * PIECE_BYTES < bytes; n++) {
    const range = { start: n * PIECE_BYTES, end: Math.min((n + 1) * PIECE_BYTES, bytes) - 1 };
    await again(() => client.ask("PUT", `${upload}/${n}`, { body: createReadStream(file, range) }));
  }
  return client.ask("POST", `${upload}/complete`, { patienceMs: JOIN_MS });
}

async function sendStream(
  client: Client,
  path: string,
  source: AsyncIterable<Uint8Array>,
): Promise<StoredInput> {
  const pieces = new Pieces(source);
  const head = await pieces.peek(PEEK_BYTES);
  if (head.isAll) return client.ask("PUT", path, { body: head.bytes });
  const { id } = await client.ask<{ id: string }>("POST", `${path}/uploads`);
  const upload = `${path}/uploads/${encodeURIComponent(id)}`;
  for (let n = 0; !pieces.isEmpty; n++) {
    await client.ask("PUT", `${upload}/${n}`, { body: Readable.from(pieces.take(PIECE_BYTES)) });
  }
  return client.ask("POST", `${upload}/complete`, { patienceMs: JOIN_MS });
}

async function again<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Unreachable) || tries === PIECE_TRIES) throw error;
    }
  }
}

/** A stream of bytes that is handed on in pieces without being held. */
class Pieces {
  readonly #source: AsyncIterator<Uint8Array>;
  #left: Uint8Array[] = [];
  #hasEnded = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  get isEmpty(): boolean {
    return this.#hasEnded && this.#left.length === 0;
  }

  /** The first bytes, which stay; `isAll` when there are no others. */
  async peek(bytes: number): Promise<{ readonly bytes: Uint8Array; readonly isAll: boolean }> {
    let held = 0;
    while (held <= bytes && (await this.#read())) held += this.#left.at(-1)?.byteLength ?? 0;
    return { bytes: Buffer.concat(this.#left), isAll: this.#hasEnded };
  }

  /** The next bytes, at most `bytes` of them. Looks ahead, so that `isEmpty` is true after the last. */
  async *take(bytes: number): AsyncGenerator<Uint8Array> {
    let room = bytes;
    while (room > 0 && (this.#left.length > 0 || (await this.#read()))) {
      const next = this.#left.shift();
      if (next === undefined) continue;
      if (next.byteLength > room) this.#left.unshift(next.subarray(room));
      const piece = next.subarray(0, room);
      room -= piece.byteLength;
      yield piece;
    }
    if (this.#left.length === 0) await this.#read();
  }

  async #read(): Promise<boolean> {
    if (this.#hasEnded) return false;
    const { value, done } = await this.#source.next();
    if (done === true) this.#hasEnded = true;
    else this.#left.push(value);
    return done !== true;
  }
}

/** Unpacks gzip; anything else passes. Throws UsageError where the gzip is damaged. */
export async function* unpack(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) return;
  const rest = (async function* () {
    yield first.value;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
  })();
  const isGzip = first.value[0] === 0x1f && first.value[1] === 0x8b;
  if (!isGzip) return yield* rest;
  try {
    yield* Readable.from(rest).pipe(createGunzip());
  } catch (error) {
    throw new UsageError(`--input: the gzip is damaged or cut off: ${faultOf(error)}`);
  }
}
