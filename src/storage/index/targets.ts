/**
 * Which named targets there are: a row of D1 for each, and an object in R2, from whose name the row can be made again.
 * What a target is and who uses it is known by its Target object alone.
 */
import { answered } from "../bucket/answered.ts";

const PREFIX = "targets/";

export async function upsertTarget(
  db: D1Database,
  row: { readonly name: string; readonly createdAt: string },
): Promise<void> {
  await db
    .prepare("INSERT INTO targets (name, created_at) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING")
    .bind(row.name, row.createdAt)
    .run();
}

/** Names in their order; `cursor` is the last name of a page, null after the last one. */
export async function listTargets(
  db: D1Database,
  page: { readonly cursor?: string | undefined; readonly limit: number },
): Promise<{ readonly names: readonly string[]; readonly cursor: string | null }> {
  const { results } = await db
    .prepare("SELECT name FROM targets WHERE ?1 IS NULL OR name > ?1 ORDER BY name LIMIT ?2")
    .bind(page.cursor ?? null, page.limit)
    .all<{ name: string }>();
  const last = results[results.length - 1];
  const more = last !== undefined && results.length === page.limit;
  return { names: results.map(({ name }) => name), cursor: more ? last.name : null };
}

export async function countTargets(db: D1Database): Promise<number> {
  const row = await db.prepare("SELECT COUNT(*) AS n FROM targets").first<{ n: number }>();
  return row?.n ?? 0;
}

export async function deleteTargetRow(db: D1Database, name: string): Promise<void> {
  await db.prepare("DELETE FROM targets WHERE name = ?1").bind(name).run();
}

/** Writes `targets/<name>.json`: the target as it was sent, for people; its name is what is read again. */
export async function writeTargetRecord(bucket: R2Bucket, name: string, record: object): Promise<void> {
  const about = { httpMetadata: { contentType: "application/json" } };
  await answered(() => bucket.put(`${PREFIX}${name}.json`, JSON.stringify(record), about));
}

export async function deleteTargetRecord(bucket: R2Bucket, name: string): Promise<void> {
  await answered(() => bucket.delete(`${PREFIX}${name}.json`));
}

/** Names of all targets that R2 has. */
export async function* recordedTargets(bucket: R2Bucket): AsyncGenerator<string> {
  for (let startAfter: string | undefined; ; ) {
    const from = startAfter === undefined ? {} : { startAfter };
    const page = await answered(() => bucket.list({ prefix: PREFIX, ...from }));
    for (const { key } of page.objects) yield key.slice(PREFIX.length).replace(/\.json$/, "");
    startAfter = page.objects[page.objects.length - 1]?.key;
    if (!page.truncated || startAfter === undefined) return;
  }
}
