/**
 * The bytes of an upload as they are stored: gzip is unpacked when the first two bytes say so.
 * Fed in small slices, so that a bomb cannot make more than some megabytes at once.
 */
import { INFLATE_FEED_BYTES } from "../../core/limits.ts";
import { nextOf } from "./bodyChunks.ts";
import { inflated } from "./gunzip.ts";

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
  const next = async (): Promise<Uint8Array | null> => {
    const { value } = await nextOf(reader);
    received += value?.byteLength ?? 0;
    return value ?? null;
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
  const chunks = packed ? inflated(slices(raw)) : raw;
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

async function* slices(raw: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of raw) {
    for (let from = 0; from < chunk.byteLength; from += INFLATE_FEED_BYTES)
      yield chunk.subarray(from, from + INFLATE_FEED_BYTES);
  }
}
