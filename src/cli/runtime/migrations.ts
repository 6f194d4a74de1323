/** The embedded database's schema: whether a migration may be missing, and which there are. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Migration } from "../../storage/index/migrate.ts";
import { CommandError } from "../exit.ts";
import { PROJECT } from "../project.ts";
import { readOr, replaceFile, type StateFolder } from "./stateFolder.ts";

const FOLDER = join(PROJECT, "migrations");

/** Where the embedded Worker takes migrations: its entrance `Schema`. */
export interface Entrance {
  readonly url: URL;
  readonly token: string;
}

/**
 * Brings the database up to date. Nothing is asked of it when it is, by what is on disk; `repairs`: asked all the
 * same, and tables that were dropped by hand are made anew.
 */
export async function keepSchema(
  folder: StateFolder,
  entrance: () => Promise<Entrance>,
  repairs: boolean,
): Promise<void> {
  const migrations = readMigrations();
  const mark = createHash("sha256").update(JSON.stringify(migrations)).digest("hex");
  if (!repairs && readOr(folder.migratedFile, "") === mark && isThere(folder)) return;
  const { url, token } = await entrance();
  const answer = await fetch(url, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify(migrations),
  });
  if (!answer.ok) throw new CommandError(`the database's migrations failed: ${await answer.text()}`);
  replaceFile(folder.migratedFile, mark);
}

/** In the order in which they are applied. */
export function readMigrations(): Migration[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => ({ name, sql: readFileSync(join(FOLDER, name), "utf8") }));
}

/** False when the database's file was removed: then what was applied to it is gone too. */
function isThere(folder: StateFolder): boolean {
  const path = join(folder.data, "d1");
  if (!existsSync(path)) return false;
  const files = readdirSync(path, { recursive: true, encoding: "utf8" });
  return files.some((file) => file.endsWith(".sqlite") && basename(file) !== "metadata.sqlite");
}
