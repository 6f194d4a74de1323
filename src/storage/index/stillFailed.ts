/**
 * What is still failed of a run. The family is the run and its ended descendants in the order of their creation;
 * of every item the newest row in the family decides: failed rows are listed, an item that went well later is not.
 * A descendant that is still going has no say yet.
 */

import { FAILURE_GROUPS, SAMPLE_CHARS, SAMPLES_PER_GROUP } from "../../core/limits.ts";
import { cutText } from "../../core/outsideText.ts";
import type { ErrorKind } from "../../core/row.ts";
import type { Json } from "../../core/spec.ts";
import { descendants } from "./catalog.ts";

/** Ids of a family, oldest first. */
export type Family = readonly string[];

/** The run and its ended descendants; with `own` the run alone. */
export async function familyOf(db: D1Database, run: string, own = false): Promise<Family> {
  if (own) return [run];
  const below = await descendants(db, run);
  return [run, ...below.filter((descendant) => descendant.ended).map((descendant) => descendant.id)];
}

/** A failed row: its index and its JSON as it stands in its part (integers keep their digits). */
export interface FailureLine {
  readonly index: number;
  readonly line: string;
}

/** Failures of `family` with an index above `after`, ascending, at most `limit`; `kinds` null means all kinds. */
export async function failuresAfter(
  db: D1Database,
  query: {
    readonly family: Family;
    readonly after: number;
    readonly limit: number;
    readonly kinds: readonly ErrorKind[] | null;
  },
): Promise<readonly FailureLine[]> {
  const pages = await db.batch<FailureLine>(
    query.family.map((run, rank) =>
      db
        .prepare(`SELECT idx AS "index", row AS line FROM (${NEWEST}) WHERE idx > ?4 ORDER BY idx LIMIT ?5`)
        .bind(...newestOf(query.family, run, rank, query.kinds), query.after, query.limit),
    ),
  );
  const lines = pages.flatMap((page) => page.results);
  return lines.sort((a, b) => a.index - b.index).slice(0, query.limit);
}

/**
 * A page of failed rows as JSON lines in item order; `cursor` is null after the last.
 * `own`: this run's rows alone, whatever became of them later.
 */
export async function listFailures(
  db: D1Database,
  query: {
    readonly run: string;
    readonly own?: boolean | undefined;
    readonly cursor?: string | null | undefined;
    readonly limit: number;
    readonly kinds?: readonly ErrorKind[] | null | undefined;
  },
): Promise<{ readonly lines: readonly string[]; readonly cursor: string | null }> {
  const after = Number(query.cursor ?? -1);
  const failures = await failuresAfter(db, {
    family: await familyOf(db, query.run, query.own),
    after: Number.isSafeInteger(after) ? after : -1,
    limit: query.limit,
    kinds: query.kinds ?? null,
  });
  const last = failures[failures.length - 1];
  return {
    lines: failures.map((failure) => failure.line),
    cursor: last === undefined || failures.length < query.limit ? null : String(last.index),
  };
}

/** How many items of the family are still failed. */
export async function countFailures(
  db: D1Database,
  family: Family,
  kinds: readonly ErrorKind[] | null,
): Promise<number> {
  const counts = await db.batch<{ n: number }>(
    family.map((run, rank) =>
      db.prepare(`SELECT COUNT(*) AS n FROM (${NEWEST})`).bind(...newestOf(family, run, rank, kinds)),
    ),
  );
  return counts.reduce((sum, count) => sum + (count.results[0]?.n ?? 0), 0);
}

/** Whether any row of the family that is still failed says that the target refused whoever called. */
export async function wereRefused(
  db: D1Database,
  family: Family,
  kinds: readonly ErrorKind[] | null,
): Promise<boolean> {
  const found = await db.batch(
    family.map((run, rank) =>
      db
        .prepare(`SELECT idx FROM (${NEWEST}) WHERE ${REFUSED} LIMIT 1`)
        .bind(...newestOf(family, run, rank, kinds)),
    ),
  );
  return found.some(({ results }) => results.length > 0);
}

/** 401, 402 and 403, by the message: it is there without reading the row's JSON. */
const REFUSED = "kind = 'http' AND (message LIKE '401%' OR message LIKE '402%' OR message LIKE '403%')";

