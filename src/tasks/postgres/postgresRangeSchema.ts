/** What a spec may say about the task `postgres-range`. */
import { z } from "zod";
import { MAX_CALL_TIMEOUT_MS, POSTGRES_TIMEOUT_MS } from "../../core/limits.ts";
import { about } from "../../schema/about.ts";
import { wholeNumber } from "../../schema/fields.ts";

/** A longer statement is one that nobody bounded. */
const MAX_STATEMENT_CHARS = 20_000;
const MIN_TIMEOUT_MS = 100;
const CONNECTION =
  "must be the name of a connection, as in ORDERS_DB: the Hyperdrive binding of that name, or WEIR_SECRET_ORDERS_DB";

/** The name of a connection; the connection string itself never stands in a spec. */
export const connectionField = z
  .string({ error: CONNECTION })
  .regex(/^[A-Z][A-Z0-9_]{0,63}$/, { error: CONNECTION })
  .meta(
    about(
      "The name of a connection: the Hyperdrive binding of that name, or the variable WEIR_SECRET_ and that name.",
      "ORDERS_DB",
      "The connection string itself holds a password and never stands in a spec.",
    ),
  );

export const postgresRangeSchema = z.strictObject({
  kind: z
    .literal("postgres-range")
    .meta(about("One statement for each range of ids: docs/postgres.md.", "postgres-range")),
  connection: connectionField,
  statement: z
    .string()
    .min(1)
    .max(MAX_STATEMENT_CHARS)
    .meta(
      about(
        "One statement with `$1` (where the range begins) and `$2` (where it ends, not included).",
        "SELECT count(*) AS orders FROM orders WHERE id >= $1 AND id < $2",
        "Bounded by its range, it takes milliseconds and holds no snapshot for long.",
      ),
    ),
  write: z
    .boolean()
    .default(false)
    .meta(
      about(
        "False: the transaction is READ ONLY.",
        true,
        "A statement that changes something has to say so.",
      ),
    ),
  rows: z
    .enum(["one", "many"], { error: "must be one of one, many" })
    .default("one")
    .meta(about("What the row's value is: the statement's only row, or a list of its rows.", "many")),
  timeoutMs: wholeNumber(MIN_TIMEOUT_MS, MAX_CALL_TIMEOUT_MS)
    .default(POSTGRES_TIMEOUT_MS)
    .meta(about("The longest the statement may take, at the server.", 30_000)),
});

export type PostgresRangeSettings = z.infer<typeof postgresRangeSchema>;
