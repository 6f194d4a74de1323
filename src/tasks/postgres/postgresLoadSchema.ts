/** What a spec may say about the task `postgres-load`. */
import { z } from "zod";
import { MAX_CALL_TIMEOUT_MS, POSTGRES_TIMEOUT_MS } from "../../core/limits.ts";
import { about } from "../../schema/about.ts";
import { plainName, wholeNumber } from "../../schema/fields.ts";
import { placeFields } from "../../schema/storePlaceSchema.ts";
import { connectionField } from "./postgresRangeSchema.ts";

const MIN_TIMEOUT_MS = 100;
const COLUMNS =
  'must be a list of columns, or an object from column to JSON pointer, as in {"id": "/order/id"}';
const column = plainName(63);
const pointer = z.string().regex(/^(?:\/.*)?$/s, { error: 'must be a JSON pointer such as "/order/id"' });

export const postgresLoadSchema = z.strictObject({
  kind: z
    .literal("postgres-load")
    .meta(about("The records of one object (JSONL) into a table: docs/postgres.md.", "postgres-load")),
  connection: connectionField,
  table: plainName(200).meta(
    about("The table, as in the catalog, with its schema where it needs one.", "sales.orders"),
  ),
  columns: z.union([z.array(column).min(1), z.record(column, pointer)], { error: COLUMNS }).meta(
    about("Which columns are filled: a list, each from the field of its name, or column and JSON pointer.", {
      id: "/order/id",
    }),
  ),
  onConflict: z
    .enum(["skip", "update"], { error: "must be one of skip, update" })
    .default("skip")
    .meta(
      about(
        "What becomes of a record whose unique key is there already.",
        "update",
        "A crash loads a file's last records again: nothing may be there twice.",
      ),
    ),
  key: z
    .array(column)
    .min(1)
    .nullable()
    .default(null)
    .meta(about("The columns of the unique key that `update` goes by.", ["id"])),
  timeoutMs: wholeNumber(MIN_TIMEOUT_MS, MAX_CALL_TIMEOUT_MS)
    .default(POSTGRES_TIMEOUT_MS)
    .meta(about("The longest one statement of up to 1,000 records may take, at the server.", 30_000)),
  ...placeFields,
});

export type PostgresLoadSettings = z.infer<typeof postgresLoadSchema>;
