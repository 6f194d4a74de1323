/**
 * Uploads in pieces: for inputs too large for one request. Pieces lie side by side until the upload is completed;
 * then they pass through the same scanner as a plain upload, and are removed. Together they are never larger than an
 * input may be: who sends more has the upload ended and its pieces removed.
 */
import {
  MAX_INPUT_BYTES,
  MAX_UPLOAD_BODY_BYTES,
  MAX_UPLOAD_PIECES,
  UPLOAD_ABANDONED_MS,
} from "../../core/limits.ts";
import { answered } from "../bucket/answered.ts";
import { type ObjectCount, uncounted } from "../bucket/count.ts";
import { objectWindows } from "../bucket/objectStream.ts";
import { openObjectWriter } from "../bucket/objectWriter.ts";
import type { Refusal } from "../refusal.ts";
import { deletePrefix } from "../runRecord.ts";
import { bodyChunks } from "./bodyChunks.ts";
import { newUploadId, openMarkKey, PIECES_PREFIX, pieceKey, piecesPrefix, UPLOAD_ID } from "./inputKeys.ts";
import { type InputBounds, refuseName, type StoreOutcome, storeInput, tooLarge } from "./inputs.ts";

/** The upload is unknown: never begun, or already completed. */
export interface UnknownUpload {
  readonly kind: "not-found";
}

/** Begins an upload in pieces; pieces of uploads abandoned for days are removed on the way. */
export async function beginUpload(
  bucket: R2Bucket,
  name: string,
  nowMs: number,
): Promise<{ readonly kind: "begun"; readonly id: string } | Refusal> {
  const refusal = refuseName(name);
  if (refusal !== null) return refusal;
  await deleteAbandoned(bucket, nowMs);
  const id = newUploadId(nowMs);
  await answered(() => bucket.put(openMarkKey(name, id), ""));
  return { kind: "begun", id };
}

