/**
 * Shapes of the API's answers and parameters: what `/openapi.json` says, and what the compiler holds the
 * handlers to.
 */
import { z } from "@hono/zod-openapi";
import { ERROR_KINDS } from "../core/row.ts";
import { RUN_STATUSES } from "../core/run/runView.ts";
import type { Json, Spec } from "../core/spec.ts";

/** Any JSON: a schema that says nothing accepts everything. */
export const jsonSchema = (z.unknown() as unknown as z.ZodType<Json>).openapi({ description: "any JSON" });

const count = z.int().min(0);
const time = z.iso.datetime();

/** A run as everybody sees it. */
export const runSchema = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    status: z.enum(RUN_STATUSES),
    why: z.string().openapi({ description: "one sentence: what the run does or waits for" }),
    spec: z.custom<Spec>().openapi({
      type: "object",
      allOf: [{ $ref: "#/components/schemas/Spec" }],
      description: "the spec with every default filled in",
    }),
    createdAt: time,
    startedAt: time.nullable(),
    endedAt: time.nullable(),
    parentRunId: z.string().nullable(),
    eta: time.nullable(),
    ramp: z
      .object({
        share: z.number().openapi({ description: "of rate and lanes, more than 0 up to 1" }),
        ratePerSecond: z.number().nullable(),
        lanes: count,
        isDone: z.boolean(),
        nextStepAt: time.nullable(),
        steps: z
          .array(
            z.object({
              at: time,
              share: z.number(),
              because: z.string().nullable().openapi({ description: "what stopped the step before" }),
            }),
          )
          .readonly(),
      })
      .nullable()
      .optional()
      .openapi({ description: "null where all limits are in force from the beginning" }),
    deadline: z
      .object({
        at: time,
        missedBySeconds: z
          .int()
          .nullable()
          .openapi({ description: "how much too late it was or will be; null: in time, as far as is known" }),
        neededPerSecond: z
          .number()
          .nullable()
          .openapi({ description: "calls a second that it takes from now on; null where no rate says it" }),
      })
      .nullable()
      .optional()
      .openapi({ description: "null where the run has none" }),
    counts: z.object({
      items: count.nullable(),
      done: count,
      ok: count,
      failed: count,
      attempts: count,
      throttled: count,
      calls: count.optional(),
    }),
    chunks: z.object({ total: count, done: count, active: count, pending: count }),
    lanes: z.object({ live: count, max: count }),
    rate: z.object({
      limitPerSecond: z.number().nullable(),
      effectiveLimitPerSecond: z.number().nullable(),
      currentPerSecond: z.number(),
    }),
    totals: z.record(z.string(), jsonSchema).nullable().openapi({
      description: "the report so far, as far as its fields are one number or text; null without reduce",
    }),
    usage: z
      .object({
        rows: z.object({ inputTokens: count, outputTokens: count, dollars: z.number().nullable() }),
        spent: z.object({
          inputTokens: count,
          outputTokens: count,
          calls: count,
          unreportedTokens: z.number(),
          dollars: z.number().nullable(),
        }),
      })
      .nullable()
      .openapi({
        description: "tokens: of the rows, and of every call that was made, failed tries included",
      }),
    fault: z
      .object({
        message: z.string(),
        status: z.int().nullable().openapi({ description: "null where there was no answer" }),
        at: z.string(),
        retrying: count.openapi({ description: "items that wait for another try after one that failed" }),
      })
      .nullable()
      .openapi({
        description: "the last call that got no good answer; null where none has since the run was started",
      }),
    onComplete: z
      .object({
        state: z.enum(["pending", "delivered", "failed"]),
        attempts: count,
        status: z.int().nullable(),
        message: z.string().nullable(),
      })
      .nullable(),
    unreadable: z.string().optional().openapi({
      description: "which committed parts cannot be read, and why; absent where none is known",
    }),
    coordinatorRequests: count,
    operations: z.object({
      queue: count,
      object: count,
      rowsWritten: count,
      r2ClassA: count,
      r2ClassB: count,
      d1RowsWritten: count,
    }),
  })
  .openapi("Run");

/** A row of results; `value` where `ok`, else `error`. */
export const rowSchema = z
  .object({
    index: count,
    item: jsonSchema,
    itemTruncated: z.literal(true).optional(),
    ok: z.boolean(),
    status: z.int().optional(),
    url: z.string().optional(),
    headers: z.record(z.string(), z.string()).optional(),
    attempts: count,
    throttles: count,
    usage: z.object({ inputTokens: count, outputTokens: count }).optional(),
    value: jsonSchema.optional(),
    error: z
      .object({
        kind: z.enum(ERROR_KINDS),
        message: z.string(),
        retryable: z.boolean(),
        detail: z.string().optional(),
      })
      .optional(),
  })
  .openapi("Row");

export const runParams = z.object({ id: z.string().openapi({ example: "r_1k2m3n4p5abcdefghj" }) });

const LIMIT = "must be a whole number from 1 to 1,000";
/** Cursors are opaque to clients: what is not one of ours came from elsewhere. */
export const CURSOR = "must be the cursor of an earlier answer";

/** `?limit=&cursor=` of every list. */
export const pageQuery = {
  limit: z.coerce
    .number({ error: LIMIT })
    .int({ error: LIMIT })
    .min(1, { error: LIMIT })
    .max(1000, { error: LIMIT })
    .default(100),
  cursor: z.string().max(200).optional(),
} as const;

/** `?cursor=` of lists whose cursor is a number. */
export const numberCursor = z.coerce
  .number({ error: CURSOR })
  .int({ error: CURSOR })
  .min(0, { error: CURSOR })
  .optional();

/** The header under which a creation may be sent again. */
export const idempotencyHeader = z.object({
  "idempotency-key": z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 visible characters")
    .optional()
    .openapi({ description: "the same key and body give the same one; another body is a conflict" }),
});

/** No parameters: any is refused by name. */
export const noQuery = z.strictObject({});

export const cursorSchema = z
  .string()
  .nullable()
  .openapi({ description: "for the next page; null after the last" });

/** `?flag=true|false`. */
export const flag = z
  .enum(["true", "false"], { error: "must be true or false" })
  .optional()
  .transform((text) => text === "true");

/** A 200 or 201 with one JSON body. */
export function json<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { description, content: { "application/json": { schema } } } as const;
}

/** A 201 with one JSON body and the address of what was made. */
export function created<Schema extends z.ZodType>(schema: Schema, description: string) {
  const headers = z.object({ location: z.string().openapi({ description: "the path of what was made" }) });
  return { ...json(schema, description), headers } as const;
}

/** A 200 of rows, one a line; `page`: what the same path answers as JSON. */
export function rows(description: string, page?: z.ZodType) {
  // Typed by no media type in particular: the handlers stream a Response of their own.
  const content: Record<string, { schema: z.ZodType }> = { "application/x-ndjson": { schema: rowSchema } };
  if (page !== undefined) content["application/json"] = { schema: page };
  return { description, content };
}

/** A body that is checked by the handler (limits and messages of its own) and only described here. */
export function describedBody(component: string, required = true) {
  const schema = { $ref: `#/components/schemas/${component}` } as const;
  return { required, content: { "application/json": { schema } } } as const;
}
