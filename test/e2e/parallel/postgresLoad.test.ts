/** Gzip files in an object store become rows of a real PostgreSQL: each once, whatever is killed in between. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type PostgresServer, startPostgres, watchConnections } from "../../support/postgres.ts";
import { isAlive, killAll } from "../../support/processTree.ts";
import { S3Double } from "../../support/s3Store.ts";
import { until } from "../../support/until.ts";
import { Workspace } from "../../support/weir.ts";

const EXAMPLE = resolve(import.meta.dirname, "../../../docs/examples/postgres-load");
const FILES = 100;
const ROWS_PER_FILE = 1500;
const CONNECTIONS = 8;
/** For commands that have to work on their run themselves. */
const OWN = ["--state", "own"];

describe("postgres-load", () => {
  let server: PostgresServer;
  let store: S3Double;
  /** Its `weir dev` works on the runs; each test has a folder of its own. */
  let home: Workspace;
  let workspace: Workspace;

  beforeAll(async () => {
    home = new Workspace();
    server = await startPostgres({ connections: CONNECTIONS });
    await home.dev(env());
  });
  afterAll(async () => {
    await home.close();
    await server.close();
  });
  beforeEach(async () => {
    workspace = home.beside();
    store = await new S3Double().start();
    await server.query("DROP TABLE IF EXISTS orders");
    await server.query(
      "CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, total numeric(12,2), placed timestamptz, tags jsonb, file int)",
    );
    await server.query("GRANT INSERT, UPDATE ON orders TO lanes");
  });
  afterEach(async () => {
    await workspace.close();
    await store.close();
  });

  const env = (): Record<string, string> => ({
    ...new S3Double().secrets,
    WEIR_SECRET_ORDERS_DB: server.connectionString,
  });
  const orderOf = (id: number, file: number) => ({
    id,
    customer: { name: `Ünal "${id}"` },
    total: `${id}.25`,
    placed: "2026-11-21T12:00:00Z",
    tags: ["a", id],
    file,
  });
  const fileOf = (ids: readonly number[], file: number) =>
    gzipSync(ids.map((id) => `${JSON.stringify(orderOf(id, file))}\n`).join(""));
  const spec = (task: object = {}, more: object = {}) => ({
    source: { kind: "objects", prefix: "orders/", store: store.store },
    task: {
      kind: "postgres-load",
      connection: "ORDERS_DB",
      table: "orders",
      columns: {
        id: "/id",
        customer: "/customer/name",
        total: "/total",
        placed: "/placed",
        tags: "/tags",
        file: "/file",
      },
      ...task,
    },
    chunkSize: 1,
    maxParallelism: CONNECTIONS,
    ...more,
  });
  const total = async () =>
    (
      await server.query(
        "SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids, coalesce(sum(id), 0)::bigint::text AS sum FROM orders",
      )
    )[0];

  test("killed in the middle and resumed, has every row once and no connection too many", async () => {
    for (let n = 0; n < FILES; n++) {
      const ids = Array.from({ length: ROWS_PER_FILE }, (_, i) => n * ROWS_PER_FILE + i);
      store.put(`orders/${String(n).padStart(3, "0")}.jsonl.gz`, fileOf(ids, n));
    }
    store.put("else/x.jsonl.gz", fileOf([-1], 0));
    // A short limit: the slots of killed lanes are given away when their statements must have ended.
    workspace.write("spec.json", JSON.stringify(spec({ timeoutMs: 5000 })));
    const args = ["run", "spec.json", "--out", "rows.jsonl", ...OWN];
    const watch = watchConnections(server);
    const refusedBefore = server.refused();
    const running = workspace.start(args, env());
    const done = async () =>
      Number((await server.query("SELECT count(DISTINCT file)::int AS n FROM orders"))[0]?.n);
    await until("the middle of the run", async () => (await done()) > FILES / 4);
    const tree = running.tree();
    workspace.note(tree);
    killAll(tree);
    await until("the tree to be gone", () => tree.every((pid) => !isAlive(pid)));
    const atKill = await done();
    expect(atKill).toBeLessThan(FILES);

    const resumed = await workspace.weir([...args, "--resume"], env());
    const { most } = await watch.stop();
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    const rows = FILES * ROWS_PER_FILE;
    expect(await total()).toEqual({ rows, ids: rows, sum: String((rows * (rows - 1)) / 2) });
    const [first] = await server.query("SELECT customer, total::text, tags FROM orders WHERE id = 7");
    expect(first).toEqual({ customer: 'Ünal "7"', total: "7.25", tags: ["a", 7] });

    const reports = workspace.rows("rows.jsonl");
    expect(reports.map((row) => row.index)).toEqual(Array.from({ length: FILES }, (_, i) => i));
    for (const { ok, value } of reports) {
      const { rows: read, inserted, skipped } = value as { rows: number; inserted: number; skipped: number };
      expect([ok, read, inserted + skipped]).toEqual([true, ROWS_PER_FILE, ROWS_PER_FILE]);
    }
    expect(resumed.stderr).toContain(`${FILES} ok, 0 failed`);
    expect(most).toBeLessThanOrEqual(CONNECTIONS);
    expect(server.refused() - refusedBefore, "connections that would have been one too many").toBe(0);
    expect(most).toBeGreaterThan(1);
  });

  test("skips what is there, or updates it when told so", async () => {
    store.put(
      "orders/a.jsonl",
      Buffer.from(`${JSON.stringify(orderOf(1, 1))}\n\n${JSON.stringify(orderOf(2, 1))}`),
    );
    store.put("orders/b.jsonl.gz", fileOf([2, 3, 3], 2));
    const load = async (task: object) => {
      workspace.write("spec.json", JSON.stringify(spec(task, { maxParallelism: 1 })));
      const ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"]);
      expect(ended.exitCode, ended.stderr).toBe(0);
      return workspace.rows("rows.jsonl").map((row) => row.value);
    };
    expect(await load({})).toEqual([
      { rows: 2, inserted: 2, skipped: 0 },
      { rows: 3, inserted: 1, skipped: 2 },
    ]);
    expect(await load({ onConflict: "update", key: ["id"] })).toEqual([
      { rows: 2, inserted: 0, updated: 2, skipped: 0 },
      { rows: 3, inserted: 0, updated: 2, skipped: 1 },
    ]);
    expect(await server.query("SELECT id::int, file FROM orders ORDER BY id")).toEqual([
      { id: 1, file: 1 },
      { id: 2, file: 2 },
      { id: 3, file: 2 },
    ]);
  });

  test("a damaged file is one failed row and leaves nothing of itself; the others are loaded", async () => {
    const whole = fileOf(
      Array.from({ length: 3000 }, (_, i) => i),
      1,
    );
    store.put("orders/cut.jsonl.gz", whole.subarray(0, whole.length / 2));
    store.put("orders/good.jsonl.gz", fileOf([1, 2], 2));
    store.put("orders/text.jsonl", '{"id": 5, "customer": {"name": "x"}}\nno json\n');
    store.put("orders/types.jsonl", '{"id": "not a number", "customer": {"name": "x"}}\n');
    workspace.write("spec.json", JSON.stringify(spec()));
    const ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"]);
    expect(ended.exitCode, ended.stderr).toBe(3);
    const rows = workspace.rows("rows.jsonl");
    expect(
      rows.map((row) => [(row.item as { key: string }).key, row.ok, row.error?.kind, row.error?.message]),
    ).toEqual([
      ["orders/cut.jsonl.gz", false, "parse", "the file is gzip that cannot be unpacked"],
      ["orders/good.jsonl.gz", true, undefined, undefined],
      ["orders/text.jsonl", false, "parse", "line 2 is not JSON"],
      ["orders/types.jsonl", false, "task", expect.stringContaining("SQLSTATE 22P02")],
    ]);
    expect(await total()).toEqual({ rows: 2, ids: 2, sum: "3" });
    const texts = JSON.stringify(rows) + ended.stdout + ended.stderr;
    for (const secret of [server.password, store.secretAccessKey]) expect(texts).not.toContain(secret);
  });

  test("is tried again while the store is busy, and a secret that is missing is named before anything runs", async () => {
    store.put("orders/a.jsonl.gz", fileOf([1], 1));
    store.fault = ({ key, nth }) => (key !== null && nth <= 3 ? 503 : null);
    workspace.write("spec.json", JSON.stringify(spec({}, { retry: { baseDelayMs: 50 } })));
    const ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"]);
    expect(ended.exitCode, ended.stderr).toBe(0);
    const { WEIR_SECRET_S3_SECRET: _, ...without } = env();
    const refused = await workspace.weir(["run", "spec.json", ...OWN], without);
    expect([refused.exitCode, refused.stderr]).toEqual([
      2,
      expect.stringContaining("secret S3_SECRET is missing"),
    ]);
  });
});

describe("the example of postgres-load", () => {
  test("loads its five files, and skips every record the second time", async () => {
    const workspace = new Workspace();
    const child = spawn(process.execPath, [join(EXAMPLE, "servers.ts"), "0"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    try {
      const printed = createInterface(child.stdout)[Symbol.asyncIterator]();
      const lines: string[] = [];
      while (lines.length < 4) lines.push((await printed.next()).value as string);
      const endpoint = (lines[0] ?? "").slice("# ".length);
      const env = Object.fromEntries(
        lines.slice(1).map((line) => /^export (\w+)='(.*)'$/.exec(line)?.slice(1) as [string, string]),
      );
      const spec = readFileSync(join(EXAMPLE, "spec.json"), "utf8");
      workspace.write("spec.json", spec.replace("http://127.0.0.1:8333", endpoint));
      await workspace.dev(env);
      for (const inserted of [100, 0]) {
        const ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"]);
        expect(ended.exitCode, ended.stderr).toBe(0);
        const values = workspace.rows("rows.jsonl").map((row) => row.value);
        expect(values).toEqual(Array(5).fill({ rows: 100, inserted, skipped: 100 - inserted }));
      }
    } finally {
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
      await workspace.close();
    }
  });
});
