/**
 * Figure: 2,000,000 orders of a real PostgreSQL in ranges of 25,000 with 20 connections, the run killed in the middle,
 * 3 ranges made to fail and retried. Prints what the server saw and whether the totals are one statement's.
 *
 *   npm run postgres
 */
import { createOrders, ordersStatement, REDUCE, totalsInOneStatement } from "../test/support/orders.ts";
import { startPostgres, watchConnections } from "../test/support/postgres.ts";
import { isAlive, killAll } from "../test/support/processTree.ts";
import { until } from "../test/support/until.ts";
import { Workspace } from "../test/support/weir.ts";

const ORDERS = 2_000_000;
const ORDERS_PER_RANGE = 25_000;
const RANGES = ORDERS / ORDERS_PER_RANGE;
const CONNECTIONS = 20;
/** Each statement also sleeps this long: without it there is hardly a middle to be killed in. */
const SLEEP_S = 0.5;
const BROKEN = [40_000, 1_000_000, 1_999_999];

const server = await startPostgres({ connections: CONNECTIONS });
const workspace = new Workspace();
try {
  await createOrders(server, ORDERS);
  for (const id of BROKEN) await server.query("INSERT INTO broken VALUES ($1)", [id]);
  const connection = "ORDERS_DB";
  const env = { [`WEIR_SECRET_${connection}`]: server.connectionString };
  const spec = {
    source: {
      kind: "postgres-range",
      connection,
      table: "orders",
      column: "id",
      rowsPerRange: ORDERS_PER_RANGE,
    },
    task: { kind: "postgres-range", connection, statement: ordersStatement(SLEEP_S), timeoutMs: 5000 },
    chunkSize: 1,
    maxParallelism: CONNECTIONS,
    reduce: REDUCE,
  };
  workspace.write("spec.json", JSON.stringify(spec));
  const startedMs = performance.now();
  const watch = watchConnections(server);

  const running = workspace.start(["run", "spec.json"], env);
  const run = await running.runId();
  await until("the middle of the run", () => watch.statements > RANGES);
  const tree = running.tree();
  workspace.note(tree);
  killAll(tree);
  await until("the tree to be gone", () => tree.every((pid) => !isAlive(pid)));
  const resumed = await workspace.weir(["run", "--resume", run], env);
  say(`killed and resumed: exit code ${resumed.exitCode}`, resumed.stderr);

  const before = await report(run, env);
  say(`first report: ${before.coverage.text}`);
  await server.query("DELETE FROM broken");
  const retried = await workspace.weir(["retry", run], env);
  say(`the ${BROKEN.length} failed ranges retried: exit code ${retried.exitCode}`);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);

  const merged = await report(run, env, "--merged");
  const wanted = await totalsInOneStatement(server);
  const isRight = Object.entries(wanted).every(([field, value]) => merged.report[field] === value);
  const { looks, most } = await watch.stop();
  say(`merged report: ${merged.coverage.text}: ${JSON.stringify(merged.report)}`);
  say(`one statement: ${JSON.stringify(wanted)}: ${isRight ? "equal" : "NOT EQUAL"}`);
  say(
    `connections: at most ${most} of ${CONNECTIONS} in ${looks} looks; refused by the server: ${server.refused()}`,
  );
  say(`${seconds} s in all`);
  process.exitCode = isRight && most <= CONNECTIONS && server.refused() === 0 ? 0 : 1;
} finally {
  await workspace.close();
  await server.close();
}

async function report(run: string, env: Record<string, string>, ...flags: string[]) {
  const { stdout } = await workspace.weir(["report", run, "--json", ...flags], env);
  return JSON.parse(stdout) as { report: Record<string, unknown>; coverage: { text: string } };
}

function say(line: string, details = ""): void {
  process.stdout.write(`${line}\n${details.replace(/^(?=.)/gm, "    ")}`);
}
