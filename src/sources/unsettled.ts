/**
 * Items of a failed or cancelled run that never got a row, less those that a later run of its family gave one.
 * Told as spans: a run cancelled at its start has millions of them in a row.
 */
import { SETTLED_PER_QUERY, UNSETTLED_PER_CALL } from "../core/limits.ts";
import type { ErrorKind } from "../core/row.ts";
import type { SourceSpec } from "../core/spec.ts";
import type { Env } from "../objects/env.ts";
import type { Run, UnsettledChunk } from "../objects/run.ts";
import { runById } from "../objects/runStub.ts";
import { type Family, settledBetween } from "../storage/index/stillFailed.ts";
import { indexAt } from "./contiguous.ts";

/** Items `first … first + count - 1`. */
export interface Span {
  readonly first: number;
  readonly count: number;
}

/** How many items the source of the root run `root` has. */
export type CountItems = (source: SourceSpec, root: string) => Promise<number | null>;

/** Spans without a row from index `from` on, ascending. Empty when `kinds` are asked for: they have none. */
export async function* openSpans(
  env: Pick<Env, "RUN" | "DB">,
  query: { readonly family: Family; readonly kinds: readonly ErrorKind[] | null; readonly from: number },
  countItems: CountItems,
): AsyncGenerator<Span> {
  const [run, ...later] = query.family;
  if (run === undefined || query.kinds !== null) return;
  const stub = runById(env, run);
  let after = -1;
  for (;;) {
    const page = await stub.unsettled(after, UNSETTLED_PER_CALL);
    for (const chunk of page) yield* openIn(env.DB, later, spansOf(chunk), query.from);
    const last = page[page.length - 1];
    if (last === undefined || page.length < UNSETTLED_PER_CALL) break;
    after = last.chunk;
  }
  yield* openIn(env.DB, later, await unplanned(stub, countItems), query.from);
}

/** What a run that ended while it was planned had not planned yet. (A retry run leaves those to its parent.) */
async function unplanned(run: Run, countItems: CountItems): Promise<Span[]> {
  const [view, settings] = [await run.view(), await run.settings()];
  if (view === null || settings === null || settings.child || view.counts.items !== null) return [];
  const first = view.chunks.total * settings.spec.chunkSize;
  const items = (await countItems(settings.itemSource, settings.root)) ?? first;
  return items > first ? [{ first, count: items - first }] : [];
}

async function* openIn(
  db: D1Database,
  later: Family,
  spans: readonly Span[],
  from: number,
): AsyncGenerator<Span> {
  for (const span of spans) {
    for (const piece of pieces(span, from)) {
      if (later.length === 0) {
        yield piece;
        continue;
      }
      const last = piece.first + piece.count - 1;
      yield* without(piece, await settledBetween(db, { runs: later, first: piece.first, last }));
    }
  }
}

/** The chunk's items without a row: its deferred ones, then all from its cursor on. */
export function spansOf({ plan, cursor, deferred }: UnsettledChunk): Span[] {
  const ordinals = [...deferred].sort((a, b) => a - b);
  const spans = ordinals.map((ordinal) => ({ first: indexAt(plan, ordinal), count: 1 }));
  if (plan.indexes === undefined) {
    if (cursor < plan.count) spans.push({ first: plan.first + cursor, count: plan.count - cursor });
    return spans;
  }
  return [...spans, ...plan.indexes.slice(cursor).map((first) => ({ first, count: 1 }))];
}

/** `span` minus the (ascending) indexes. */
export function* without(span: Span, settled: readonly number[]): Generator<Span> {
  let first = span.first;
  for (const index of settled) {
    if (index > first) yield { first, count: index - first };
    first = index + 1;
  }
  const end = span.first + span.count;
  if (first < end) yield { first, count: end - first };
}

/** Cuts a span in two at `index`; the second is null when the span ends before it. */
export function splitAt(span: Span, index: number): readonly [Span, Span | null] {
  const count = Math.min(span.count, index - span.first);
  const rest = span.count - count;
  return [{ first: span.first, count }, rest > 0 ? { first: span.first + count, count: rest } : null];
}

function* pieces(span: Span, from: number): Generator<Span> {
  const end = span.first + span.count;
  for (let first = Math.max(span.first, from); first < end; first += SETTLED_PER_QUERY) {
    yield { first, count: Math.min(SETTLED_PER_QUERY, end - first) };
  }
}
