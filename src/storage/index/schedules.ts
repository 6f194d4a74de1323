/**
 * Which schedules there are: a row of D1 for each, which says when to look at it, and an object in R2, from whose
 * name the row can be made again. What a schedule is and does is known by its Schedule object alone.
 */

const PREFIX = "schedules/";

import { answered } from "../bucket/answered.ts";
export interface ScheduleRow {
  readonly id: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Ms; 0: at every tick; null: never. */
  readonly wakeAtMs: number | null;
  readonly revision: number;
}

/** Stores the row unless a newer one is there. */
export async function upsertSchedule(db: D1Database, row: ScheduleRow): Promise<void> {
  await db
    .prepare(
      `INSERT INTO schedules (id, created_at, wake_at_ms, revision) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT (id) DO UPDATE SET wake_at_ms = ?3, revision = ?4 WHERE ?4 >= revision`,
    )
    .bind(row.id, row.createdAt, row.wakeAtMs, row.revision)
    .run();
}

/** Ids, newest schedule first; `cursor` is null after the last page, and one that is none starts at the beginning. */
export async function listSchedules(
  db: D1Database,
  page: { readonly cursor?: string | undefined; readonly limit: number },
): Promise<{ readonly ids: readonly string[]; readonly cursor: string | null }> {
  const [created, id] = page.cursor?.split("~") ?? [];
  const { results } = await db
    .prepare(
      `SELECT id, created_at FROM schedules WHERE ?1 IS NULL OR (created_at, id) < (?1, ?2)
       ORDER BY created_at DESC, id DESC LIMIT ?3`,
    )
    .bind(id === undefined ? null : (created ?? null), id ?? null, page.limit)
    .all<{ id: string; created_at: string }>();
  const last = results[results.length - 1];
  const more = last !== undefined && results.length === page.limit;
  return { ids: results.map((row) => row.id), cursor: more ? `${last.created_at}~${last.id}` : null };
}

export async function countSchedules(db: D1Database): Promise<number> {
  const row = await db.prepare("SELECT COUNT(*) AS n FROM schedules").first<{ n: number }>();
  return row?.n ?? 0;
}

/** Ids of those to be looked at, the longest due first. */
export async function schedulesDue(db: D1Database, nowMs: number, limit: number): Promise<readonly string[]> {
  const { results } = await db
    .prepare("SELECT id FROM schedules WHERE wake_at_ms <= ?1 ORDER BY wake_at_ms, id LIMIT ?2")
    .bind(nowMs, limit)
    .all<{ id: string }>();
  return results.map((row) => row.id);
}

export async function deleteScheduleRow(db: D1Database, id: string): Promise<void> {
  await db.prepare("DELETE FROM schedules WHERE id = ?1").bind(id).run();
}

/** Writes `schedules/<id>.json`: the schedule as it was sent, for people; its name is what is read again. */
export async function writeScheduleRecord(bucket: R2Bucket, id: string, record: object): Promise<void> {
  const about = { httpMetadata: { contentType: "application/json" } };
  await answered(() => bucket.put(`${PREFIX}${id}.json`, JSON.stringify(record), about));
}

export async function deleteScheduleRecord(bucket: R2Bucket, id: string): Promise<void> {
  await answered(() => bucket.delete(`${PREFIX}${id}.json`));
}

/** Ids of all schedules that R2 names. */
export async function* recordedSchedules(bucket: R2Bucket): AsyncGenerator<string> {
  for (let startAfter: string | undefined; ; ) {
    const from = startAfter === undefined ? {} : { startAfter };
    const page = await answered(() => bucket.list({ prefix: PREFIX, ...from }));
    for (const { key } of page.objects) yield key.slice(PREFIX.length).replace(/\.json$/, "");
    startAfter = page.objects[page.objects.length - 1]?.key;
    if (!page.truncated || startAfter === undefined) return;
  }
}
