/**
 * The end of a run: its parts joined in item order into `runs/<run>/results.jsonl`, in slices.
 *
 * Invariants: the object appears whole or not at all; every slice but the last moves at least one part of the
 * upload forward; the outcome is the same however often it is interrupted, because what is joined never changes.
 * Between slices the Run keeps the upload and a mark from which its next bytes can be made again. A later
 * invocation takes the join over; the earlier one notices at its next report and steps aside.
 *
 * A part that cannot be read is left out, and the run fails. The join begins again only where bytes that were sent may
 * have its rows.
 */

import { z } from "zod";
import {
  FINISH_REPORT_MS,
  MAX_OBJECT_PARTS,
  OBJECT_PART_BYTES,
  UNREADABLE_PARTS_KEPT,
} from "../core/limits.ts";
import type { PartMeta } from "../core/protocol.ts";
import type { Env } from "../objects/env.ts";
import type { Run } from "../objects/run.ts";
import { runById } from "../objects/runStub.ts";
import { answered } from "../storage/bucket/answered.ts";
import { isUploadGone, type ObjectWriter, openObjectWriter } from "../storage/bucket/objectWriter.ts";
import { releaseBytes } from "../storage/bucket/releaseBytes.ts";
import { type Joined, joinParts } from "../storage/rows/joinParts.ts";
import { PartError, partBytes, partsInOrder, readablePart } from "../storage/rows/partStream.ts";
import { resultsKey } from "../storage/runRecord.ts";
import { Spending } from "./spending.ts";

/** A point of the join: parts up to `after` make the first `bytes` bytes and `rows` rows. */
const markSchema = z.object({
  after: z.object({ chunk: z.number(), n: z.number() }).nullable(),
  bytes: z.number(),
  rows: z.number(),
});
type Mark = z.infer<typeof markSchema>;

const stateSchema = z.object({
  /** The invocation that joins. */
  owner: z.string(),
  upload: z
    .object({ uploadId: z.string(), etags: z.array(z.string()).readonly(), partBytes: z.number() })
    .nullable(),
  /** Size of the upload's parts. */
  partBytes: z.number(),
  mark: markSchema,
  /** Keys of parts that cannot be read: left out. */
  without: z.array(z.string()).readonly().default([]),
});
type JoinState = z.infer<typeof stateSchema>;

const START: Mark = { after: null, bytes: 0, rows: 0 };

/**
 * Joins until done or the wall clock shows `untilMs`; the Run offers the rest again. Nothing happens when the run
 * has nothing to finish. Throws when R2 or the Run refuses.
 */
export async function finishRun(
  env: Env,
  runId: string,
  { untilMs }: { readonly untilMs: number },
): Promise<void> {
  const run = runById(env, runId);
  const from = await run.finishFrom();
  if (from === null) return;
  const owner = crypto.randomUUID();
  const stored = from.state === null ? null : stateSchema.parse(JSON.parse(from.state));
  const state = stored === null ? await firstState(run, owner) : { ...stored, owner };
  await run.finishProgress(JSON.stringify(state));
  try {
    await join(env, runId, state, untilMs);
  } catch (error) {
    if (error instanceof PartError) return beginWithout(run, state, error.part);
    if (error instanceof PartsLost) return endWithoutJoin(env, runId);
    // The upload is gone (completed by another invocation, or a week old): begin again.
    if (state.upload === null || !isUploadGone(error)) throw error;
    await run.finishProgress(JSON.stringify({ ...state, upload: null, mark: START }));
  }
}

