/**
 * The database's migrations, applied in the order of their names.
 *
 * Invariant: a migration and the note that it was applied are one transaction. The table of notes is wrangler's
 * own, so `wrangler d1 migrations apply` reads the same history. Statements are split at semicolons: migrations
 * hold none inside text.
 */
export interface Migration {
  /** The file's name: what the note says. */
  readonly name: string;
  readonly sql: string;
}

/** Brings the database up to date; tables that were dropped by hand are made anew. */
export async function applyMigrations(database: D1Database, migrations: readonly Migration[]): Promise<void> {
  await database
    .prepare(
      "CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
    )
    .run();
  const { results } = await database.prepare("SELECT name FROM d1_migrations").all<{ name: string }>();
  const applied = new Set(results.map((row) => row.name));
  const tables = await tablesOf(database);
  for (const { name, sql } of migrations) {
    if (applied.has(name)) {
      if (!isUndone(sql, tables)) continue;
      await database.prepare("DELETE FROM d1_migrations WHERE name = ?1").bind(name).run();
    }
    const note = database.prepare("INSERT INTO d1_migrations (name) VALUES (?1)").bind(name);
    await database.batch([...statements(sql).map((statement) => database.prepare(statement)), note]);
  }
}

/** The statements of a migration, without comments. */
export function statements(sql: string): string[] {
  return sql
    .replace(/--[^\n]*/g, "")
    .split(";")
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
}

async function tablesOf(database: D1Database): Promise<ReadonlySet<string>> {
  const { results } = await database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
    .all<{ name: string }>();
  return new Set(results.map((row) => row.name));
}

/** True for a migration that made tables of which none is there any more. */
function isUndone(sql: string, tables: ReadonlySet<string>): boolean {
  const made = [...sql.matchAll(/^CREATE TABLE (\w+)/gm)].map((match) => match[1] ?? "");
  return made.length > 0 && made.every((table) => !tables.has(table));
}