/** Stores piece `n` (any order, 0 to 9,999; sending one again replaces it). Ends the upload when it grows too large. */
export async function storePiece(
  bucket: R2Bucket,
  piece: { readonly name: string; readonly id: string; readonly n: number },
  body: ReadableStream<Uint8Array>,
  { count = uncounted, maxBytes = MAX_INPUT_BYTES }: PieceOptions = {},
): Promise<{ readonly kind: "stored"; readonly bytes: number } | UnknownUpload | Refusal> {
  const { name, id, n } = piece;
  const refusal = Number.isSafeInteger(n) && n >= 0 && n < MAX_UPLOAD_PIECES ? null : PIECE_NUMBER;
  if (refusal !== null || !(await isOpen(bucket, name, id))) {
    await body.cancel().catch(() => {});
    return refusal ?? { kind: "not-found" };
  }
  const key = pieceKey(name, id, n);
  const others = await pieces(bucket, { name, id }, count);
  const roomBytes = maxBytes - others.reduce((sum, other) => sum + (other.key === key ? 0 : other.size), 0);
  const writer = openObjectWriter(bucket, key, { count });
  try {
    let bytes = 0;
    for await (const chunk of bodyChunks(body)) {
      bytes += chunk.byteLength;
      if (bytes > MAX_UPLOAD_BODY_BYTES) {
        await writer.abort();
        return PIECE_SIZE;
      }
      if (bytes > roomBytes) {
        await writer.abort();
        await deletePieces(bucket, name, id);
        return tooLarge(`the input is larger than ${maxBytes} bytes`);
      }
      await writer.write(chunk);
    }
    const stored = await writer.finish();
    if (await isOpen(bucket, name, id)) return { kind: "stored", bytes: stored };
    // The upload has ended meanwhile: nobody else would remove this piece.
    await answered(() => bucket.delete(key));
    return { kind: "not-found" };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/**
 * Joins the pieces into an upload as `storeInput` would store them. Refuses when a number between the first and
 * the last piece is missing. After a refusal the pieces are gone too; after a platform fault they are still there.
 */
export async function completeUpload(
  bucket: R2Bucket,
  upload: { readonly name: string; readonly id: string },
  options: { readonly nowMs: number; readonly count?: ObjectCount; readonly bounds?: Partial<InputBounds> },
): Promise<StoreOutcome | UnknownUpload> {
  const { name, id } = upload;
  if (!(await isOpen(bucket, name, id))) return { kind: "not-found" };
  const keys = (await pieces(bucket, upload, options.count)).map((piece) => piece.key);
  const missing = firstGap(keys.map((key) => Number(key.slice(key.lastIndexOf("/") + 1))));
  if (missing !== null) return { ...PIECE_NUMBER, message: `piece ${missing} is missing` };
  const outcome = await storeInput(bucket, name, joinedPieces(bucket, keys, options.count), options);
  await deletePieces(bucket, name, id);
  return outcome;
}

/** Gives the upload up: nothing of it remains. */
export async function abandonUpload(
  bucket: R2Bucket,
  { name, id }: { readonly name: string; readonly id: string },
): Promise<{ readonly kind: "abandoned" } | UnknownUpload> {
  if (!(await isOpen(bucket, name, id))) return { kind: "not-found" };
  await deletePieces(bucket, name, id);
  return { kind: "abandoned" };
}

export interface PieceOptions {
  readonly count?: ObjectCount;
  /** Of all pieces of the upload together. */
  readonly maxBytes?: number;
}

/** The mark goes first: a piece that is stored meanwhile is removed by whoever stores it. */
async function deletePieces(bucket: R2Bucket, name: string, id: string): Promise<void> {
  await answered(() => bucket.delete(openMarkKey(name, id)));
  await deletePrefix(bucket, `${piecesPrefix(name)}${id}/`);
}

const PIECE_NUMBER: Refusal = {
  kind: "refused",
  code: "invalid",
  path: "n",
  message: `a piece's number is an integer from 0 to ${MAX_UPLOAD_PIECES - 1}`,
};

const PIECE_SIZE: Refusal = {
  kind: "refused",
  code: "too_large",
  path: "body",
  message: `a piece has at most ${MAX_UPLOAD_BODY_BYTES} bytes`,
};

async function isOpen(bucket: R2Bucket, name: string, id: string): Promise<boolean> {
  if (refuseName(name) !== null || !UPLOAD_ID.test(id)) return false;
  return (await answered(() => bucket.head(openMarkKey(name, id)))) !== null;
}

/** Pieces count from 0 or from 1, as the sender likes. Null when none is missing. */
function firstGap(numbers: readonly number[]): number | null {
  const first = Math.min(numbers[0] ?? 0, 1);
  for (const [i, n] of numbers.entries()) if (n !== first + i) return first + i;
  return numbers.length === 0 ? 0 : null;
}

/** The pieces that are stored, in their order. */
async function pieces(
  bucket: R2Bucket,
  { name, id }: { readonly name: string; readonly id: string },
  count: ObjectCount = uncounted,
): Promise<R2Object[]> {
  const found: R2Object[] = [];
  let cursor: string | undefined;
  do {
    const from = cursor === undefined ? {} : { cursor };
    count("r2ClassA", 1);
    const page = await answered(() => bucket.list({ prefix: `${piecesPrefix(name)}${id}/`, ...from }));
    found.push(...page.objects);
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
  return found.filter(({ key }) => !key.endsWith("/open"));
}

function joinedPieces(
  bucket: R2Bucket,
  keys: readonly string[],
  count: ObjectCount = uncounted,
): ReadableStream<Uint8Array> {
  const chunks = chunksOf(bucket, keys, count);
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await chunks.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await chunks.return(undefined);
    },
  });
}

async function* chunksOf(
  bucket: R2Bucket,
  keys: readonly string[],
  count: ObjectCount,
): AsyncGenerator<Uint8Array> {
  for (const key of keys) {
    count("r2ClassB", 1);
    const piece = await answered(() => bucket.head(key));
    if (piece === null) throw new Error(`piece ${key} is missing`);
    yield* objectWindows(bucket, piece, { count });
  }
}

/** Of all names: who gave one up does not come back with it. One page at a time is enough to keep up. */
export async function deleteAbandoned(bucket: R2Bucket, nowMs: number): Promise<void> {
  const { objects } = await answered(() => bucket.list({ prefix: PIECES_PREFIX }));
  const old = objects.filter((object) => nowMs - object.uploaded.getTime() > UPLOAD_ABANDONED_MS);
  const keys = old.map((object) => object.key);
  if (keys.length > 0) await answered(() => bucket.delete(keys));
}

/** The minute's tick: once an hour abandoned pieces are looked for, also where nobody uploads any more. Never throws. */
export async function cleanUploads(bucket: R2Bucket, tickMs: number): Promise<void> {
  if (new Date(tickMs).getUTCMinutes() !== 0) return;
  try {
    await deleteAbandoned(bucket, tickMs);
  } catch (error) {
    console.warn("abandoned uploads were not removed:", error);
  }
}