async function join(env: Env, runId: string, state: JoinState, untilMs: number): Promise<void> {
  const run = runById(env, runId);
  const spending = new Spending();
  const { count } = spending;
  const without = new Set(state.without);
  const writer = openObjectWriter(env.BUCKET, resultsKey(runId), {
    count,
    resume: state.upload,
    partBytes: state.partBytes,
    contentType: "application/x-ndjson",
  });
  const resumedBytes = writer.sentBytes();
  let skipBytes = resumedBytes - state.mark.bytes;
  let bytes = state.mark.bytes;
  let rows = state.mark.rows;
  let marks: Mark[] = [state.mark];
  let reportMs = Date.now() + FINISH_REPORT_MS;

  const leaveOut = async (fault: PartError) => {
    const { part, problem } = fault;
    await run.foundUnreadable([{ chunk: part.chunk, n: part.n, problem }]);
    if (without.size === UNREADABLE_PARTS_KEPT) throw new PartsLost();
    if (skipBytes > 0) throw fault;
    without.add(part.key);
  };
  const fetch = async (part: PartMeta) =>
    without.has(part.key) ? null : readablePart(() => partBytes(env.BUCKET, part, count), leaveOut);
  const pieces = joinParts(partsInOrder(run, state.mark.after), fetch, releaseBytes);
  for await (const piece of orAbort(pieces, writer)) {
    if (piece.kind === "bytes") {
      bytes += piece.bytes.byteLength;
      const skipped = Math.min(skipBytes, piece.bytes.byteLength);
      skipBytes -= skipped;
      await writer.write(piece.bytes.subarray(skipped));
      continue;
    }
    rows = state.mark.rows + piece.rows;
    marks = reachable([...marks, { after: piece.after, bytes, rows }], writer);
    const nowMs = Date.now();
    const isOver = nowMs >= untilMs && writer.sentBytes() > resumedBytes;
    if (nowMs < reportMs && !isOver) continue;
    const now = { ...state, without: [...without] };
    if (!(await report(run, now, { writer, marks, spending })) || isOver) return;
    reportMs = nowMs + FINISH_REPORT_MS;
  }
  const written = await writer.finish();
  await run.finished({ bytes: written, rows, spent: spending.take() });
}

/** More parts cannot be read than a run remembers. */
class PartsLost extends Error {}

/** The pieces; nothing remains of the object when they cannot be joined in it. */
async function* orAbort(pieces: AsyncIterable<Joined>, writer: ObjectWriter): AsyncGenerator<Joined> {
  try {
    yield* pieces;
  } catch (error) {
    if (error instanceof PartError || error instanceof PartsLost) await writer.abort();
    throw error;
  }
}

async function beginWithout(run: Run, state: JoinState, part: PartMeta): Promise<void> {
  const without = [...state.without, part.key];
  await run.finishProgress(JSON.stringify({ ...state, upload: null, mark: START, without }));
}

/** What is left is read from the parts; a file of an earlier end says too much. */
async function endWithoutJoin(env: Env, runId: string): Promise<void> {
  await answered(() => env.BUCKET.delete(resultsKey(runId)));
  await runById(env, runId).finished({ bytes: 0, rows: 0 });
}

/** Marks from the last one that the sent bytes have passed. */
function reachable(marks: readonly Mark[], writer: ObjectWriter): Mark[] {
  const passed = marks.findLastIndex((mark) => mark.bytes <= writer.sentBytes());
  return marks.slice(Math.max(0, passed));
}

/** Tells the Run how far the join is. False when another invocation has taken it over or it is done. */
async function report(
  run: Run,
  state: JoinState,
  join: { readonly writer: ObjectWriter; readonly marks: readonly Mark[]; readonly spending: Spending },
): Promise<boolean> {
  const now = await run.finishFrom();
  if (now?.state == null || stateSchema.parse(JSON.parse(now.state)).owner !== state.owner) return false;
  const upload = await join.writer.state();
  const [mark = START] = reachable(join.marks, join.writer);
  await run.finishProgress(
    JSON.stringify({ ...state, upload, mark } satisfies JoinState),
    join.spending.take(),
  );
  return true;
}

/** R2 takes a bounded number of equal parts: their size follows from the size of the whole. */
async function firstState(run: Run, owner: string): Promise<JoinState> {
  let bytes = 0;
  for await (const part of partsInOrder(run)) bytes += part.bytes;
  const scale = Math.max(1, Math.ceil(bytes / (OBJECT_PART_BYTES * MAX_OBJECT_PARTS)));
  return { owner, upload: null, partBytes: scale * OBJECT_PART_BYTES, mark: START, without: [] };
}
