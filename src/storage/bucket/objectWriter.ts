/**
 * One R2 object of unknown length, written in bounded memory: a single put below one part, else a multipart
 * upload of equal parts (R2 wants all but the last equal).
 *
 * Invariants: the object is there whole or not at all; at most two parts are in memory (one being filled, one
 * being sent). What was sent can be carried to another invocation as plain JSON and continued there.
 */
import { assert } from "../../core/assert.ts";
import { MAX_OBJECT_PARTS, OBJECT_PART_BYTES } from "../../core/limits.ts";
import { again } from "./again.ts";
import { answered } from "./answered.ts";
import { type ObjectCount, uncounted } from "./count.ts";
import { releaseBytes } from "./releaseBytes.ts";

/** A multipart upload between two invocations. */
export interface WriterState {
  readonly uploadId: string;
  readonly etags: readonly string[];
  /** Size of every part but the last. */
  readonly partBytes: number;
}

export interface ObjectWriter {
  /** Appends a copy of the bytes. Throws when R2 refuses: then `abort`. */
  write(bytes: Uint8Array): Promise<void>;
  /** Bytes that R2 holds for sure: a later writer that has the state goes on from here. */
  sentBytes(): number;
  /** Waits for the part on its way; null while nothing was sent. */
  state(): Promise<WriterState | null>;
  /** Makes the object. Returns its size in bytes. */
  finish(): Promise<number>;
  /** Gives up: nothing of the object remains. Never throws (R2 removes unfinished uploads after 7 days). */
  abort(): Promise<void>;
}

/** R2's words for an upload that does not exist (10024) and for a part that is not the one named (10025). */
export function isUploadGone(error: unknown): boolean {
  return error instanceof Error && /\((10024|10025)\)/.test(error.message);
}

/** Whoever gives up does not wait for long. */
const ABORT_MS = 5000;
const FIRST_BUFFER_BYTES = 64 * 1024;

/** Opens a writer for `key`; with `resume` it goes on after the parts sent by an earlier one. */
export function openObjectWriter(
  bucket: R2Bucket,
  key: string,
  options: {
    readonly partBytes?: number;
    readonly resume?: WriterState | null;
    readonly contentType?: string;
    readonly metadata?: Record<string, string>;
    readonly count?: ObjectCount;
  } = {},
): ObjectWriter {
  const resume = options.resume ?? null;
  const partBytes = resume?.partBytes ?? options.partBytes ?? OBJECT_PART_BYTES;
  const count = options.count ?? uncounted;
  const about: R2PutOptions & R2MultipartOptions = {
    httpMetadata: { contentType: options.contentType ?? "application/octet-stream" },
    ...(options.metadata === undefined ? {} : { customMetadata: options.metadata }),
  };
  let upload = resume === null ? null : bucket.resumeMultipartUpload(key, resume.uploadId);
  const etags = [...(resume?.etags ?? [])];
  let sending: Promise<void> = Promise.resolve();
  let buffer = new Uint8Array(0);
  let filled = 0;

  /** None of these does harm when it is done twice. */
  function write<T>(act: () => Promise<T>): Promise<T> {
    return again(() => {
      count("r2ClassA", 1);
      return answered(act);
    }, isUploadGone);
  }

  async function sendPart(): Promise<void> {
    await sending;
    const part = buffer.subarray(0, filled);
    buffer = new Uint8Array(0);
    filled = 0;
    assert(etags.length < MAX_OBJECT_PARTS, "an object fits into the parts R2 accepts");
    if (upload === null) {
      upload = await write(() => bucket.createMultipartUpload(key, about));
    }
    const open = upload;
    sending = write(() => open.uploadPart(etags.length + 1, part)).then((sent) => {
      etags.push(sent.etag);
      releaseBytes(part);
    });
    sending.catch(() => {}); // reported where it is awaited
  }

  /** The first part's buffer grows: a small object takes little memory. */
  function room(bytes: number): void {
    if (filled + bytes <= buffer.byteLength) return;
    const grownBytes = upload === null ? Math.max(FIRST_BUFFER_BYTES, 2 * (filled + bytes)) : partBytes;
    const grown = new Uint8Array(Math.min(partBytes, grownBytes));
    grown.set(buffer.subarray(0, filled));
    buffer = grown;
  }

  return {
    async write(bytes) {
      for (let from = 0; from < bytes.byteLength; ) {
        const piece = bytes.subarray(from, from + partBytes - filled);
        room(piece.byteLength);
        buffer.set(piece, filled);
        filled += piece.byteLength;
        from += piece.byteLength;
        if (filled === partBytes) await sendPart();
      }
    },
    sentBytes: () => etags.length * partBytes,
    async state() {
      await sending;
      return upload === null ? null : { uploadId: upload.uploadId, etags: [...etags], partBytes };
    },
    async finish() {
      await sending;
      const bytes = etags.length * partBytes + filled;
      if (upload === null) {
        await write(() => bucket.put(key, buffer.subarray(0, filled), about));
        return bytes;
      }
      if (filled > 0) await sendPart();
      await sending;
      count("r2ClassA", 1);
      const open = upload;
      await answered(() => open.complete(etags.map((etag, i) => ({ partNumber: i + 1, etag }))));
      return bytes;
    },
    async abort() {
      await sending.catch(() => {});
      const open = upload;
      if (open !== null) await answered(() => open.abort(), ABORT_MS).catch(() => {});
    },
  };
}
