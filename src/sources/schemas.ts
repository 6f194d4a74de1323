/**
 * What a spec may say about each source, by kind: one line each, as in `registry.ts`. Apart from the sources, because
 * lanes read from settings that were checked: what checks them has no place in the heap in which calls are made.
 */
import { z } from "zod";
import { MAX_INLINE_ITEMS } from "../core/limits.ts";
import { ERROR_KINDS } from "../core/row.ts";
import type { Json, SourceSpec } from "../core/spec.ts";
import { line } from "../spec/fields.ts";
import { INPUT_NAME, UPLOAD_ID } from "../storage/inputKeys.ts";
import { placeFields } from "../storage/storePlaceSchema.ts";
import { connectionField } from "../tasks/postgresRangeSchema.ts";

const json: z.ZodType<Json> = z.json();

export const itemsSchema = z.strictObject({
  kind: z.literal("items"),
  items: z
    .array(json)
    .min(1, "at least one item is needed")
    .max(MAX_INLINE_ITEMS, `at most ${MAX_INLINE_ITEMS} items can stand in a spec: store more as an input`),
});

export type ItemsSettings = z.infer<typeof itemsSchema>;

export const rangeSchema = z.strictObject({
  kind: z.literal("range"),
  from: z.int(),
  /** Not included. */
  to: z.int(),
  step: z
    .int()
    .refine((step) => step !== 0, "a step is an integer other than 0")
    .default(1),
});

export type RangeSettings = z.infer<typeof rangeSchema>;

export const inputSchema = z.strictObject({
  kind: z.literal("input"),
  name: z
    .string()
    .regex(INPUT_NAME, "the name of a stored input: letters, digits, dots, dashes, underscores"),
  format: z.enum(["lines", "jsonl", "csv"]).default("lines"),
  /** Between the fields of a CSV record. */
  delimiter: z
    .string()
    .regex(/^[\t -!#-~]$/, 'must be one character such as "," ";" or a tab, and no quote')
    .default(","),
  /** The upload that a run pinned; left out, the newest one is pinned when the run is made. */
  upload: z.string().regex(UPLOAD_ID, "the id of an upload").nullable().default(null),
});

export type InputSettings = z.infer<typeof inputSchema>;

/** Keys that S3 and R2 accept have at most 1,024 bytes. */
const MAX_PREFIX_CHARS = 1024;
/** What Weir itself keeps in the bucket BUCKET. */
const OWN_PREFIXES = ["runs/", "inputs/"];

export const objectsSchema = z
  .strictObject({ kind: z.literal("objects"), prefix: line(MAX_PREFIX_CHARS), ...placeFields })
  .refine(({ prefix, binding, store }) => store !== null || binding !== "BUCKET" || !isOwn(prefix), {
    path: ["prefix"],
    error: 'must not take in what Weir keeps in its own bucket (runs/ and inputs/), as in "exports/2026/"',
  });

export type ObjectsSettings = z.infer<typeof objectsSchema>;

/** A prefix that holds, or lies in, what is Weir's own. */
function isOwn(prefix: string): boolean {
  return OWN_PREFIXES.some((own) => own.startsWith(prefix) || prefix.startsWith(own));
}

/** Rows of one statement; a larger range would hold its snapshot for too long. */
const MAX_ROWS_PER_RANGE = 10_000_000;

// A control character in a name could only come from a mistake.
const name = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}+$/u);
const digits = z.string().regex(/^-?[0-9]{1,20}$/);

export const postgresRangeSchema = z.strictObject({
  kind: z.literal("postgres-range"),
  connection: connectionField,
  /** As in the catalog: "orders" or "sales.orders". */
  table: name,
  column: name,
  rowsPerRange: z.int().min(1).max(MAX_ROWS_PER_RANGE),
  /** Ranges of about equal numbers of rows, for ids with large gaps; else of equal numbers of ids. */
  balanced: z.boolean().default(false),
  /** Rows whose column is NULL lie in no range. */
  nulls: z.enum(["refuse", "skip"]).default("refuse"),
  /** What the database said when the run was made; left out, it is asked. */
  found: z
    .strictObject({ ranges: z.int().min(1), knots: z.array(digits).min(2).max(1000) })
    .nullable()
    .default(null),
});

export type PostgresRangeSource = z.infer<typeof postgresRangeSchema>;

export const failuresSchema = z.strictObject({
  kind: z.literal("failures"),
  run: z.string().min(1).max(64),
  kinds: z.array(z.enum(ERROR_KINDS)).min(1).nullable().default(null),
  /** True: a retry run of `run`, its child. */
  retry: z.boolean().default(false),
  /** Where that run's items are read, pinned when a run of its own is made. */
  found: z
    .strictObject({ source: z.object({ kind: z.string() }).catchall(json), root: z.string().max(64) })
    .nullable()
    .default(null),
});

export type FailuresSettings = z.infer<typeof failuresSchema>;

/**
 * Each takes the whole `source` of a spec, its kind included, and gives the settings that the source's `pin` takes. Has
 * no prototype: a kind such as "constructor" finds nothing.
 */
export const sourceSchemas: Readonly<Record<string, z.ZodType<SourceSpec>>> = Object.assign(
  Object.create(null),
  {
    items: itemsSchema,
    range: rangeSchema,
    input: inputSchema,
    objects: objectsSchema,
    "postgres-range": postgresRangeSchema,
    failures: failuresSchema,
  } satisfies Record<string, z.ZodType>,
);
