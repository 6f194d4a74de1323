/**
 * Sending a local file, or stdin, to Weir as an input. Streams only: memory does not grow with the input.
 *
 * What is known to fit into one request goes in one; anything else goes in pieces. A piece of a file that did not
 * arrive is sent again; stdin passes by once. What is too large is refused as soon as that shows, and an upload that
 * comes to nothing, Ctrl-C included, leaves no piece behind.
 */
import { createReadStream, statSync } from "node:fs";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { MAX_INPUT_BYTES, MAX_LINE_BYTES, MAX_UPLOAD_BODY_BYTES } from "../core/limits.ts";
import { ApiError, type Client, Unreachable } from "./client.ts";
import { CommandError, EXIT, UsageError } from "./exit.ts";
import type { LocalInput } from "./localInput.ts";
import { takeInterrupts } from "./process/interrupts.ts";
import { faultOf } from "./systemFault.ts";
import { takeItems } from "./takeItems.ts";
import { printable } from "./words/printable.ts";

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

/** Removing the pieces of an upload in vain holds nobody up for long. */
const ABANDON_MS = 10_000;

/** What an input may be; the defaults are what Weir takes. */
export interface UploadBounds {
  readonly maxBytes: number;
  readonly maxLineBytes: number;
}
const BOUNDS: UploadBounds = { maxBytes: MAX_INPUT_BYTES, maxLineBytes: MAX_LINE_BYTES };

/** An upload on its way. */
interface Upload {
  readonly client: Client;
  /** The input's path in the API. */
  readonly path: string;
  readonly bounds: UploadBounds;
  /** Ends with Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Stores the input and returns what Weir counted. Throws UsageError naming the file where it is refused. */
export async function uploadInput(
  client: Client,
  input: LocalInput,
  bounds: UploadBounds = BOUNDS,
): Promise<StoredInput> {
  const shownName = input.file === null ? "stdin" : printable(input.file);
  const giveUp = new AbortController();
  const interrupts = takeInterrupts();
  interrupts.listen((times) => {
    if (times > 1) process.exit(EXIT.left);
    giveUp.abort();
  });
  const path = `/v1/inputs/${encodeURIComponent(input.name)}`;
  try {
    const stored = await send({ client, path, bounds, signal: giveUp.signal }, input);
    if (giveUp.signal.aborted) throw new CommandError("the input is stored; nothing was started", EXIT.left);
    if (stored.items === 0) throw new UsageError(`--input: ${shownName} has no items: every line is blank`);
    return stored;
  } catch (error) {
    if (giveUp.signal.aborted && !(error instanceof CommandError))
      throw new CommandError("the upload was given up: nothing is kept", EXIT.left);
    const isRefusal = error instanceof ApiError && (error.status === 400 || error.status === 413);
    const reason = isRefusal || error instanceof NotAnInput ? error.message : null;
    throw reason === null ? error : new UsageError(`--input: ${shownName}: ${reason}`);
  } finally {
    interrupts.close();
  }
}

/** What is read cannot become an input; the message says why. */
class NotAnInput extends Error {}

function tooLarge({ maxBytes }: UploadBounds): NotAnInput {
  return new NotAnInput(`the input is larger than ${maxBytes} bytes`);
}

async function send(upload: Upload, input: LocalInput): Promise<StoredInput> {
  const { client, path, bounds, signal } = upload;
  const stat = input.file === null ? null : statSync(input.file);
  if (input.file !== null && stat?.isFile() === true && input.limit === null) {
    if (stat.size > bounds.maxBytes) throw tooLarge(bounds);
    if (stat.size > PIECE_BYTES) return sendFileInPieces(upload, input.file, stat.size);
    const body = endedBy(createReadStream(input.file), signal, SPOILED);
    return client.ask("PUT", path, { body: Readable.from(body) });
  }
  const source = input.file === null ? process.stdin : createReadStream(input.file);
  const items = input.limit === null ? source : takeItems(unpack(source), input.limit, input.isCsv);
  return sendStream(upload, items);
}

function sendFileInPieces(upload: Upload, file: string, bytes: number): Promise<StoredInput> {
  const { client, signal } = upload;
  return inPieces(upload, async (path) => {
    for (let n = 0; n * PIECE_BYTES < bytes; n++) {
      const range = { start: n * PIECE_BYTES, end: Math.min((n + 1) * PIECE_BYTES, bytes) - 1 };
      const piece = () => Readable.from(endedBy(createReadStream(file, range), signal));
      await again(() => client.ask("PUT", `${path}/${n}`, { body: piece() }), signal);
      signal.throwIfAborted();
    }
  });
}

async function sendStream(upload: Upload, source: AsyncIterable<Uint8Array>): Promise<StoredInput> {
  const { client, path, bounds, signal } = upload;
  const pieces = new Pieces(endedBy(source, signal), bounds);
  const head = await pieces.peek(PEEK_BYTES);
  signal.throwIfAborted();
  if (head.isAll) return client.ask("PUT", path, { body: head.bytes });
  return inPieces(upload, async (to) => {
    for (let n = 0; !pieces.isEmpty; n++) {
      await client.ask("PUT", `${to}/${n}`, { body: Readable.from(pieces.take(PIECE_BYTES)) });
      signal.throwIfAborted();
    }
  });
}

/** An upload in pieces, which `sendPieces` sends to the path it is given. Removes what was sent of one that fails. */
async function inPieces(
  { client, path, signal }: Upload,
  sendPieces: (path: string) => Promise<void>,
): Promise<StoredInput> {
  const { id } = await client.ask<{ id: string }>("POST", `${path}/uploads`, { signal });
  const upload = `${path}/uploads/${encodeURIComponent(id)}`;
  try {
    await sendPieces(upload);
    return await client.ask<StoredInput>("POST", `${upload}/complete`, { patienceMs: JOIN_MS, signal });
  } catch (error) {
    // What Weir has refused it has removed itself; what it cannot be asked to remove now goes after some days.
    await client.ask("DELETE", upload, { patienceMs: ABANDON_MS }).catch(() => {});
    throw error;
  }
}

async function again<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Unreachable) || tries === PIECE_TRIES || signal.aborted) throw error;
    }
  }
}

