/** A damaged index: the database's files are looked at, and set aside where SQLite cannot read them whole. */
import { existsSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { StateFolder } from "./stateFolder.ts";

/**
 * Sets the index aside, beside where it lay, if a file of it is damaged; returns where it lies then, or null. The
 * caller owns the folder, and no runtime has it open. Everything in it but idempotency keys is made anew from the
 * stored rows.
 */
export async function setDamagedIndexAside(folder: StateFolder): Promise<string | null> {
  const index = join(folder.data, "d1");
  if (!existsSync(index)) return null;
  const files = readdirSync(index, { recursive: true, encoding: "utf8" });
  for (const file of files.filter((name) => name.endsWith(".sqlite"))) {
    if (await isSound(join(index, file))) continue;
    const aside = freeName(join(folder.path, "damaged-index"));
    renameSync(index, aside);
    return aside;
  }
  return null;
}

async function isSound(file: string): Promise<boolean> {
  const { DatabaseSync } = (await import("node:sqlite").catch(() => null)) ?? {};
  // Node 20 has no SQLite to look with.
  if (DatabaseSync === undefined) return true;
  try {
    const database = new DatabaseSync(file);
    try {
      const rows = database.prepare("PRAGMA integrity_check").all();
      return rows.length === 1 && Object.values(rows[0] ?? {})[0] === "ok";
    } finally {
      database.close();
    }
  } catch {
    return false;
  }
}

function freeName(path: string): string {
  for (let n = 1; ; n++) if (!existsSync(`${path}-${n}`)) return `${path}-${n}`;
}
