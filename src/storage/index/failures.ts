/**
 * Failures in D1, written from committed parts: one line for every failed row, and, in a retry run, one for
 * every item that went well (a recovery: it settles the failure of an ancestor).
 *
 * Invariants: only committed parts are indexed; indexing a part again changes nothing.
 * Reading is in `stillFailed.ts`.
 */
import { groupOf } from "../../core/answer/failureGroups.ts";
import { D1_PARAMETER_BYTES, ROWS_PER_DELETE } from "../../core/limits.ts";
import type { PartMeta, RunSettings } from "../../core/protocol.ts";
import type { Json } from "../../core/spec.ts";
import { again } from "../bucket/again.ts";
import { type Count, uncounted } from "../bucket/count.ts";
import { partBytes, raise, readablePart, type TakesNote } from "../rows/partStream.ts";
import { decodePart, type PartRow } from "../rows/parts.ts";

/** The bindings that indexing needs. */
export interface IndexEnv {
  readonly DB: D1Database;
  readonly BUCKET: R2Bucket;
}

/**
 * Puts a committed part's failures (and recoveries) into D1. `rows`: the part's rows when the caller still has
 * them, else the part is read. Returns the number of D1 queries made. Throws when D1 or R2 refuses or the part
 * cannot be read: then it stays unindexed and is tried again.
 */
export async function indexPart(
  env: IndexEnv,
  settings: Pick<RunSettings, "run" | "child">,
  part: PartMeta,
  rows: readonly PartRow[] | null = null,
  count: Count = uncounted,
): Promise<number> {
  if (part.failed === 0 && !settings.child) return 0;
  return indexRows(env.DB, settings, rows ?? (await rowsOf(env.BUCKET, part, count)), count);
}

/** The same for several parts at once, in as few statements as their rows need, without those that `unreadable` notes. */
export async function indexParts(
  env: IndexEnv,
  settings: Pick<RunSettings, "run" | "child">,
  parts: readonly PartMeta[],
  { count = uncounted, unreadable = raise }: { readonly count?: Count; readonly unreadable?: TakesNote } = {},
): Promise<number> {
  let queries = 0;
  let rows: PartRow[] = [];
  let chars = 0;
  const write = () => again(() => indexRows(env.DB, settings, rows, count));
  for (const part of parts) {
    if (part.failed === 0 && !settings.child) continue;
    const found = await readablePart(() => rowsOf(env.BUCKET, part, count), unreadable);
    for (const row of found ?? []) {
      if (row.ok && !settings.child) continue;
      rows.push(row);
      chars += row.line.length;
    }
    if (chars < D1_PARAMETER_BYTES) continue;
    queries += await write();
    rows = [];
    chars = 0;
  }
  return queries + (await write());
}

/** Removes what D1 holds of a run's rows: failures of its ancestors that it had settled are open again. */
export async function deleteFailures(db: D1Database, run: string): Promise<void> {
  for (const table of ["failures", "recoveries"]) {
    const remove = db.prepare(
      `DELETE FROM ${table} WHERE run = ?1 AND idx IN
         (SELECT idx FROM ${table} WHERE run = ?1 ORDER BY idx LIMIT ${ROWS_PER_DELETE})`,
    );
    while ((await remove.bind(run).run()).meta.changes > 0);
  }
}

async function rowsOf(bucket: R2Bucket, part: PartMeta, count: Count): Promise<readonly PartRow[]> {
  return decodePart(await partBytes(bucket, part, count));
}

async function indexRows(
  db: D1Database,
  settings: Pick<RunSettings, "run" | "child">,
  rows: readonly PartRow[],
  count: Count,
): Promise<number> {
  const failed = parameters(rows.filter((row) => !row.ok).map(failureEntry));
  const recovered = settings.child
    ? parameters(rows.filter((row) => row.ok).map((row) => String(row.index)))
    : [];
  const statements = [
    ...failed.map((entries) => db.prepare(INSERT_FAILURES).bind(settings.run, entries)),
    ...recovered.map((indexes) => db.prepare(INSERT_RECOVERIES).bind(settings.run, indexes)),
  ];
  for (const statement of statements) count("d1RowsWritten", (await statement.run()).meta.rows_written);
  return statements.length;
}

const INSERT_FAILURES = `INSERT INTO failures (run, idx, kind, message, row)
  SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?2) WHERE true
  ON CONFLICT DO NOTHING`;

const INSERT_RECOVERIES = `INSERT INTO recoveries (run, idx)
  SELECT ?1, value FROM json_each(?2) WHERE true
  ON CONFLICT DO NOTHING`;

/**
 * The row's text travels as a JSON string: D1 never reads the numbers in it. Beside it stands what failures are grouped
 * by, not the message as it is: with an id in every message there would be as many groups as rows.
 */
function failureEntry(row: PartRow): string {
  const { item, error } = JSON.parse(row.line) as {
    readonly item: Json;
    readonly error?: { readonly kind?: unknown; readonly message?: unknown };
  };
  return JSON.stringify([row.index, String(error?.kind), groupOf(String(error?.message), item), row.line]);
}

/** JSON arrays of the entries, each below `D1_PARAMETER_BYTES` (UTF-16 to UTF-8 at worst triples it: still < 2 MB). */
function parameters(entries: readonly string[]): string[] {
  const texts: string[] = [];
  let from = 0;
  let chars = 0;
  for (const [i, entry] of entries.entries()) {
    if (chars > 0 && chars + entry.length > D1_PARAMETER_BYTES) {
      texts.push(`[${entries.slice(from, i).join(",")}]`);
      from = i;
      chars = 0;
    }
    chars += entry.length + 1;
  }
  if (from < entries.length) texts.push(`[${entries.slice(from).join(",")}]`);
  return texts;
}
