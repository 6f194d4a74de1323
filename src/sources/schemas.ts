/**
 * What a spec may say about each source, by kind: one line each, as in `registry.ts`. Apart from the sources, because
 * lanes read from settings that were checked: what checks them has no place in the heap in which calls are made.
 */
import { z } from "zod";
import { MAX_INLINE_ITEMS } from "../core/limits.ts";
import { ERROR_KINDS } from "../core/row.ts";
import type { Json, SourceSpec } from "../core/spec.ts";
import { about } from "../schema/about.ts";
import { integer, line, plainName, wholeNumber } from "../schema/fields.ts";
import { placeFields } from "../schema/storePlaceSchema.ts";
import { INPUT_NAME, UPLOAD_ID } from "../storage/inputs/inputKeys.ts";
import { connectionField } from "../tasks/postgres/postgresRangeSchema.ts";

/** Any JSON: outside text was parsed as JSON before it gets here. */
const json = z.unknown() as unknown as z.ZodType<Json>;

export const itemsSchema = z.strictObject({
  kind: z.literal("items").meta(about("The items stand in the spec.", "items")),
  items: z
    .array(json)
    .min(1, "must have at least one item")
    .max(MAX_INLINE_ITEMS, `at most ${MAX_INLINE_ITEMS} items can stand in a spec: store more as an input`)
    .meta(about("The items, each any JSON.", ["u_1", { id: "u_2" }])),
});

export type ItemsSettings = z.infer<typeof itemsSchema>;

export const rangeSchema = z.strictObject({
  kind: z.literal("range").meta(about("Whole numbers, one after the other.", "range")),
  from: integer().meta(about("The first number.", 1)),
  to: integer().meta(about("Where they end; not included.", 1_000_001)),
  step: integer()
    .refine((step) => step !== 0, "must be a whole number other than 0")
    .default(1)
    .meta(about("From one number to the next; negative counts down.", 10)),
});

export type RangeSettings = z.infer<typeof rangeSchema>;

export const inputSchema = z.strictObject({
  kind: z
    .literal("input")
    .meta(
      about(
        "The lines of a stored input; with the command, the file of that name beside the spec is stored first.",
        "input",
      ),
    ),
  name: z
    .string()
    .regex(INPUT_NAME, "must be the name of a stored input: letters, digits, dots, dashes, underscores")
    .meta(about("The input's name.", "user_ids.txt")),
  format: z
    .enum(["lines", "jsonl", "csv"])
    .default("lines")
    .meta(
      about(
        "How items are read: each line as text, each line as JSON, or CSV records with the names of the first line.",
        "csv",
      ),
    ),
  delimiter: z
    .string()
    .regex(/^[\t -!#-~]$/, 'must be one character such as "," ";" or a tab, and no quote')
    .default(",")
    .meta(about("What stands between the fields of a CSV record.", ";")),
  upload: z
    .string()
    .regex(UPLOAD_ID, "must be the id of an upload")
    .nullable()
    .default(null)
    .meta(
      about(
        "The upload that a run pinned.",
        "0123456789abcdef",
        "Left out, the newest one is pinned when the run is made: an input that is replaced meanwhile does not disturb it.",
      ),
    ),
});

export type InputSettings = z.infer<typeof inputSchema>;

/** Keys that S3 and R2 accept have at most 1,024 bytes. */
const MAX_PREFIX_CHARS = 1024;
/** What Weir itself keeps in the bucket BUCKET. */
const OWN_PREFIXES = ["runs/", "inputs/"];

export const objectsSchema = z
  .strictObject({
    kind: z.literal("objects").meta(about("The objects of a bucket, each an item.", "objects")),
    prefix: line(MAX_PREFIX_CHARS).meta(about("What their keys begin with.", "exports/2026/")),
    ...placeFields,
  })
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

const name = plainName(200);
const digits = z.string().regex(/^-?[0-9]{1,20}$/, "must be the digits of a whole number");

export const postgresRangeSchema = z.strictObject({
  kind: z
    .literal("postgres-range")
    .meta(about("Ranges of a table's ids, each an item: docs/postgres.md.", "postgres-range")),
  connection: connectionField,
  table: name.meta(
    about("The table, as in the catalog, with its schema where it needs one.", "sales.orders"),
  ),
  column: name.meta(about("The column that ranges are made of: whole numbers, with an index.", "id")),
  rowsPerRange: wholeNumber(1, MAX_ROWS_PER_RANGE).meta(
    about(
      "About how many rows lie in one range.",
      50_000,
      "So many that the statement takes a second or two: short ones hold no snapshot for long.",
    ),
  ),
  balanced: z
    .boolean()
    .default(false)
    .meta(
      about(
        "True: ranges of about equal numbers of rows; else of equal numbers of ids.",
        true,
        "For ids with large gaps; it costs a look at the column's statistics.",
      ),
    ),
  nulls: z
    .enum(["refuse", "skip"])
    .default("refuse")
    .meta(
      about(
        "What becomes of rows whose column is NULL: the run is refused, or they are left out.",
        "skip",
        "They lie in no range.",
      ),
    ),
  found: z
    .strictObject({
      ranges: integer().min(1).meta(about("How many ranges there are.", 40)),
      knots: z
        .array(digits)
        .min(2)
        .max(1000)
        .meta(about("Ids between which they lie.", ["1", "2000000"])),
    })
    .nullable()
    .default(null)
    .meta(
      about("What the database said when the run was made; left out, it is asked.", {
        ranges: 40,
        knots: ["1", "2000000"],
      }),
    ),
});

export type PostgresRangeSource = z.infer<typeof postgresRangeSchema>;

export const failuresSchema = z.strictObject({
  kind: z
    .literal("failures")
    .meta(about("The items that failed in another run: docs/failures.md.", "failures")),
  run: z.string().min(1).max(64).meta(about("That run.", "r_1k2m3n4p5abcdefghj")),
  kinds: z
    .array(z.enum(ERROR_KINDS))
    .min(1)
    .max(ERROR_KINDS.length)
    .nullable()
    .default(null)
    .meta(about("Only failures of these kinds.", ["timeout", "network"])),
  retry: z
    .boolean()
    .default(false)
    .meta(about("True: the run is a retry of that run and settles its failures (`weir retry`).", true)),
  found: z
    .strictObject({
      source: z
        .object({ kind: z.string().meta(about("Its kind.", "input")) })
        .catchall(json)
        .meta(about("The source of that run.", { kind: "input", name: "user_ids.txt" })),
      root: z.string().max(64).meta(about("The first run of its family.", "r_1k2m3n4p5abcdefghj")),
    })
    .nullable()
    .default(null)
    .meta(
      about("Where that run's items are read; left out, it is looked up when the run is made.", {
        source: { kind: "input", name: "user_ids.txt" },
        root: "r_1k2m3n4p5abcdefghj",
      }),
    ),
});

export type FailuresSettings = z.infer<typeof failuresSchema>;

/**
 * Each takes the whole `source` of a spec, its kind included, and gives the settings that the source's `pin` takes. Has
 * no prototype: a kind such as "constructor" finds nothing.
 */
export const sourceSchemas: Record<string, z.ZodType<SourceSpec>> = Object.assign(Object.create(null), {
  items: itemsSchema,
  range: rangeSchema,
  input: inputSchema,
  objects: objectsSchema,
  "postgres-range": postgresRangeSchema,
  failures: failuresSchema,
} satisfies Record<string, z.ZodType>);