/** Failures with the same kind and message, apart from what differs from item to item (`core/answer/failureGroups.ts`). */
export interface FailureGroup {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly count: number;
  /** The first few of them, at most `SAMPLES_PER_GROUP`; a long item as the beginning of its text. */
  readonly samples: readonly { readonly index: number; readonly item: Json }[];
}

/** The largest groups first, at most `FAILURE_GROUPS`. */
export async function summariseFailures(
  db: D1Database,
  query: { readonly run: string; readonly own?: boolean | undefined },
): Promise<readonly FailureGroup[]> {
  const family = await familyOf(db, query.run, query.own);
  const pages = await db.batch<{ kind: ErrorKind; message: string; n: number; samples: string }>(
    family.map((run, rank) => db.prepare(SUMMARY).bind(...newestOf(family, run, rank, null))),
  );
  return mergeGroups(
    pages.flatMap((page) =>
      page.results.map(({ kind, message, n, samples }) => ({
        kind,
        message,
        count: n,
        samples: (JSON.parse(samples) as FailureGroup["samples"]).map(shortSample),
      })),
    ),
  );
}

function shortSample({ index, item }: FailureGroup["samples"][number]): FailureGroup["samples"][number] {
  const text = typeof item === "string" ? item : JSON.stringify(item);
  return { index, item: text.length <= SAMPLE_CHARS ? item : cutText(text, SAMPLE_CHARS) };
}

/** Which of `first … last` have a row in one of `runs` (which must all be retry runs), ascending. */
export async function settledBetween(
  db: D1Database,
  query: { readonly runs: Family; readonly first: number; readonly last: number },
): Promise<readonly number[]> {
  const { results } = await db
    .prepare(
      `WITH later (run) AS (SELECT value FROM json_each(?1))
       SELECT idx FROM later JOIN failures USING (run) WHERE idx BETWEEN ?2 AND ?3
       UNION SELECT idx FROM later JOIN recoveries USING (run) WHERE idx BETWEEN ?2 AND ?3
       ORDER BY idx`,
    )
    .bind(JSON.stringify(query.runs), query.first, query.last)
    .all<{ idx: number }>();
  return results.map((row) => row.idx);
}

/** Failed rows of run ?1 that no later run of the family (?2, JSON) has a row for; of the kinds ?3 (JSON or null). */
const NEWEST = `SELECT idx, kind, message, row FROM failures AS f
  WHERE run = ?1 AND (?3 IS NULL OR kind IN (SELECT value FROM json_each(?3)))
  AND NOT EXISTS (SELECT 1 FROM json_each(?2) AS later JOIN failures AS g ON g.run = later.value AND g.idx = f.idx)
  AND NOT EXISTS (SELECT 1 FROM json_each(?2) AS later JOIN recoveries AS g ON g.run = later.value AND g.idx = f.idx)`;

const SUMMARY = `SELECT kind, message, COUNT(*) AS n,
    json_group_array(json_object('index', idx, 'item', json(row -> '$.item')))
      FILTER (WHERE place <= ${SAMPLES_PER_GROUP}) AS samples
  FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY kind, message ORDER BY idx) AS place FROM (${NEWEST}))
  GROUP BY kind, message ORDER BY n DESC, kind, message LIMIT ${FAILURE_GROUPS}`;

function newestOf(
  family: Family,
  run: string,
  rank: number,
  kinds: readonly ErrorKind[] | null,
): readonly (string | null)[] {
  return [run, JSON.stringify(family.slice(rank + 1)), kinds === null ? null : JSON.stringify(kinds)];
}

function mergeGroups(groups: readonly FailureGroup[]): readonly FailureGroup[] {
  const merged = new Map<string, FailureGroup>();
  for (const group of groups) {
    const key = `${group.kind} ${group.message}`;
    const known = merged.get(key);
    const samples = [...(known?.samples ?? []), ...group.samples].sort((a, b) => a.index - b.index);
    merged.set(key, {
      ...group,
      count: (known?.count ?? 0) + group.count,
      samples: samples.slice(0, SAMPLES_PER_GROUP),
    });
  }
  return [...merged.values()].sort((a, b) => b.count - a.count).slice(0, FAILURE_GROUPS);
}
