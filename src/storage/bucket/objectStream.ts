/**
 * An object's bytes in windows of bounded size, a few read ahead: as pieces, or as one stream for an answer.
 *
 * The stream asks for no more than its reader takes. A body passed on as a whole does not, where R2 is simulated: of
 * an object that was uploaded in parts the simulation reads everything before it hands on the first byte (docs/design/rows.md
 * has the figures). And a window that R2 refuses is asked for again, which a body that broke off cannot be.
 *
 * An object that was replaced or removed between two windows errors the stream: it is never closed as if complete.
 */

import { OBJECT_WINDOW_BYTES, OBJECT_WINDOWS_AHEAD } from "../../core/limits.ts";
import { again } from "./again.ts";
import { answered } from "./answered.ts";
import { type ObjectCount, uncounted } from "./count.ts";
import { fetchAhead } from "./fetchAhead.ts";
import { releaseBytes } from "./releaseBytes.ts";

/** The bytes of `object` from its first to its last. Throws when R2 refuses a window or the object was replaced. */
export async function* objectWindows(
  bucket: R2Bucket,
  object: R2Object,
  options: { readonly windowBytes?: number; readonly ahead?: number; readonly count?: ObjectCount } = {},
): AsyncGenerator<Uint8Array> {
  const { windowBytes = OBJECT_WINDOW_BYTES, ahead = OBJECT_WINDOWS_AHEAD, count = uncounted } = options;
  const read = (offset: number) => {
    const length = Math.min(windowBytes, object.size - offset);
    return readWindow(bucket, object, { offset, length }, count);
  };
  for await (const { result } of fetchAhead(offsets(object.size, windowBytes), ahead, read)) yield result;
}

/** The object as one stream of its size. */
export function streamObject(bucket: R2Bucket, object: R2Object): ReadableStream<Uint8Array> {
  const { readable, writable } = new FixedLengthStream(object.size);
  void pump(objectWindows(bucket, object), writable);
  return readable;
}

/** Ends when all is written or the reader has gone; tells of a failure by the stream alone. */
async function pump(
  windows: AsyncGenerator<Uint8Array>,
  writable: WritableStream<Uint8Array>,
): Promise<void> {
  const writer = writable.getWriter();
  try {
    for await (const bytes of windows) {
      await writer.write(bytes);
      releaseBytes(bytes);
    }
    await writer.close();
  } catch (error) {
    await writer.abort(error).catch(() => {});
  }
}

async function* offsets(size: number, step: number): AsyncGenerator<number> {
  for (let offset = 0; offset < size; offset += step) yield offset;
}

/** A run that was resumed and has ended again has another object: its bytes do not go with those read before. */
async function readWindow(
  bucket: R2Bucket,
  of: R2Object,
  range: R2Range,
  count: ObjectCount,
): Promise<Uint8Array> {
  const bytes = await again(async () => {
    count("r2ClassB", 1);
    return answered(async () => {
      const object = await bucket.get(of.key, { range, onlyIf: { etagMatches: of.etag } });
      return object !== null && "body" in object ? object.bytes() : null;
    });
  });
  if (bytes === null) throw new Error(`${of.key} was replaced while it was read`);
  return bytes;
}
