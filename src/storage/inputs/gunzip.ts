/**
 * Unpacking gzip no faster than what comes out is used. The platform's DecompressionStream takes in whatever it is
 * given and keeps what nobody has read yet: a file of 7 MB that unpacks to 250 held as much in memory while a database
 * took its rows. Node's zlib, which workerd has, waits. Loaded when the first packed file is met.
 */

/** What comes out at once: enough that a piece is worth its way, little beside the page it becomes part of. */
const PIECE_BYTES = 64 * 1024;

/** The bytes are not gzip, break off, or are followed by others: the sender's fault, not the platform's. */
export class NotGzip extends Error {
  constructor() {
    super("it begins like gzip but cannot be unpacked: it is damaged, cut off or followed by other bytes");
    this.name = "NotGzip";
  }
}

/** Unpacks when the first two bytes say gzip, else passes on. Throws NotGzip, and what `raw` throws. */
export async function* gunzipped(raw: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = raw[Symbol.asyncIterator]();
  let isComplete = false;
  try {
    const head = await firstBytes(iterator);
    const all = from(head, iterator);
    if (head[0] === 0x1f && head[1] === 0x8b) yield* inflated(all);
    else yield* all;
    isComplete = true;
  } finally {
    if (!isComplete) await iterator.return?.();
  }
}

async function firstBytes(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let head: Uint8Array = new Uint8Array(0);
  while (head.byteLength < 2) {
    const { value, done } = await iterator.next();
    if (done === true) return head;
    const longer = new Uint8Array(head.byteLength + value.byteLength);
    longer.set(head);
    longer.set(value, head.byteLength);
    head = longer;
  }
  return head;
}

async function* from(head: Uint8Array, iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (head.byteLength > 0) yield head;
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
}

/** The bytes of all members, one after another (RFC 1952, 2.2). Throws as `gunzipped` does. */
export async function* inflated(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { default: zlib } = await import("node:zlib");
  const gunzip = zlib.createGunzip({ chunkSize: PIECE_BYTES });
  let fault: { readonly of: unknown } | null = null;
  const feeding = (async () => {
    for await (const piece of packed) {
      if (gunzip.destroyed) return;
      if (gunzip.write(piece)) continue;
      await new Promise<void>((resolve) => gunzip.once("drain", resolve).once("close", resolve));
    }
    gunzip.end();
  })().catch((error: unknown) => {
    fault ??= { of: error };
    gunzip.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    for await (const piece of gunzip) yield piece as Uint8Array;
    await feeding;
  } catch (error) {
    const source = fault as { readonly of: unknown } | null;
    throw source === null ? (error instanceof NotGzip ? error : new NotGzip()) : source.of;
  } finally {
    gunzip.destroy();
  }
}
