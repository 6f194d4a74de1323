/**
 * Rebuilding D1: the catalog and the failures of every run that R2 holds, whatever D1 held before.
 *
 * Invariants: safe to repeat, and while runs go on (rows never change, an older snapshot never replaces a newer one);
 * bounded in queries and time, and what is left is told as a cursor; memory is a page of parts at a time. The Run
 * objects say which parts are committed. Of a run whose object is gone every part counts, and it is entered as
 * failed: nothing can go on with it, but its rows and failures can be read. Parts that cannot be read are left out.
 *
 * Not rebuilt: idempotency keys, which are nowhere but in D1.
 */
import { D1_QUERIES_PER_SLICE, PARTS_PER_INDEX_CALL } from "../core/limits.ts";
import type { PartMeta } from "../core/protocol.ts";
import type { CreateRun } from "../core/run/run.ts";
import type { RunView } from "../core/run/runView.ts";
import type { Env } from "../objects/env.ts";
import type { Run } from "../objects/run.ts";
import { runById } from "../objects/runStub.ts";
import { upsertRun } from "../storage/index/catalog.ts";
import { indexParts } from "../storage/index/failures.ts";
import { readRunRecord } from "../storage/readRunRecord.ts";
import { listedParts } from "../storage/rows/listedParts.ts";
import type { TakesNote } from "../storage/rows/partStream.ts";
import { recordedRuns } from "../storage/runRecord.ts";
import { notedBy } from "./unreadable.ts";

/** The last part of a run that is indexed, and how many rows there were up to it. */
interface Place {
  readonly chunk: number;
  readonly n: number;
  readonly ok: number;
  readonly failed: number;
}

/** Where a later call goes on. */
export interface ReindexCursor {
  readonly run: string;
  /** Null: at the start of the run. */
  readonly place: Place | null;
}

/** What one call has put into D1. */
export interface Reindexed {
  readonly runs: number;
  readonly parts: number;
  /** Failed rows of those parts: of each run its own, also those that a retry has settled. */
  readonly failures: number;
  /** Null: everything is there. */
  readonly next: ReindexCursor | null;
}

/**
 * Indexes from `from` (null: the start) until done, the wall clock shows `untilMs`, or D1's bound on queries is near.
 * At least one page of parts is indexed. Throws when R2, D1 or a Run refuses: what is done stays done.
 */
export async function reindex(
  env: Env,
  from: ReindexCursor | null,
  { untilMs }: { readonly untilMs: number },
): Promise<Reindexed> {
  const slice = new Slice(untilMs);
  for await (const run of recordedRuns(env.BUCKET, from?.run ?? null)) {
    if (slice.isOver) return slice.report({ run, place: null });
    const place = await reindexRun(env, run, from?.run === run ? from.place : null, slice);
    if (place !== null) return slice.report({ run, place });
  }
  return slice.report(null);
}

/** Counts what was done and when it is enough. */
class Slice {
  readonly #untilMs: number;
  #queries = 0;
  #runs = 0;
  #parts = 0;
  #failures = 0;

  constructor(untilMs: number) {
    this.#untilMs = untilMs;
  }

  /** True from the first query on that would be one too many or too late. */
  get isOver(): boolean {
    return this.#queries > 0 && (this.#queries >= D1_QUERIES_PER_SLICE || Date.now() >= this.#untilMs);
  }

  catalogedRun(): void {
    this.#queries += 1;
    this.#runs += 1;
  }

  indexed(parts: readonly PartMeta[], queries: number): void {
    this.#queries += queries;
    this.#parts += parts.length;
    this.#failures += parts.reduce((sum, part) => sum + part.failed, 0);
  }

