/** The `reduce` of a spec: field of the report → rule. */
import { z } from "zod";
import { REDUCE_FIELDS, REDUCE_TOP } from "../core/limits.ts";
import { ownReducers } from "../core/reduce/ownReducers.ts";
import type { ReduceRule } from "../core/spec.ts";
import { about } from "../schema/about.ts";
import { wholeNumber } from "../schema/fields.ts";

const MAX_FIELD_CHARS = 100;
const RULE = `must be sum, count, min, max, mean, merge, {"mean": weight field}, {"top": 1 to ${REDUCE_TOP}, "by": field} or {"own": reducer}`;
const FIELDS = `must have 1 to ${REDUCE_FIELDS} fields`;
const NAME = `must name fields of 1 to ${MAX_FIELD_CHARS} characters`;

const field = z.string().min(1).max(MAX_FIELD_CHARS);
const own = z.string().refine((name) => ownReducers[name] !== undefined, {
  error: () => {
    const names = Object.keys(ownReducers);
    const known = names.length === 0 ? "" : `: ${names.join(", ")}`;
    return `must be the name of a reducer in weir.config.ts${known}`;
  },
});

const rule: z.ZodType<ReduceRule> = z.union(
  [
    z.enum(["sum", "count", "min", "max", "mean", "merge"]),
    z.strictObject({ mean: field.meta(about("The mean, weighted by this field.", "orders")) }),
    z.strictObject({
      top: wholeNumber(1, REDUCE_TOP).meta(about("The rows with the largest values: so many.", 10)),
      by: field.meta(about("The field that they are ordered by.", "amount")),
    }),
    z.strictObject({
      own: own.meta(about("A reducer of your own: docs/reduce.md.", "digits")),
      of: field
        .optional()
        .meta(about("The field it looks at; left out, the one of the report's name.", "id")),
    }),
  ],
  { error: RULE },
);

export const reduceSchema = z
  .record(
    z
      .string({ error: NAME })
      .min(1, { error: NAME })
      .max(MAX_FIELD_CHARS, { error: NAME })
      .refine((name) => name !== "__proto__", { error: NAME }),
    rule,
    { error: "must be an object of field and rule" },
  )
  .refine((fields) => Object.keys(fields).length > 0 && Object.keys(fields).length <= REDUCE_FIELDS, {
    error: FIELDS,
  });
