/** Ranges of a real PostgreSQL table: right totals, and never a connection too many, whatever dies. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type PostgresServer, startPostgres, watchConnections } from "../../support/postgres.ts";
import { isAlive, killAll } from "../../support/processTree.ts";
import { until } from "../../support/until.ts";
import { type Dev, Workspace } from "../../support/weir.ts";

const ROWS = 200_000;
const LANES = 5;
const RANGES = 40;
/** For commands that have to work on their run themselves. */
const OWN = ["--state", "own"];

describe("ranges of a table", () => {
  let server: PostgresServer;
  /** Its `weir dev` works on the runs; each test has a folder of its own. */
  let home: Workspace;
  let dev: Dev;
  let workspace: Workspace;

  beforeAll(async () => {
    home = new Workspace();
    server = await startPostgres({ connections: LANES });
    await server.query(
      "CREATE TABLE orders (id bigint PRIMARY KEY, amount numeric NOT NULL, at timestamptz)",
    );
    await server.query(
      `INSERT INTO orders SELECT i, i % 997 + 0.01 * (i % 100), timestamptz '2026-01-01' + i * interval '1 s'
       FROM generate_series(1, ${ROWS}) AS i`,
    );
    await server.query("CREATE TABLE broken (id bigint)");
    dev = await home.dev(env());
  });
  afterAll(async () => {
    await home.close();
    await server.close();
  });
  beforeEach(() => {
    workspace = home.beside();
  });
  afterEach(() => workspace.close());

  /** Fails for a range in which a `broken` id lies, and takes its time. */
  const STATEMENT = `SELECT count(*) AS orders, sum(amount) AS amount, min(at) AS first, max(at) AS last,
      (SELECT 1 / (id - id) FROM broken WHERE id >= $1 AND id < $2) AS trouble
    FROM orders, (SELECT pg_sleep(0.1)) AS slept WHERE id >= $1 AND id < $2`;
  const source = (changes: object = {}) => ({
    kind: "postgres-range",
    connection: "ORDERS_DB",
    table: "orders",
    column: "id",
    rowsPerRange: ROWS / RANGES,
    ...changes,
  });
  const writeSpec = (changes: object = {}) =>
    workspace.write(
      "spec.json",
      JSON.stringify({
        source: source(),
        task: { kind: "postgres-range", connection: "ORDERS_DB", statement: STATEMENT, timeoutMs: 3000 },
        chunkSize: 2,
        maxParallelism: LANES,
        reduce: { orders: "sum", amount: "sum", first: "min", last: "max" },
        ...changes,
      }),
    );
  const env = () => ({ WEIR_SECRET_ORDERS_DB: server.connectionString });
  const reportOf = async (run: string, ...flags: string[]) => {
    const { exitCode, stdout, stderr } = await workspace.weir(["report", run, "--json", ...flags]);
    expect(exitCode, stderr).toBe(0);
    return JSON.parse(stdout) as { report: Record<string, unknown>; coverage: { text: string } };
  };
  const inOneStatement = async () => {
    const [row] = await server.query(
      `SELECT count(*)::int AS orders, sum(amount)::float8 AS amount,
         to_char(min(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS first,
         to_char(max(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS last FROM orders`,
    );
    return row;
  };

  test("give one statement's totals, also after kill -9 and a retry, and take no connection too many", async () => {
    await server.query("INSERT INTO broken VALUES (7), (77777), (199999)");
    writeSpec();
    const watch = watchConnections(server);
    const running = workspace.start(["run", "spec.json", "--out", "rows.jsonl", ...OWN], env());
    const run = await running.runId();
    await until("the middle of the run", () => watch.statements > RANGES);
    const tree = running.tree();
    workspace.note(tree);
    killAll(tree);
    await until("the tree to be gone", () => tree.every((pid) => !isAlive(pid)));

    const resumed = await workspace.weir(["run", "--resume", run, "--out", "rows.jsonl", ...OWN], env());
    expect(resumed.exitCode, resumed.stderr).toBe(3);
    expect(workspace.rows("rows.jsonl").map(({ index }) => index)).toEqual(
      Array.from({ length: RANGES }, (_, i) => i),
    );
    expect((await reportOf(run, ...OWN)).coverage.text).toBe("37 of 40 items");

    await server.query("DELETE FROM broken");
    const retried = await workspace.weir(["retry", run, ...OWN], env());
    expect(retried.exitCode, retried.stderr).toBe(0);
    expect(retried.stderr).toContain("3 ok");
    const merged = await reportOf(run, "--merged", ...OWN);
    expect(merged.report).toEqual(await inOneStatement());
    expect(merged.coverage.text).toBe("40 of 40 items");

    const { looks, most } = await watch.stop();
    expect(looks).toBeGreaterThan(20);
    expect(most).toBe(LANES);
    expect(server.refused()).toBe(0);
  });

  test("go on when the server ends their connections, and no range fails for it", async () => {
    writeSpec();
    const watch = watchConnections(server);
    const running = workspace.start(["run", "spec.json"]);
    const run = await running.runId();
    for (const statements of [RANGES / 4, RANGES / 2, RANGES]) {
      await until("some statements", () => watch.statements > statements);
      await server.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename = 'lanes'",
      );
    }
    const ended = await running.finished();
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect((await reportOf(run)).report).toEqual(await inOneStatement());
    expect((await watch.stop()).most).toBeLessThanOrEqual(LANES);
    expect(server.refused()).toBe(0);
  });

  test("hold about the same number of rows each when they are balanced, with or without statistics", async () => {
    const lengths = async () => {
      const statement = "SELECT count(*) AS n FROM gaps WHERE id >= $1 AND id < $2";
      const task = { kind: "postgres-range", connection: "ORDERS_DB", statement };
      writeSpec({
        source: source({ table: "gaps", rowsPerRange: 1000, balanced: true }),
        task,
        reduce: { n: "sum" },
      });
      const ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"]);
      expect(ended.exitCode, ended.stderr).toBe(0);
      return workspace.rows("rows.jsonl").map(({ value }) => (value as { n: number }).n);
    };
    await server.query("CREATE TABLE gaps (id bigint PRIMARY KEY)");
    // Half of the ids lie close together, half of them a million apart, and a few are negative.
    await server.query(
      "INSERT INTO gaps SELECT CASE WHEN i <= 10000 THEN i - 10 ELSE i::bigint * 1000000 END FROM generate_series(1, 20000) AS i",
    );
    for (const analyzed of [false, true]) {
      if (analyzed) await server.query("ANALYZE gaps");
      const rows = await lengths();
      expect(rows.reduce((sum, n) => sum + n, 0)).toBe(20_000);
      expect(rows.length).toBeGreaterThan(15);
      expect(Math.max(...rows)).toBeLessThan(1500);
    }
  });

  test("take names as they stand in the catalog, write only when told to, and report rows touched", async () => {
    await server.query('CREATE TABLE "Odd ""Name" ("Select" int PRIMARY KEY, seen int DEFAULT 0)');
    await server.query('INSERT INTO "Odd ""Name" SELECT i FROM generate_series(1, 100) AS i');
    const statement = 'UPDATE "Odd ""Name" SET seen = seen + 1 WHERE "Select" >= $1 AND "Select" < $2';
    const task = { kind: "postgres-range", connection: "ORDERS_DB", statement };
    const odd = source({ table: 'Odd "Name', column: "Select", rowsPerRange: 30 });
    writeSpec({ source: odd, task, reduce: { rowCount: "sum" } });
    const refused = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"]);
    expect(refused.exitCode).toBe(3);
    expect(workspace.rows("rows.jsonl")[0]?.error).toEqual({
      kind: "task",
      message:
        'cannot execute UPDATE in a read-only transaction (SQLSTATE 25006); "write": true in the task permits it',
      retryable: false,
    });
    writeSpec({ source: odd, task: { ...task, write: true }, reduce: { rowCount: "sum" } });
    const written = await workspace.weir(["run", "spec.json"]);
    expect(written.exitCode, written.stderr).toBe(0);
    expect((await reportOf(await firstRun())).report).toEqual({ rowCount: 100 });
    expect(await server.query('SELECT DISTINCT seen FROM "Odd ""Name"')).toEqual([{ seen: 1 }]);
  });

  const firstRun = async (): Promise<string> => {
    const { stdout } = await workspace.weir(["status", "--json"]);
    return (JSON.parse(stdout) as { id: string }[])[0]?.id ?? "";
  };

  test("end a statement that is too slow, as a timeout that can be retried", async () => {
    const statement = "SELECT pg_sleep(20) FROM orders WHERE id >= $1 AND id < $2 LIMIT 1";
    const task = { kind: "postgres-range", connection: "ORDERS_DB", statement, timeoutMs: 200 };
    const retry = { maxAttempts: 2, baseDelayMs: 10 };
    writeSpec({ task, retry, source: source({ rowsPerRange: ROWS / 2 }), reduce: null });
    const ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"]);
    expect(ended.exitCode, ended.stderr).toBe(3);
    expect(workspace.rows("rows.jsonl")[0]).toMatchObject({
      attempts: 2,
      error: { kind: "timeout", message: "the statement took longer than 200 ms", retryable: true },
    });
  });

  test("refuse what they cannot be made of, before anything is started", async () => {
    await server.query("CREATE TABLE empty (id int PRIMARY KEY)");
    await server.query("CREATE TABLE bare (id int NOT NULL)");
    await server.query("CREATE TABLE holes (id int UNIQUE)");
    await server.query("INSERT INTO holes VALUES (NULL), (1)");
    const complaint = async (changes: object): Promise<string> => {
      const task = { kind: "postgres-range", connection: "ORDERS_DB", statement: STATEMENT };
      const answer = await fetch(`${dev.address}/v1/plans`, {
        method: "POST",
        headers: { authorization: `Bearer ${dev.token}` },
        body: JSON.stringify({ source: source(changes), task }),
      });
      return `${answer.status} ${((await answer.json()) as { error?: { message: string } }).error?.message}`;
    };
    const wrong: readonly (readonly [object, string])[] = [
      [{ table: "nowhere" }, "400 there is no table nowhere in the database"],
      [{ column: "number" }, "400 orders has no column number"],
      [
        { column: "at" },
        "400 at is timestamp with time zone: ranges need a column of type smallint, integer, bigint",
      ],
      [{ table: "empty" }, "400 empty has no row with a value in id: nothing to do"],
      [
        { table: "holes" },
        '400 some rows of holes have no id (NULL) and lie in no range; "nulls": "skip" leaves them out',
      ],
      [{ table: "holes", nulls: "skip" }, "200 undefined"],
      [{ table: "bare" }, "400 no index of bare begins with id: every range would read the whole table"],
      [
        { connection: "OTHER_DB" },
        "400 connection OTHER_DB is missing: set WEIR_SECRET_OTHER_DB to a postgres:// URL, or bind a Hyperdrive as OTHER_DB",
      ],
      [
        { connection: "postgres://u:secret@h/d" },
        "400 source.connection must be the name of a connection, as in ORDERS_DB: the Hyperdrive binding of that name, or WEIR_SECRET_ORDERS_DB",
      ],
    ];
    for (const [changes, sentence] of wrong) expect(await complaint(changes)).toBe(sentence);
  });

  test("of the documented example come to what its page shows", async () => {
    const example = (name: string) =>
      readFileSync(join(import.meta.dirname, "../../../docs/examples/postgres", name), "utf8");
    await server.query("CREATE SCHEMA example");
    await server.query("SET search_path = example");
    await server.query(example("orders.sql"));
    await server.query("RESET search_path");
    await server.query("ALTER ROLE lanes SET search_path = example");
    workspace.write("spec.json", example("spec.json"));
    const ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"]);
    await server.query("ALTER ROLE lanes RESET search_path");
    expect(ended.exitCode, ended.stderr).toBe(0);
    const [, shown] = /```\n(report of[^`]+)```/.exec(example("README.md")) ?? [];
    expect(ended.stderr).toContain(shown);
    expect(example("README.md")).toContain(workspace.read("rows.jsonl").split("\n", 1)[0]);
  });

  test("tell nobody the password, whatever goes wrong", async () => {
    const wrong = server.connectionString.replace("lanes:", "nobody:");
    writeSpec();
    const refused = await workspace.weir(["run", "spec.json", ...OWN], { WEIR_SECRET_ORDERS_DB: wrong });
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(/password authentication failed for user "nobody" \(SQLSTATE 28P01\)/);
    const ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl", ...OWN], env());
    expect(ended.exitCode, ended.stderr).toBe(0);
    const files = readdirSync(workspace.folder, { recursive: true, withFileTypes: true }).filter((file) =>
      file.isFile(),
    );
    expect(files.length).toBeGreaterThan(5);
    for (const { parentPath, name } of files) {
      expect(readFileSync(join(parentPath, name), "latin1").includes(server.password), name).toBe(false);
    }
    expect(ended.stderr + ended.stdout + refused.stderr).not.toContain(server.password);
  });
});
