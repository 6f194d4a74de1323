/**
 * The database's migrations, applied to the embedded database in the order of their names.
 *
 * Invariant: a migration and the note that it was applied are one transaction. The table of notes is wrangler's
 * own, so `wrangler d1 migrations apply` reads the same history. Statements are split at semicolons: migrations
 * hold none inside text.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { D1Database } from "@cloudflare/workers-types";
import { PROJECT } from "./bundle.ts";
import { readOr, replaceFile, type StateFolder } from "./stateFolder.ts";

const FOLDER = join(PROJECT, "migrations");

/**
 * Brings the database up to date. `open` is only called when a migration may be missing, or with `repairs`: opening
 * takes time. `repairs`: tables that were dropped by hand are made anew.
 */
export async function applyMigrations(
  folder: StateFolder,
  open: () => Promise<D1Database>,
  repairs: boolean,
): Promise<void> {
  const migrations = readdirSync(FOLDER)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => ({ name, sql: readFileSync(join(FOLDER, name), "utf8") }));
  const mark = createHash("sha256").update(JSON.stringify(migrations)).digest("hex");
  if (!repairs && readOr(folder.migratedFile, "") === mark && isThere(folder)) return;
  const database = await open();
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
  replaceFile(folder.migratedFile, mark);
}

/** False when the database's file was removed: then what was applied to it is gone too. */
function isThere(folder: StateFolder): boolean {
  const path = join(folder.data, "d1");
  if (!existsSync(path)) return false;
  const files = readdirSync(path, { recursive: true, encoding: "utf8" });
  return files.some((file) => file.endsWith(".sqlite") && basename(file) !== "metadata.sqlite");
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

/** The statements of a migration, without comments. */
export function statements(sql: string): string[] {
  return sql
    .replace(/--[^\n]*/g, "")
    .split(";")
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
}
