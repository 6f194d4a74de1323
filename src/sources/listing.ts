/**
 * Sources that list: what is listed changes while the run goes on, so every page of it is written down once, below
 * the root run in R2, and that is what the run and its retries work on.
 *
 * Invariants: a page is written with `If-None-Match: *`, so planners that meet agree; every page but the last holds
 * exactly `LISTED_PER_PAGE` entries, so item i stands in page ⌊i / LISTED_PER_PAGE⌋. A page is listed when planning
 * gets to it: lanes work on the first ones meanwhile.
 */

import { CHUNKS_PER_PLAN_CALL, LISTED_PER_PAGE, MAX_CHUNKS } from "../core/limits.ts";
import type { ChunkPlan } from "../core/protocol.ts";
import type { Json } from "../core/spec.ts";
import { answered } from "../storage/bucket/answered.ts";
import { indexAt } from "./contiguous.ts";
import { type Item, type PlanStep, type SourceContext, SourceError } from "./source.ts";

interface Page {
  readonly entries: readonly Json[];
  /** Where the next page begins to list; null: this was the last. */
  readonly next: string | null;
}

/** Lists what comes after a place, at most `limit` entries; `next` null: that was all. */
export type ListEntries = (
  after: string | null,
  limit: number,
) => Promise<{ readonly entries: readonly Json[]; readonly next: string | null }>;

/** The next chunks from item `cursor` on: pages are read until there is at least one. */
export async function planListed(
  chunkSize: number,
  cursor: string | null,
  context: SourceContext,
  list: ListEntries,
): Promise<PlanStep> {
  const chunks: ChunkPlan[] = [];
  let first = Number(cursor ?? 0);
  for (let n = pageOf(first); ; n++) {
    const page = await takePage(n, context, list);
    const end = n * LISTED_PER_PAGE + page.entries.length;
    const isLast = page.next === null;
    while (first < end && (isLast || first + chunkSize <= end)) {
      if (chunks.length === CHUNKS_PER_PLAN_CALL) return { chunks, cursor: String(first) };
      const count = Math.min(chunkSize, end - first);
      chunks.push({ first, count, position: "" });
      first += count;
    }
    if (first > chunkSize * MAX_CHUNKS)
      throw new SourceError("chunkSize", `there are more than ${MAX_CHUNKS} chunks: choose larger ones`);
    if (isLast) return { chunks, cursor: null };
    if (chunks.length > 0) return { chunks, cursor: String(first) };
  }
}

/** Entries of a chunk as items, from an ordinal on. Throws SourceError when the listing is not there any more. */
export async function* readListed(
  chunk: ChunkPlan,
  fromOrdinal: number,
  context: SourceContext,
): AsyncGenerator<Item> {
  let at = -1;
  let page: Page | null = null;
  for (let ordinal = fromOrdinal; ordinal < chunk.count; ordinal++) {
    const index = indexAt(chunk, ordinal);
    const n = pageOf(index);
    if (page === null || n !== at) page = await requirePage(n, context);
    at = n;
    const value = page.entries[index - n * LISTED_PER_PAGE] ?? null;
    yield { index, ordinal, position: index, value };
  }
}

/** How many entries there are in all; lists what planning had not reached. */
export async function countListed(context: SourceContext, list: ListEntries): Promise<number> {
  for (let n = 0; ; n++) {
    const page = await takePage(n, context, list);
    if (page.next === null) return n * LISTED_PER_PAGE + page.entries.length;
  }
}

function pageOf(item: number): number {
  return Math.floor(item / LISTED_PER_PAGE);
}

/** Page `n` as it was written down, or written down now. */
async function takePage(n: number, context: SourceContext, list: ListEntries): Promise<Page> {
  const written = await readPage(n, context);
  if (written !== null) return written;
  const before = n === 0 ? null : await requirePage(n - 1, context);
  const page = await fillPage(before?.next ?? null, list);
  const { env, run, count } = context;
  count("r2ClassA", 1);
  const onlyIf = new Headers({ "If-None-Match": "*" });
  const put = await answered(() => env.BUCKET.put(pageKey(run, n), JSON.stringify(page), { onlyIf }));
  return put === null ? requirePage(n, context) : page;
}

/** A listing may give fewer entries at once than asked for. */
async function fillPage(from: string | null, list: ListEntries): Promise<Page> {
  const entries: Json[] = [];
  let after = from;
  do {
    const listed = await list(after, LISTED_PER_PAGE - entries.length);
    entries.push(...listed.entries);
    after = listed.next;
  } while (after !== null && entries.length < LISTED_PER_PAGE);
  return { entries, next: after };
}

async function readPage(n: number, { env, run, count }: SourceContext): Promise<Page | null> {
  count("r2ClassB", 1);
  const page = await answered(async () =>
    (await env.BUCKET.get(pageKey(run, n)))?.json<Partial<Page> | null>(),
  );
  if (page === undefined) return null;
  if (!isPage(page)) throw new Error(`page ${n} of what run ${run} lists is damaged`);
  return page;
}

/** Its entries are JSON because the page was. */
function isPage(page: Partial<Page> | null): page is Page {
  return Array.isArray(page?.entries) && (page.next === null || typeof page.next === "string");
}

async function requirePage(n: number, context: SourceContext): Promise<Page> {
  const page = await readPage(n, context);
  if (page !== null) return page;
  throw new SourceError("source", `the items that run ${context.run} listed are not there any more`);
}

function pageKey(run: string, n: number): string {
  return `runs/${run}/source/${n}.json`;
}
