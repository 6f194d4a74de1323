/**
 * The bytes of an upload as they are stored: gzip is unpacked when the first two bytes say so.
 * Fed in small slices, so that a bomb cannot make more than some megabytes at once.
 */
import { INFLATE_FEED_BYTES } from "../core/limits.ts";
import { nextOf } from "./bodyChunks.ts";

/** The body could not be unpacked: the sender's fault, not the platform's. */
export class NotGzip extends Error {
  constructor() {
    super(
      "the input begins like gzip but cannot be unpacked: it is damaged, cut off or followed by other bytes",
    );
    this.name = "NotGzip";
  }
}

/** An upload's bytes on their way in. */
export interface Incoming {
  /** Yields unpacked bytes. Throws NotGzip, or what the body throws when the sender goes away. */
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly packed: boolean;
  /** Bytes taken from the body so far. */
  receivedBytes(): number;
}

/** Looks at the first bytes of `body` and unpacks it if it is gzip. */
export async function openIncoming(body: ReadableStream<Uint8Array>): Promise<Incoming> {
  const reader = body.getReader();
  let received = 0;
  let broken = false;
  const next = async (): Promise<Uint8Array | null> => {
    try {
      const { value } = await nextOf(reader);
      received += value?.byteLength ?? 0;
      return value ?? null;
    } catch (error) {
      broken = true;
      throw error;
    }
  };
  let head: Uint8Array = new Uint8Array(0);
  while (head.byteLength < 2) {
    const chunk = await next();
    if (chunk === null) break;
    const longer = new Uint8Array(head.byteLength + chunk.byteLength);
    longer.set(head);
    longer.set(chunk, head.byteLength);
    head = longer;
  }
  const packed = head[0] === 0x1f && head[1] === 0x8b;
  const raw = rest(head, next, () => reader.cancel().catch(() => {}));
  const chunks = packed ? inflated(raw, () => broken) : raw;
  return { chunks, packed, receivedBytes: () => received };
}

async function* rest(
  head: Uint8Array,
  next: () => Promise<Uint8Array | null>,
  cancel: () => Promise<void>,
): AsyncGenerator<Uint8Array> {
  let complete = false;
  try {
    if (head.byteLength > 0) yield head;
    for (;;) {
      const chunk = await next();
      if (chunk === null) {
        complete = true;
        return;
      }
      yield chunk;
    }
  } finally {
    if (!complete) await cancel();
  }
}

async function* inflated(raw: AsyncGenerator<Uint8Array>, broken: () => boolean): AsyncGenerator<Uint8Array> {
  const inflater = new DecompressionStream("gzip");
  const writer = inflater.writable.getWriter();
  const reader = inflater.readable.getReader();
  const feeding = feed(raw, writer);
  feeding.catch(() => {}); // its failure shows at the reader
  let complete = false;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      yield value;
    }
    await feeding;
    complete = true;
  } catch (error) {
    throw broken() ? error : new NotGzip();
  } finally {
    if (!complete) {
      await reader.cancel().catch(() => {});
      await raw.return(undefined);
    }
  }
}

async function feed(
  raw: AsyncGenerator<Uint8Array>,
  writer: WritableStreamDefaultWriter<BufferSource>,
): Promise<void> {
  try {
    for await (const chunk of raw) {
      for (let from = 0; from < chunk.byteLength; from += INFLATE_FEED_BYTES) {
        await writer.write(chunk.slice(from, from + INFLATE_FEED_BYTES));
      }
    }
    await writer.close();
  } catch (error) {
    await writer.abort(error).catch(() => {});
    throw error;
  }
}
