/** What a spec may say about the task `postgres-range`. */
import { z } from "zod";
import { MAX_CALL_TIMEOUT_MS, POSTGRES_TIMEOUT_MS } from "../core/limits.ts";

/** A longer statement is one that nobody bounded. */
const MAX_STATEMENT_CHARS = 20_000;
const MIN_TIMEOUT_MS = 100;
const CONNECTION =
  "must be the name of a connection, as in ORDERS_DB: the Hyperdrive binding of that name, or WEIR_SECRET_ORDERS_DB";

/** The name of a connection; the connection string itself never stands in a spec. */
export const connectionField = z
  .string({ error: CONNECTION })
  .regex(/^[A-Z][A-Z0-9_]{0,63}$/, { error: CONNECTION });

export const postgresRangeSchema = z.strictObject({
  kind: z.literal("postgres-range"),
  connection: connectionField,
  /** One statement with `$1` (the range's `from`) and `$2` (its `to`, not included). */
  statement: z.string().min(1).max(MAX_STATEMENT_CHARS),
  /** False: the transaction is READ ONLY. */
  write: z.boolean().default(false),
  /** What the row's value is: the statement's only row, or a list of its rows. */
  rows: z.enum(["one", "many"], { error: "must be one of one, many" }).default("one"),
  /** Of the statement, at the server. */
  timeoutMs: z.int().min(MIN_TIMEOUT_MS).max(MAX_CALL_TIMEOUT_MS).default(POSTGRES_TIMEOUT_MS),
});

export type PostgresRangeSettings = z.infer<typeof postgresRangeSchema>;
