/** D1 is away for twenty seconds in the middle (its tables are renamed), and later emptied by hand. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { wrongRows } from "../../test/support/killedRun.ts";
import type { TestRow, Workspace } from "../../test/support/weir.ts";
import { calls, figure, pause, type Scene, startIds, viewOf } from "./scene.ts";

const IDS = 20_000;
const AWAY_MS = 20_000;

export const database: Scene = async (place, target) => {
  await target.set({ missingShare: 0.02 });
  const running = startIds(place, target, IDS);
  await calls(target, IDS / 4);
  inDatabase(place, rename("failures", "failures_away"), rename("runs", "runs_away"));
  await pause(AWAY_MS);
  inDatabase(place, rename("failures_away", "failures"), rename("runs_away", "runs"));
  const ended = await running.finished();
  const rows = place.rows("rows.jsonl");
  const failed = rows.filter((row) => !row.ok);
  const afterwards = differing(place, failed);

  inDatabase(place, "DELETE FROM failures", "DELETE FROM runs");
  const reindex = await place.weir(["reindex"]);
  return {
    title:
      "**20,000 ids at 1,000/s, 2 % of them fail, D1 away for 20 s in the middle**; later emptied, and `weir reindex`",
    figures: [
      figure("exit code (3: completed with failures)", ended.exitCode ?? -1, { is: 3 }),
      figure("ids without exactly one row", wrongRows(rows, IDS), { is: 0 }),
      figure("failed rows", failed.length, { is: viewOf(ended).counts.failed }),
      figure("failed rows with another status than the target's 404", notMissing(failed), { is: 0 }),
      figure("failures in which D1 and the rows differ", afterwards, { is: 0 }),
      figure("exit code of weir reindex", reindex.exitCode ?? -1, { is: 0 }),
      figure("failures in which they differ after it", differing(place, failed), { is: 0 }),
    ],
  };
};

function notMissing(failed: readonly TestRow[]): number {
  return failed.filter((row) => row.status !== 404).length;
}

/** Failures that only one of the two has, or has otherwise. */
function differing(place: Workspace, failed: readonly TestRow[]): number {
  const database = openDatabase(place);
  try {
    const stored = database.prepare("SELECT row FROM failures").all();
    const known = new Set(stored.map(({ row }) => JSON.stringify(JSON.parse(String(row)))));
    const inBoth = failed.filter((row) => known.has(JSON.stringify(row))).length;
    return stored.length + failed.length - 2 * inBoth;
  } finally {
    database.close();
  }
}

function inDatabase(place: Workspace, ...statements: readonly string[]): void {
  const database = openDatabase(place);
  try {
    for (const statement of statements) database.exec(statement);
  } finally {
    database.close();
  }
}

/** The file under the running command: the same that its workerd has open. */
function openDatabase(place: Workspace): DatabaseSync {
  const folder = join(place.folder, ".weir");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const file = files.find((path) => /d1.*\.sqlite$/.test(path) && !basename(path).startsWith("metadata"));
  if (file === undefined) throw new Error(`no database in ${folder}`);
  return new DatabaseSync(join(folder, file), { timeout: 10_000 });
}

function rename(from: string, to: string): string {
  return `ALTER TABLE ${from} RENAME TO ${to}`;
}
