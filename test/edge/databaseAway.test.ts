/** D1 really refuses here: its tables are renamed, or a trigger aborts every fifth row. */
import { env as bindings } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { RunView } from "../../src/core/run/runView.ts";
import type { Env } from "../../src/objects/env.ts";
import { silence } from "../support/silenced.ts";
import { answer, call, rowsOf, until } from "./callApi.ts";
import { ended, numbers, start, USERS, view } from "./runsOverApi.ts";

vi.setConfig({ testTimeout: 90_000 });

const env = bindings as unknown as Env;
const ITEMS = 200;
const sql = (...statements: string[]) => env.DB.batch(statements.map((text) => env.DB.prepare(text)));
const away = () =>
  sql("ALTER TABLE failures RENAME TO failures_away", "ALTER TABLE runs RENAME TO runs_away");
const back = () =>
  sql("ALTER TABLE failures_away RENAME TO failures", "ALTER TABLE runs_away RENAME TO runs");

/** Two seconds of calls; items that end in 7 fail. */
const twoSeconds = () =>
  start({
    source: { kind: "items", items: numbers(ITEMS) },
    task: { kind: "http", url: USERS },
    chunkSize: 10,
    quota: { requests: "100/s" },
  });

/** D1's failures of the run and the failed rows of its results. */
async function bothSides(id: string): Promise<readonly [unknown[], unknown[]]> {
  const { results } = await env.DB.prepare("SELECT row FROM failures WHERE run = ?1 ORDER BY idx")
    .bind(id)
    .all<{ row: string }>();
  const rows = await rowsOf(await call("GET", `/v1/runs/${id}/results`));
  expect(rows.map((row) => row.index)).toEqual(Array.from({ length: ITEMS }, (_, i) => i));
  return [results.map(({ row }) => JSON.parse(row)), rows.filter((row) => !row.ok)];
}

const statusInCatalog = async (id: string) =>
  (await env.DB.prepare("SELECT status FROM runs WHERE id = ?1").bind(id).first<{ status: string }>())
    ?.status;

describe("a run whose database is away", () => {
  silence(
    /D1_ERROR: no such table: (?:runs|failures)/,
    // By the triggers.
    /D1_ERROR: refused: SQLITE_CONSTRAINT/,
  );
  afterEach(() => sql("DROP TRIGGER IF EXISTS refuse_failures", "DROP TRIGGER IF EXISTS refuse_runs"));

  test("goes on, waits before its end and says for what; then D1 holds exactly the failures", async () => {
    const { id } = await twoSeconds();
    await away();
    try {
      const waiting = await until(async () => {
        const run = await view(id);
        return run.why.startsWith("waiting for D1") && run;
      }, 40_000);
      expect(waiting).toMatchObject({ status: "finishing", counts: { done: ITEMS, failed: 20 } });
      expect(waiting.why).toMatch(/does not take the failures of \d+ parts?: next try in \d+ s/);
      expect((await call("GET", `/v1/runs/${id}/failures`)).status).toBe(503);
    } finally {
      await back();
    }
    const run: RunView = await until(async () => {
      const now = await view(id);
      return now.status === "completed-with-failures" && now;
    }, 40_000);
    expect(run.counts).toMatchObject({ done: ITEMS, failed: 20 });
    const [inDatabase, inRows] = await bothSides(id);
    expect(inRows).toHaveLength(20);
    expect(inDatabase).toEqual(inRows);
    await until(async () => (await statusInCatalog(id)) === "completed-with-failures");
  });

  test("that refuses one row in five ends with exactly its failures all the same", async () => {
    await sql(
      `CREATE TRIGGER refuse_failures BEFORE INSERT ON failures WHEN abs(random()) % 5 = 0
       BEGIN SELECT RAISE(ABORT, 'refused'); END`,
      `CREATE TRIGGER refuse_runs BEFORE UPDATE ON runs WHEN abs(random()) % 5 = 0
       BEGIN SELECT RAISE(ABORT, 'refused'); END`,
    );
    const { id } = await twoSeconds();
    await until(async () => (await view(id)).counts.done === ITEMS, 40_000);
    await sql("DROP TRIGGER refuse_failures");
    await ended(id);
    const [inDatabase, inRows] = await bothSides(id);
    expect(inDatabase).toEqual(inRows);
    await until(async () => (await statusInCatalog(id)) === "completed-with-failures", 40_000);
  });

  test("starts, and is in the list when the database is back", async () => {
    await away();
    let id: string;
    try {
      ({ id } = await start({ source: { kind: "items", items: ["a"] }, task: { kind: "http", url: USERS } }));
    } finally {
      await back();
    }
    await ended(id);
    await until(async () => {
      const { body } = await answer<{ runs: RunView[] }>(await call("GET", "/v1/runs"));
      return body.runs.some((run) => run.id === id && run.status === "completed");
    });
  });
});
