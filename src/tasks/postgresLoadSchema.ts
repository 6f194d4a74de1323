/** What a spec may say about the task `postgres-load`. */
import { z } from "zod";
import { MAX_CALL_TIMEOUT_MS, POSTGRES_TIMEOUT_MS } from "../core/limits.ts";
import { placeFields } from "../storage/storePlaceSchema.ts";
import { connectionField } from "./postgresRangeSchema.ts";

const MIN_TIMEOUT_MS = 100;
const COLUMNS =
  'must be a list of columns, or an object from column to JSON pointer, as in {"id": "/order/id"}';
const column = z
  .string()
  .min(1)
  .max(63)
  .regex(/^\P{Cc}+$/u);
const pointer = z.string().regex(/^(?:\/.*)?$/s, { error: 'must be a JSON pointer such as "/order/id"' });

export const postgresLoadSchema = z.strictObject({
  kind: z.literal("postgres-load"),
  connection: connectionField,
  /** As in the catalog: "orders" or "sales.orders". */
  table: z
    .string()
    .min(1)
    .max(200)
    .regex(/^\P{Cc}+$/u),
  /** A list: each takes the field of its name. */
  columns: z.union([z.array(column).min(1), z.record(column, pointer)], { error: COLUMNS }),
  /** What becomes of a row whose unique key is there already. */
  onConflict: z.enum(["skip", "update"], { error: "must be one of skip, update" }).default("skip"),
  /** The unique key that `update` goes by. */
  key: z.array(column).min(1).nullable().default(null),
  /** Of one statement of up to 1,000 rows, at the server. */
  timeoutMs: z.int().min(MIN_TIMEOUT_MS).max(MAX_CALL_TIMEOUT_MS).default(POSTGRES_TIMEOUT_MS),
  ...placeFields,
});

export type PostgresLoadSettings = z.infer<typeof postgresLoadSchema>;
