/**
 * A table of orders, a statement over a range of them, and the same totals in one statement: what a run's report is
 * held against. A range in which a `broken` id lies fails, until that row is deleted.
 */
import type { PostgresServer } from "./postgres.ts";

export const REDUCE = { orders: "sum", amount: "sum", first: "min", last: "max" } as const;

/** Orders 1 … `rows`, a second apart, amounts with cents. */
export async function createOrders(server: PostgresServer, rows: number): Promise<void> {
  await server.query("CREATE TABLE orders (id bigint PRIMARY KEY, amount numeric NOT NULL, at timestamptz)");
  await server.query(
    `INSERT INTO orders SELECT i, i % 997 + 0.01 * (i % 100), timestamptz '2026-01-01' + i * interval '1 s'
     FROM generate_series(1, ${rows}) AS i`,
  );
  await server.query("ANALYZE orders");
  await server.query("CREATE TABLE broken (id bigint)");
}

/** Takes at least `seconds`: so that a run has a middle in which it can be killed. */
export function ordersStatement(seconds: number): string {
  return `SELECT count(*) AS orders, sum(amount) AS amount, min(at) AS first, max(at) AS last,
      (SELECT 1 / (id - id) FROM broken WHERE id >= $1 AND id < $2 LIMIT 1) AS trouble
    FROM orders, (SELECT pg_sleep(${seconds})) AS slept WHERE id >= $1 AND id < $2`;
}

/** What the report must say. */
export async function totalsInOneStatement(
  server: PostgresServer,
): Promise<Readonly<Record<string, unknown>>> {
  const time = (call: string) => `to_char(${call} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
  const [row] = await server.query(
    `SELECT count(*)::int AS orders, sum(amount)::float8 AS amount, ${time("min(at)")} AS first,
       ${time("max(at)")} AS last FROM orders`,
  );
  return row ?? {};
}
