/**
 * The catalog in D1: which runs there are, whose child each is, what upload it reads, and its last snapshot.
 *
 * Invariant: an older snapshot never replaces a newer one. The Run object stays the authority: the catalog is
 * what can be listed, and may be some seconds behind.
 */
import { CATALOG_PAGE_BYTES } from "../../core/limits.ts";
import { isEnded, type RunStatus, type RunView } from "../../core/run/runView.ts";
import type { SourceSpec } from "../../core/spec.ts";

/** What a snapshot does not say of its run. */
export interface CatalogExtra {
  readonly root: string;
  /** Where the run's items are read from: names the upload it pins. */
  readonly itemSource: SourceSpec;
  /** Wall-clock instant of the snapshot, ms. */
  readonly atMs: number;
}

/** Stores the run's snapshot unless a newer one is there; returns the rows written. */
export async function upsertRun(db: D1Database, view: RunView, extra: CatalogExtra): Promise<number> {
  const input = pinnedUpload(extra.itemSource);
  const { meta } = await db
    .prepare(
      `INSERT INTO runs (id, name, status, created_at, ended_at, parent, root, input_name, input_upload,
         snapshot_at_ms, snapshot)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
       ON CONFLICT (id) DO UPDATE SET name = ?2, status = ?3, ended_at = ?5, snapshot_at_ms = ?10, snapshot = ?11
       WHERE ?10 >= snapshot_at_ms`,
    )
    .bind(
      view.id,
      view.name,
      view.status,
      view.createdAt,
      isEnded(view.status) ? (view.endedAt ?? view.createdAt) : null,
      view.parentRunId,
      extra.root,
      input?.name ?? null,
      input?.upload ?? null,
      extra.atMs,
      JSON.stringify(view),
    )
    .run();
  return meta.rows_written;
}

/** The upload that a source reads from, through another run's failures too; null for a source that reads none. */
export function pinnedUpload(
  source: SourceSpec,
): { readonly name: string; readonly upload: string | null } | null {
  if (source.kind === "failures") return uploadBehind(source);
  if (source.kind !== "input" || typeof source.name !== "string") return null;
  return { name: source.name, upload: typeof source.upload === "string" ? source.upload : null };
}

function uploadBehind({ found }: SourceSpec): ReturnType<typeof pinnedUpload> {
  const behind = typeof found === "object" && found !== null && "source" in found ? found.source : null;
  const isSource = typeof behind === "object" && behind !== null && "kind" in behind;
  return isSource ? pinnedUpload(behind as SourceSpec) : null;
}

/** The run's last snapshot; null when the catalog does not know it. */
export async function getRun(db: D1Database, run: string): Promise<RunView | null> {
  const row = await db
    .prepare("SELECT snapshot FROM runs WHERE id = ?1")
    .bind(run)
    .first<{ snapshot: string }>();
  return row === null ? null : readSnapshot(row.snapshot);
}

/**
 * Snapshots, newest run first. A page may be shorter than `limit` (specs with many inline items);
 * `cursor` is null after the last page.
 */
export async function listRuns(
  db: D1Database,
  page: {
    readonly status?: RunStatus | undefined;
    readonly cursor?: string | null | undefined;
    readonly limit: number;
  },
): Promise<{ readonly runs: readonly RunView[]; readonly cursor: string | null }> {
  const [createdBefore, idBefore] = readCursor(page.cursor ?? null);
  const { results } = await db
    .prepare(
      `WITH page AS (
         SELECT id, created_at, LENGTH(snapshot) AS size FROM runs
         WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR (created_at, id) < (?2, ?3))
         ORDER BY created_at DESC, id DESC LIMIT ?4
       ), sized AS (
         SELECT id, size, SUM(size) OVER (ORDER BY created_at DESC, id DESC) AS upTo FROM page
       )
       SELECT runs.id, runs.created_at, runs.snapshot, (SELECT COUNT(*) FROM page) AS matched
       FROM sized JOIN runs ON runs.id = sized.id
       WHERE upTo - size < ?5 ORDER BY runs.created_at DESC, runs.id DESC`,
    )
    .bind(page.status ?? null, createdBefore, idBefore, page.limit, CATALOG_PAGE_BYTES)
    .all<{ id: string; created_at: string; snapshot: string; matched: number }>();
  const last = results[results.length - 1];
  const more = last !== undefined && (last.matched === page.limit || last.matched > results.length);
  return {
    runs: results.map((row) => readSnapshot(row.snapshot)),
    cursor: more ? `${last.created_at}~${last.id}` : null,
  };
}

/** Ids of runs that have not ended, oldest first. */
export async function unendedRuns(db: D1Database, limit: number): Promise<readonly string[]> {
  const { results } = await db
    .prepare("SELECT id FROM runs WHERE ended_at IS NULL ORDER BY created_at LIMIT ?1")
    .bind(limit)
    .all<{ id: string }>();
  return results.map((row) => row.id);
}

/** A run below another one: its child, or a child of its child. */
export interface Descendant {
  readonly id: string;
  readonly parent: string;
  readonly status: RunStatus;
  readonly ended: boolean;
}

/** All runs below `run`, in the order of their creation. */
export async function descendants(db: D1Database, run: string): Promise<readonly Descendant[]> {
  const { results } = await db
    .prepare(
      `WITH RECURSIVE tree (id) AS (
         SELECT ?1 UNION SELECT runs.id FROM tree JOIN runs ON runs.parent = tree.id
       )
       SELECT runs.id, runs.parent, runs.status FROM tree JOIN runs ON runs.id = tree.id
       WHERE runs.id <> ?1 ORDER BY runs.created_at, runs.id`,
    )
    .bind(run)
    .all<{ id: string; parent: string; status: RunStatus }>();
  return results.map((row) => ({ ...row, ended: isEnded(row.status) }));
}

/** Runs that read from an input: `unended` ones need it now, the others when they are retried. */
export async function runsOfInput(
  db: D1Database,
  name: string,
): Promise<readonly { readonly id: string; readonly upload: string | null; readonly ended: boolean }[]> {
  const { results } = await db
    .prepare("SELECT id, input_upload AS upload, ended_at FROM runs WHERE input_name = ?1 ORDER BY id")
    .bind(name)
    .all<{ id: string; upload: string | null; ended_at: string | null }>();
  return results.map((row) => ({ id: row.id, upload: row.upload, ended: row.ended_at !== null }));
}

/** Removes the run and the idempotency keys that name it. */
export async function deleteRun(db: D1Database, run: string): Promise<void> {
  await db.batch([
    db.prepare("DELETE FROM idempotency_keys WHERE run = ?1").bind(run),
    db.prepare("DELETE FROM runs WHERE id = ?1").bind(run),
  ]);
}

/** Snapshots are written by `upsertRun` alone. */
function readSnapshot(text: string): RunView {
  return JSON.parse(text) as RunView;
}

/** A cursor that is none starts at the beginning. */
function readCursor(cursor: string | null): readonly [string | null, string | null] {
  const [created, id] = cursor?.split("~") ?? [];
  return created === undefined || id === undefined ? [null, null] : [created, id];
}
