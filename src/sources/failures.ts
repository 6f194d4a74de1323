/**
 * Source `failures`: the items of an ended run that are still failed and, of a failed or cancelled one, those that
 * never got a row. With `kinds` only failures of those kinds are taken: an item without a row has no kind.
 *
 * Two uses. A run of its own takes them as any items: its rows count from 0, and what becomes of them is nothing to
 * the run they come from. Which items these are is written down page by page (`listing.ts`), because that run may be
 * retried meanwhile. A retry run (`retry: true`, what POST /v1/runs/:id/retry makes) is that run's child: its rows
 * keep the root run's indexes. For it this source only plans; its items are read through the root run's source.
 */
import {
  CHUNKS_PER_PLAN_CALL,
  FAILURES_PER_QUERY,
  INDEXES_PER_CHUNK,
  INDEXES_PER_PLAN_CALL,
} from "../core/limits.ts";
import type { ChunkPlan } from "../core/protocol.ts";
import type { ErrorKind } from "../core/row.ts";
import { isEnded } from "../core/run/runView.ts";
import type { Json, SourceSpec } from "../core/spec.ts";
import { runById } from "../objects/runStub.ts";
import { getRun } from "../storage/index/catalog.ts";
import { countFailures, type Family, failuresAfter, familyOf } from "../storage/index/stillFailed.ts";
import { type ListEntries, planListed, readListed } from "./listing.ts";
import type { FailuresSettings } from "./schemas.ts";
import { type Item, type Source, type SourceContext, SourceError } from "./source.ts";
import { openSpans, type Span, splitAt } from "./unsettled.ts";

/** What this source needs of the others: it reads items through them. */
export interface OtherSources {
  /** For a run that ended before it was wholly planned. */
  countItems(source: SourceSpec, context: SourceContext): Promise<number | null>;
  readItems(
    source: SourceSpec,
    chunk: ChunkPlan,
    from: { readonly ordinal: number; readonly position: number | null },
    context: SourceContext,
  ): AsyncIterableIterator<Item>;
}

export const failuresSource = (others: OtherSources): Source<FailuresSettings> => {
  const spansFrom = async (settings: FailuresSettings, from: number, context: SourceContext) => {
    const { env } = context;
    const query = { family: await familyOf(env.DB, settings.run), kinds: settings.kinds, from };
    const open = openSpans(env, query, (source, run) => others.countItems(source, { ...context, run }));
    return { query, open };
  };
  const lister = (settings: FailuresSettings, context: SourceContext): ListEntries => {
    return async (after, limit) => {
      const { query, open } = await spansFrom(settings, Number(after ?? 0), context);
      return firstIndexes(merged(open, failedFrom(context.env.DB, query)), limit);
    };
  };
  return {
    kind: "failures",
    async pin(settings, context) {
      const { env } = context;
      const run = await getRun(env.DB, settings.run);
      if (run === null) throw new SourceError("source.run", `there is no run ${settings.run}`);
      if (!isEnded(run.status)) throw new SourceError("source.run", `run ${settings.run} has not ended`);
      const { query, open } = await spansFrom(settings, 0, context);
      const { family } = query;
      let items = await countFailures(env.DB, family, settings.kinds);
      for await (const span of open) items += span.count;
      const [first] = await failuresAfter(env.DB, { family, after: -1, limit: 1, kinds: settings.kinds });
      const found = settings.retry ? null : await foundIn(settings.run, context);
      return {
        settings: { ...settings, found },
        items,
        first: first === undefined ? null : itemOfLine(first.line),
      };
    },
    async plan(settings, chunkSize, cursor, context) {
      if (!settings.retry) return planListed(chunkSize, cursor, context, lister(settings, context));
      const { query, open } = await spansFrom(settings, Number(cursor ?? 0), context);
      const failed = failedFrom(context.env.DB, query);
      return cut(merged(open, failed), Math.min(chunkSize, INDEXES_PER_CHUNK));
    },
    async *read(settings, chunk, from, context) {
      const { found } = settings;
      if (found === null)
        throw new SourceError("source.kind", `the items of ${settings.run} are read through its own source`);
      const places: Item[] = [];
      for await (const place of readListed(chunk, from.ordinal, context)) places.push(place);
      const indexes = places.map(({ value }) => value as number);
      const there = { first: indexes[0] ?? 0, count: indexes.length, indexes, position: "" };
      const start = { ordinal: 0, position: null };
      const items = others.readItems(found.source, there, start, { ...context, run: found.root });
      for await (const item of items) {
        const place = places[item.ordinal];
        if (place !== undefined)
          yield { ...item, index: place.index, ordinal: place.ordinal, position: place.position };
      }
    },
  };
};

/** Where the items of a run are read. */
async function foundIn(run: string, { env }: SourceContext): Promise<FailuresSettings["found"]> {
  const settings = await runById(env, run).settings();
  if (settings === null) throw new SourceError("source.run", `run ${run} is not there any more`);
  return { source: { ...settings.itemSource }, root: settings.root };
}

/** The first `limit` indexes of the spans; `next`: the index to go on from. */
async function firstIndexes(
  spans: AsyncGenerator<Span>,
  limit: number,
): Promise<{ readonly entries: readonly number[]; readonly next: string | null }> {
  const entries: number[] = [];
  for await (const span of spans) {
    for (let index = span.first; index < span.first + span.count; index++) {
      if (entries.length === limit) return { entries, next: String(index) };
      entries.push(index);
    }
  }
  return { entries, next: null };
}

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
