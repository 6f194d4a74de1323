/** What a spec may say about the task `http`. */
import { z } from "zod";
import { MAX_BATCH, MAX_CALL_TIMEOUT_MS, MAX_REDIRECTS, MAX_RESPONSE_BYTES } from "../core/limits.ts";
import type { Json } from "../core/spec.ts";
import { oneOf, wholeNumber } from "../spec/fields.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** Any JSON: outside text was parsed as JSON before it gets here. */
const json = z.unknown() as unknown as z.ZodType<Json>;

/** A URL pointer into JSON (RFC 6901): "" is the whole value, "/a/0/b" a part of it. */
const pointer = z.string().regex(/^(?:\/.*)?$/s, 'must be a JSON pointer such as "/status"');

const STATUSES = 'must be a list of statuses such as ["2xx", "404"]';
const STATUS = 'must be a status such as "2xx" or "404"';
const status = z.union(
  [
    z.string().regex(/^(?:[2-5]xx|[2-5][0-9]{2})$/, { error: STATUS }),
    z.int({ error: STATUS }).min(200, { error: STATUS }).max(599, { error: STATUS }),
  ],
  { error: STATUS },
);

export const httpSchema = z.strictObject({
  kind: z.literal("http"),
  /** Default GET; POST where there is a body. */
  method: oneOf(METHODS).optional(),
  url: z.string().max(8192),
  headers: z.record(z.string(), z.string().max(8192)).default({}),
  /** A JSON value is sent as JSON; a string in the form its content type says. */
  body: json.default(null),
  timeoutMs: wholeNumber(1, MAX_CALL_TIMEOUT_MS).default(30_000),
  /** Statuses that mean success: "2xx", "404". An expected status is never an error, nor a redirect to follow. */
  expect: z.array(status, { error: STATUSES }).min(1, { error: STATUSES }).default(["2xx"]),
  value: oneOf(["auto", "json", "text", "none"]).default("auto"),
  /** An expected answer whose value has this at the pointer is a failed row all the same. */
  failWhen: z.strictObject({ pointer, equals: json }).nullable().default(null),
  maxRedirects: wholeNumber(0, MAX_REDIRECTS).default(5),
  /** Name of a header that carries the item's idempotency key. */
  idempotencyHeader: z.string().nullable().default(null),
  /** Items that one call carries, as `{{items}}`: it takes one permit, and every item gets a row. Left out: 1. */
  batch: wholeNumber(1, MAX_BATCH).optional(),
  /** What stands for each item in `{{items}}`, as JSON with `{{item}}` in it; left out: the item itself. */
  each: json.optional(),
  /** Where the answer has the items' results: a list in their order, or with `match` a list or an object by key. */
  results: pointer.optional(),
  /** Results are found by what stands at `item` in the item and at `result` in a result of a list. */
  match: z.strictObject({ item: pointer.default(""), result: pointer.default("") }).optional(),
  /** A longer answer is a failed row: a cut one would look like a whole one. */
  maxResponseBytes: wholeNumber(1, MAX_RESPONSE_BYTES).default(1_048_576),
});

export type HttpSettings = z.infer<typeof httpSchema>;