  report(next: ReindexCursor | null): Reindexed {
    return { runs: this.#runs, parts: this.#parts, failures: this.#failures, next };
  }
}

/** Null when the run is done, else how far it is. */
async function reindexRun(env: Env, id: string, from: Place | null, slice: Slice): Promise<Place | null> {
  const run = runById(env, id);
  const atMs = Date.now();
  const [view, settings] = [await run.view(), await run.settings()];
  if (view === null || settings === null) return reindexFromParts(env, id, from, slice);
  if (from === null) {
    await upsertRun(env.DB, view, { root: settings.root, itemSource: settings.itemSource, atMs });
    slice.catalogedRun();
  }
  const noted = { ...settings, unreadable: notedBy(run) };
  const { place, isDone } = await index(env, noted, committedParts(run, from), from, slice);
  return isDone ? null : place;
}

/** The object of this run is gone, or it never came to be: then it has no parts and is passed over. */
async function reindexFromParts(
  env: Env,
  id: string,
  from: Place | null,
  slice: Slice,
): Promise<Place | null> {
  const record = await readRunRecord(env.BUCKET, id);
  if (record === null) {
    console.warn(`run ${id}: its object is gone and it has no record that can be read: passed over`);
    return null;
  }
  const parts = listedParts(env.BUCKET, id, { after: from, limit: PARTS_PER_INDEX_CALL });
  const settings = { run: id, child: record.parentRunId !== null };
  const { place, isDone } = await index(env, settings, parts, from, slice);
  if (!isDone || place === null) return place;
  const { rootId: root, itemSource } = record;
  await upsertRun(env.DB, viewOfGone(record, place), { root, itemSource, atMs: Date.now() });
  slice.catalogedRun();
  return null;
}

/** Indexes page after page. `place` is null when there was nothing to index. */
async function index(
  env: Env,
  settings: { readonly run: string; readonly child: boolean; readonly unreadable?: TakesNote },
  pages: AsyncIterable<PartMeta[]>,
  from: Place | null,
  slice: Slice,
): Promise<{ readonly place: Place | null; readonly isDone: boolean }> {
  let place = from;
  for await (const parts of pages) {
    const last = parts[parts.length - 1];
    if (last === undefined) continue;
    // A page takes time even where it needs no query.
    slice.indexed(parts, 1 + (await indexParts(env, settings, parts, settings)));
    const count = (which: "ok" | "failed") => parts.reduce((sum, part) => sum + part[which], 0);
    const { chunk, n } = last;
    place = {
      chunk,
      n,
      ok: (place?.ok ?? 0) + count("ok"),
      failed: (place?.failed ?? 0) + count("failed"),
    };
    if (slice.isOver) return { place, isDone: false };
  }
  return { place, isDone: true };
}

async function* committedParts(run: Run, from: Place | null): AsyncGenerator<PartMeta[]> {
  let after = from === null ? null : { chunk: from.chunk, n: from.n };
  for (;;) {
    const page = await run.partsInOrder(after, PARTS_PER_INDEX_CALL);
    yield page;
    const last = page[page.length - 1];
    if (last === undefined || page.length < PARTS_PER_INDEX_CALL) return;
    after = { chunk: last.chunk, n: last.n };
  }
}

function viewOfGone(record: CreateRun, { ok, failed }: Place): RunView {
  return {
    id: record.runId,
    name: record.spec.name,
    status: "failed",
    why: "its Run object is gone: its rows and failures are kept, nothing can go on with it",
    spec: record.spec,
    createdAt: new Date(record.createdAtMs).toISOString(),
    startedAt: null,
    endedAt: null,
    parentRunId: record.parentRunId,
    eta: null,
    counts: { items: null, done: ok + failed, ok, failed, attempts: 0, throttled: 0 },
    chunks: { total: 0, done: 0, active: 0, pending: 0 },
    lanes: { live: 0, max: record.spec.maxParallelism },
    rate: { limitPerSecond: null, effectiveLimitPerSecond: null, currentPerSecond: 0 },
    totals: null,
    usage: null,
    fault: null,
    onComplete: null,
    coordinatorRequests: 0,
    operations: { queue: 0, object: 0, rowsWritten: 0, r2ClassA: 0, r2ClassB: 0, d1RowsWritten: 0 },
  };
}
