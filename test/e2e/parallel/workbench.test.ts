/** Failures as a workbench: looked at, retried by kind and with another task, merged; and a database that was lost. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunView } from "../../../src/core/run/runView.ts";
import type { FaultRule } from "../../support/faults.ts";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { idLines, parseRows, type TestRow, type WeirProcess, Workspace } from "../../support/weir.ts";

const ITEMS = 300;
const RULES: FaultRule[] = [
  { ids: "^u_\\d*7$", steps: [{ do: "status", status: 404, headers: {} }], after: "repeat" },
  { ids: "^u_\\d*55$", steps: [{ do: "hang" }], after: "repeat" },
];
const gone = Array.from({ length: ITEMS }, (_, i) => i).filter((i) => i % 10 === 7);
const stuck = [55, 155, 255];

describe("failures", () => {
  let workspace: Workspace;
  let target: Target;
  let root: RunView;
  let dev: WeirProcess;

  beforeAll(async () => {
    workspace = new Workspace();
    dev = (await workspace.dev()).process;
    target = await spawnTarget({ rules: RULES });
    workspace.write("ids.txt", idLines(ITEMS));
    const spec = {
      source: { kind: "input", name: "ids.txt", format: "lines" },
      task: { kind: "http", url: `${target.url}/v1/users/{{item}}`, timeoutMs: 300 },
      chunkSize: 20,
      maxParallelism: 10,
      quota: { requests: "1000/s" },
      retry: { maxAttempts: 2, baseDelayMs: 50 },
    };
    workspace.write("spec.json", JSON.stringify(spec));
    const ended = await workspace.weir(["run", "spec.json", "--json"]);
    expect(ended.exitCode, ended.stderr).toBe(3);
    root = JSON.parse(ended.stdout) as RunView;
  });
  afterAll(async () => {
    await workspace.close();
    await target.close();
  });

  const lines = async (...args: string[]): Promise<TestRow[]> => {
    const { exitCode, stdout, stderr } = await workspace.weir(args);
    expect(exitCode, stderr).toBe(0);
    return parseRows(stdout);
  };
  const indexes = (rows: readonly TestRow[]) => rows.map((row) => row.index);
  const retried = async (run: string, ...args: string[]): Promise<RunView> => {
    const { exitCode, stdout, stderr } = await workspace.weir(["retry", run, ...args, "--json"]);
    expect([0, 3], stderr).toContain(exitCode);
    return JSON.parse(stdout) as RunView;
  };
  const everyItem = Array.from({ length: ITEMS }, (_, i) => i);

  test("are grouped by kind and message, with counts and samples", async () => {
    const { stdout } = await workspace.weir(["failures", root.id, "--summary", "--json"]);
    expect(JSON.parse(stdout).groups).toMatchObject([
      { kind: "http", message: "404 Not Found", count: 30, samples: [{ item: "u_7" }, {}, {}] },
      { kind: "timeout", count: 3, samples: [{ item: "u_55" }, { item: "u_155" }, { item: "u_255" }] },
    ]);
    const read = await workspace.weir(["failures", root.id, "--summary"]);
    expect(read.stdout).toMatch(/30 {2}http: 404 Not Found {2}\("u_7", "u_17", "u_27"\)/);
  });

  test("retried by kind, as a retry of a retry and with another task leave one row for every item", async () => {
    await target.set({ rules: RULES.slice(0, 1) });
    const timeouts = await retried(root.id, "--kind", "timeout");
    expect(timeouts).toMatchObject({ parentRunId: root.id, counts: { items: 3, ok: 3 } });
    expect(indexes(await lines("failures", root.id))).toEqual(gone);

    const again = await retried(root.id);
    expect(again.counts).toMatchObject({ items: 30, failed: 30 });
    const other = await retried(again.id, "--url", `${target.url}/v1/users/again-{{item}}`);
    expect(other).toMatchObject({ parentRunId: again.id, counts: { items: 30, ok: 30 } });

    const merged = await lines("results", root.id, "--merged");
    expect(indexes(merged)).toEqual(everyItem);
    expect(merged.every((row) => row.ok)).toBe(true);
    expect(indexes(await lines("results", root.id, "--merged", "--only", "failed"))).toEqual([]);
    expect(indexes(await lines("results", root.id, "--only", "failed"))).toEqual(
      [...gone, ...stuck].sort((a, b) => a - b),
    );
    await workspace.weir(["results", root.id, "--merged", "--out", "merged.jsonl"]);
    expect(workspace.rows("merged.jsonl")).toEqual(merged);
    expect((await workspace.weir(["status"])).stdout).toContain(`retry of ${again.id}`);
  });

  test("are refused by the flag that was wrong", async () => {
    const refused = await workspace.weir(["retry", root.id, "--url", "nowhere"]);
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining("--url")]);
    const both = await workspace.weir(["results", root.id, "--merged", "--follow"]);
    expect([both.exitCode, both.stderr]).toEqual([2, expect.stringContaining("--merged")]);
  });

  /** The folder of the database in the state folder. */
  const databases = () => join(workspace.folder, ".weir/data/d1");
  const database = () => {
    const [file] = readdirSync(databases(), { recursive: true, encoding: "utf8" }).filter(
      (path) => path.endsWith(".sqlite") && !path.endsWith("metadata.sqlite"),
    );
    return join(databases(), file ?? "");
  };
  const held = () => {
    const db = new DatabaseSync(database());
    const all = (query: string) => db.prepare(query).all();
    const found = [
      all("SELECT id, status, parent, root, input_upload FROM runs ORDER BY id"),
      all("SELECT * FROM failures ORDER BY run, idx"),
      all("SELECT * FROM recoveries ORDER BY run, idx"),
    ];
    db.close();
    return found;
  };

  test.each([
    ["emptied by hand", () => sql("DELETE FROM runs; DELETE FROM failures; DELETE FROM recoveries")],
    [
      "whose tables were dropped",
      () => sql("DROP TABLE runs; DROP TABLE failures; DROP TABLE recoveries; DROP TABLE idempotency_keys"),
    ],
    ["whose file was deleted", () => rmSync(databases(), { recursive: true })],
  ])("are there again after weir reindex of a database %s", async (_, lose) => {
    dev.interrupt();
    await dev.finished();
    const before = held();
    const calls = (await target.log()).ids.length;
    lose();
    const done = await workspace.weir(["reindex", "--json"]);
    expect(done.exitCode, done.stderr).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({ runs: 4, failures: 33 + 30 });
    expect(held()).toEqual(before);
    expect((await target.log()).ids).toHaveLength(calls);
  });

  test("are given as before by a database that was made anew", async () => {
    await workspace.dev();
    expect(await lines("failures", root.id)).toEqual([]);
    expect(indexes(await lines("failures", root.id, "--own"))).toHaveLength(33);
    expect(indexes(await lines("results", root.id, "--merged"))).toEqual(everyItem);
  });

  function sql(statements: string): void {
    const db = new DatabaseSync(database());
    db.exec(statements);
    db.close();
  }
});