/** A byte that no input has, packed or not: Weir refuses what it is a part of. */
const SPOILED = Buffer.of(0);

/**
 * The source up to its end or to the abortion of `signal`, then followed by `last`. A request that ends in order is
 * answered once Weir has put away what it got of it; one that breaks off is not waited for by anybody.
 */
async function* endedBy(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  last?: Uint8Array,
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  while (!signal.aborted) {
    const next = await nextUnlessAborted(iterator, signal);
    if (next === null) break;
    if (next.done === true) return;
    yield next.value;
  }
  if (last !== undefined) yield last;
}

/** Null: aborted before it came. */
function nextUnlessAborted<T>(
  iterator: AsyncIterator<T>,
  signal: AbortSignal,
): Promise<IteratorResult<T> | null> {
  return new Promise((resolve, reject) => {
    const abort = () => resolve(null);
    signal.addEventListener("abort", abort, { once: true });
    // Listened to anew for each: what waits for one promise all the time would keep every chunk in memory.
    iterator
      .next()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", abort));
  });
}

const LINE_END = 0x0a;

/** A stream of bytes that is handed on in pieces without being held. */
class Pieces {
  readonly #source: AsyncIterator<Uint8Array>;
  #left: Uint8Array[] = [];
  #hasEnded = false;
  readonly #bounds: UploadBounds;
  #bytes = 0;
  /** Bytes of the line that has not ended; null in gzip, which Weir looks into. */
  #lineBytes: number | null = 0;

  constructor(source: AsyncIterable<Uint8Array>, bounds: UploadBounds) {
    this.#source = source[Symbol.asyncIterator]();
    this.#bounds = bounds;
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
    else {
      this.#check(value);
      this.#left.push(value);
    }
    return done !== true;
  }

  /** Throws NotAnInput: an endless stream is stored no further than an input may be. */
  #check(bytes: Uint8Array): void {
    if (this.#bytes === 0 && isGzip(bytes)) this.#lineBytes = null;
    this.#bytes += bytes.byteLength;
    if (this.#bytes > this.#bounds.maxBytes) throw tooLarge(this.#bounds);
    if (this.#lineBytes === null) return;
    const last = bytes.lastIndexOf(LINE_END);
    this.#lineBytes = last < 0 ? this.#lineBytes + bytes.byteLength : bytes.byteLength - last - 1;
    const { maxLineBytes } = this.#bounds;
    if (this.#lineBytes > maxLineBytes) throw new NotAnInput(`a line is longer than ${maxLineBytes} bytes`);
  }
}

function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
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
  if (!isGzip(first.value)) return yield* rest;
  try {
    yield* Readable.from(rest).pipe(createGunzip());
  } catch (error) {
    throw new UsageError(`--input: the gzip is damaged or cut off: ${faultOf(error)}`);
  }
}
