/**
 * The database's migrations, applied to the embedded database in the order of their names.
 *
 * Invariant: a migration and the note that it was applied are one transaction. The table of notes is wrangler's
 * own, so `wrangler d1 migrations apply` reads the same history. Statements are split at semicolons: migrations
 * hold none inside text.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { D1Database } from "@cloudflare/workers-types";
import { PROJECT } from "./bundle.ts";
import { readOr, replaceFile, type StateFolder } from "./stateFolder.ts";

const FOLDER = join(PROJECT, "migrations");

/** Brings the database up to date. `open` is only called when a migration may be missing: opening takes time. */
export async function applyMigrations(folder: StateFolder, open: () => Promise<D1Database>): Promise<void> {
  const migrations = readdirSync(FOLDER)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => ({ name, sql: readFileSync(join(FOLDER, name), "utf8") }));
  const mark = createHash("sha256").update(JSON.stringify(migrations)).digest("hex");
  if (readOr(folder.migratedFile, "") === mark) return;
  const database = await open();
  await database
    .prepare(
      "CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
    )
    .run();
  const { results } = await database.prepare("SELECT name FROM d1_migrations").all<{ name: string }>();
  const applied = new Set(results.map((row) => row.name));
  for (const { name, sql } of migrations) {
    if (applied.has(name)) continue;
    const note = database.prepare("INSERT INTO d1_migrations (name) VALUES (?1)").bind(name);
    await database.batch([...statements(sql).map((statement) => database.prepare(statement)), note]);
  }
  replaceFile(folder.migratedFile, mark);
}

/** The statements of a migration, without comments. */
export function statements(sql: string): string[] {
  return sql
    .replace(/--[^\n]*/g, "")
    .split(";")
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
}
