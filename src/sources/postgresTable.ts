/**
 * What a database says of a table whose rows are to be worked on by ranges of an id: lowest and highest, and where
 * the rows lie between them. One connection, which is closed again before the answer is given.
 *
 * Names are taken as they stand in the catalog and quoted; nothing of a spec is ever part of a statement unquoted.
 */
import { POSTGRES_MAX_CHARS, POSTGRES_MAX_ROWS, POSTGRES_TIMEOUT_MS } from "../core/limits.ts";
import {
  type ConnectionTarget,
  PostgresConnection,
  type RunStatement,
} from "../tasks/postgres/postgresConnection.ts";
import { DatabaseFault } from "../tasks/postgres/postgresFaults.ts";
import { SourceError } from "./source.ts";

export interface TableQuery {
  /** "orders" or "sales.orders". */
  readonly table: string;
  readonly column: string;
  /** Rows without an id are left out; else they are a complaint. */
  readonly skipsNulls: boolean;
  /** Also ask where the rows lie. */
  readonly balanced: boolean;
}

export interface TableFacts {
  readonly min: bigint;
  readonly max: bigint;
  /** Where the rows lie; null unless asked for. */
  readonly spread: { readonly rows: number; readonly sample: readonly bigint[] } | null;
}

/** Pages of a table that are looked at when its statistics say nothing: about 2.5 MB. */
const SAMPLE_PAGES = 300;
/** Ids that cut the rows into hundredths. */
const SAMPLE_CUTS = 100;
const BIGINT_MAX = 9_223_372_036_854_775_807n;
const INTEGERS = ["smallint", "integer", "bigint"];

/** Asks the database. Throws SourceError with the field that is wrong. */
export async function askTable(target: ConnectionTarget, query: TableQuery): Promise<TableFacts> {
  const timeoutMs = POSTGRES_TIMEOUT_MS;
  const connection = new PostgresConnection(target, { application: "weir planner", timeoutMs });
  const bounds = { maxRows: POSTGRES_MAX_ROWS, maxChars: POSTGRES_MAX_CHARS };
  try {
    return await connection.transaction({ write: false, timeoutMs, bounds }, (run) => factsOf(run, query));
  } catch (fault) {
    if (!(fault instanceof DatabaseFault)) throw fault;
    // A database that refuses has answered, and what it says is the whole of it.
    const silence = fault.sqlState === null ? "the database does not answer: " : "";
    throw new SourceError("source.connection", `${silence}${fault.message}`);
  } finally {
    await connection.close();
  }
}

async function factsOf(run: RunStatement, query: TableQuery): Promise<TableFacts> {
  const { table, column } = query;
  const [schema, name] = partsOf(table);
  const path = schema === null ? quoted(name) : `${quoted(schema)}.${quoted(name)}`;
  const oid = await checkColumn(run, query, path);
  const [extent] = (await run(`SELECT min(${quoted(column)}), max(${quoted(column)}) FROM ${path}`, [])).rows;
  const [least, most] = extent ?? [];
  if (least == null || most == null) {
    throw new SourceError("source.table", `${table} has no row with a value in ${column}: nothing to do`);
  }
  const [min, max] = [BigInt(least), BigInt(most)];
  if (max === BIGINT_MAX) {
    throw new SourceError("source.column", `the highest ${column} is ${max}: no bigint lies above it`);
  }
  const spread = query.balanced ? await spreadOf(run, { oid, path, column }) : null;
  return { min, max, spread };
}

/** The table's oid; complains about a column that ranges cannot be made of. */
async function checkColumn(run: RunStatement, query: TableQuery, path: string): Promise<string> {
  const { table, column } = query;
  const { rows } = await run(COLUMN, [path, column]);
  const [oid, type, isNotNull, isIndexed] = rows[0] ?? [];
  if (oid == null) throw new SourceError("source.table", `there is no table ${table} in the database`);
  if (type == null) throw new SourceError("source.column", `${table} has no column ${column}`);
  if (!INTEGERS.includes(type)) {
    const message = `${column} is ${type}: ranges need a column of type ${INTEGERS.join(", ")}`;
    throw new SourceError("source.column", message);
  }
  if (isIndexed !== "t") {
    const message = `no index of ${table} begins with ${column}: every range would read the whole table`;
    throw new SourceError("source.column", message);
  }
  if (isNotNull === "t" || query.skipsNulls) return oid;
  const nulls = await run(`SELECT EXISTS (SELECT FROM ${path} WHERE ${quoted(column)} IS NULL)`, []);
  if (nulls.rows[0]?.[0] !== "t") return oid;
  const message = `some rows of ${table} have no ${column} (NULL) and lie in no range; "nulls": "skip" leaves them out`;
  throw new SourceError("source.nulls", message);
}

const COLUMN = `
  SELECT c.oid::text, format_type(a.atttypid, NULL), a.attnotnull, EXISTS (
    SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND i.indkey[0] = a.attnum)
  FROM pg_class AS c
  LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.oid = to_regclass($1)`;

/** From the planner's statistics, or from a sample of pages where they say nothing. */
async function spreadOf(
  run: RunStatement,
  { oid, path, column }: { readonly oid: string; readonly path: string; readonly column: string },
): Promise<TableFacts["spread"]> {
  const known = await run(STATISTICS, [oid, column]);
  const [rows, bounds] = known.rows[0] ?? [];
  if (rows != null && bounds != null) return { rows: Number(rows), sample: everyNth(arrayOf(bounds)) };
  const sized = await run(SIZE, [oid]);
  const pages = Math.max(1, Number(sized.rows[0]?.[0] ?? 1));
  const percent = Math.min(100, (100 * SAMPLE_PAGES) / pages);
  const id = quoted(column);
  const sampled = await run(
    `SELECT count(${id}), percentile_disc($1::float8[]) WITHIN GROUP (ORDER BY ${id})::text
     FROM ${path} TABLESAMPLE SYSTEM (${percent.toFixed(6)})`,
    [`{${Array.from({ length: SAMPLE_CUTS - 1 }, (_, i) => (i + 1) / SAMPLE_CUTS).join(",")}}`],
  );
  const [count, cuts] = sampled.rows[0] ?? [];
  return { rows: Math.ceil((Number(count ?? 0) * 100) / percent), sample: arrayOf(cuts ?? "{}") };
}

/** A histogram leaves out the most common values: it stands for the rows only where there are none. */
const STATISTICS = `
  SELECT c.reltuples::bigint::text, s.histogram_bounds::text
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = $2
  WHERE c.oid = $1::oid AND c.reltuples > 0 AND s.histogram_bounds IS NOT NULL AND s.most_common_vals IS NULL
  ORDER BY s.inherited DESC LIMIT 1`;

const SIZE = `
  SELECT coalesce((SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree($1::oid::regclass)), 0) +
    pg_relation_size($1::oid::regclass) / current_setting('block_size')::int`;

/** "{1,2,3}". */
function arrayOf(text: string): bigint[] {
  return text
    .replace(/[{}]/g, "")
    .split(",")
    .filter((id) => /^-?[0-9]+$/.test(id))
    .map(BigInt);
}

/** A histogram may have ten thousand bounds; they are kept with the run. */
function everyNth(ids: readonly bigint[]): bigint[] {
  const step = Math.max(1, Math.ceil(ids.length / SAMPLE_CUTS));
  return ids.filter((_, i) => i % step === 0);
}

function partsOf(table: string): readonly [schema: string | null, name: string] {
  const dot = table.indexOf(".");
  return dot < 0 ? [null, table] : [table.slice(0, dot), table.slice(dot + 1)];
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
