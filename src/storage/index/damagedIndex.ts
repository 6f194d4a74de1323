/** Whether the file of the index is damaged, as far as its faults and its own check tell. */

/** What SQLite says of a database's file that it cannot read. */
const DAMAGED = /SQLITE_(?:CORRUPT|NOTADB)|disk image is malformed|is not a database/;

/** What the runtime says of a fault that it keeps to its log: SQLite's words may be behind it. */
const CONCEALED = /^(?:D1_ERROR: )?internal error/;

/**
 * Whether `fault` comes of a damaged index. `db` is asked to check itself where the fault does not tell; null: it is a
 * database of the platform, which is not ours to check.
 */
export async function isOfDamagedIndex(fault: Error, db: D1Database | null): Promise<boolean> {
  if (DAMAGED.test(fault.message)) return true;
  return db !== null && CONCEALED.test(fault.message) && !(await isSound(db));
}

async function isSound(db: D1Database): Promise<boolean> {
  try {
    const found = await db.prepare("PRAGMA quick_check(1)").first<Record<string, string>>();
    return found === null || Object.values(found)[0] === "ok";
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return !DAMAGED.test(message) && !CONCEALED.test(message);
  }
}
