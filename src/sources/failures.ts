/**
 * Source `failures`, for retry runs: the items of an ended run that are still failed and, of a failed or cancelled
 * one, those that never got a row. It only plans: the items themselves are read through the root run's source, by
 * the indexes planned here.
 *
 * With `kinds` only failures of those kinds are taken: an item without a row has no kind.
 */
import { z } from "zod";
import {
  CHUNKS_PER_PLAN_CALL,
  FAILURES_PER_QUERY,
  INDEXES_PER_CHUNK,
  INDEXES_PER_PLAN_CALL,
} from "../core/limits.ts";
import type { ChunkPlan } from "../core/protocol.ts";
import { ERROR_KINDS, type ErrorKind } from "../core/row.ts";
import { isEnded } from "../core/runView.ts";
import type { Json, SourceSpec } from "../core/spec.ts";
import { getRun } from "../storage/catalog.ts";
import { countFailures, type Family, failuresAfter, familyOf } from "../storage/stillFailed.ts";
import { type Source, type SourceContext, SourceError } from "./source.ts";
import { openSpans, type Span, splitAt } from "./unsettled.ts";

export const failuresSchema = z.strictObject({
  kind: z.literal("failures"),
  run: z.string().min(1).max(64),
  kinds: z.array(z.enum(ERROR_KINDS)).min(1).nullable().default(null),
});

export type FailuresSettings = z.infer<typeof failuresSchema>;

/** `countItems`: the registry's, for a run that ended before it was wholly planned. */
export const failuresSource = (
  countItems: (source: SourceSpec, context: SourceContext) => Promise<number | null>,
): Source<FailuresSettings> => ({
  kind: "failures",
  schema: failuresSchema,
  async pin(settings, context) {
    const { env } = context;
    const run = await getRun(env.DB, settings.run);
    if (run === null) throw new SourceError("source.run", `there is no run ${settings.run}`);
    if (!isEnded(run.status)) throw new SourceError("source.run", `run ${settings.run} has not ended`);
    const family = await familyOf(env.DB, settings.run);
    let items = await countFailures(env.DB, family, settings.kinds);
    const query = { family, kinds: settings.kinds, from: 0 };
    for await (const span of openSpans(env, query, (source) => countItems(source, context)))
      items += span.count;
    const [first] = await failuresAfter(env.DB, { family, after: -1, limit: 1, kinds: settings.kinds });
    return { settings, items, first: first === undefined ? null : itemOfLine(first.line) };
  },
  async plan(settings, chunkSize, cursor, context) {
    const { env } = context;
    const query = {
      family: await familyOf(env.DB, settings.run),
      kinds: settings.kinds,
      from: Number(cursor ?? 0),
    };
    const open = openSpans(env, query, (source) => countItems(source, context));
    const failed = failedFrom(env.DB, query);
    return cut(merged(open, failed), Math.min(chunkSize, INDEXES_PER_CHUNK));
  },
  read(settings) {
    throw new SourceError("source.kind", `the items of ${settings.run} are read through its own source`);
  },
});

/** Rows are ours alone; a preview needs no exact digits. */
function itemOfLine(line: string): Json {
  return (JSON.parse(line) as { readonly item?: Json }).item ?? null;
}

/** Failed and unsettled items, ascending. An index is one or the other, never both. */
async function* merged(open: AsyncGenerator<Span>, failed: AsyncGenerator<Span>): AsyncGenerator<Span> {
  let span = await open.next();
  for await (const failure of failed) {
    while (!span.done && span.value.first < failure.first) {
      const [before, after] = splitAt(span.value, failure.first);
      yield before;
      span = after === null ? await open.next() : { done: false, value: after };
    }
    yield failure;
  }
  for (; !span.done; span = await open.next()) yield span.value;
}

async function* failedFrom(
  db: D1Database,
  { family, kinds, from }: { family: Family; kinds: readonly ErrorKind[] | null; from: number },
): AsyncGenerator<Span> {
  let after = from - 1;
  for (;;) {
    const page = await failuresAfter(db, { family, after, limit: FAILURES_PER_QUERY, kinds });
    for (const { index } of page) yield { first: index, count: 1 };
    const last = page[page.length - 1];
    if (last === undefined || page.length < FAILURES_PER_QUERY) return;
    after = last.index;
  }
}

/** Cuts spans into chunks of `size` items; chunks without gaps name no indexes. */
async function cut(
  spans: AsyncGenerator<Span>,
  size: number,
): Promise<{ chunks: ChunkPlan[]; cursor: string | null }> {
  const chunks: ChunkPlan[] = [];
  let indexes: number[] = [];
  let taken = 0;
  for await (const span of spans) {
    for (let index = span.first; index < span.first + span.count; index++) {
      if (chunks.length === CHUNKS_PER_PLAN_CALL || (taken >= INDEXES_PER_PLAN_CALL && indexes.length === 0))
        return { chunks, cursor: String(index) };
      indexes.push(index);
      taken++;
      if (indexes.length < size) continue;
      chunks.push(chunkOf(indexes));
      indexes = [];
    }
  }
  if (indexes.length > 0) chunks.push(chunkOf(indexes));
  return { chunks, cursor: null };
}

function chunkOf(indexes: readonly number[]): ChunkPlan {
  const first = indexes[0] as number;
  const count = indexes.length;
  const contiguous = indexes[count - 1] === first + count - 1;
  return { first, count, position: "", ...(contiguous ? {} : { indexes }) };
}
