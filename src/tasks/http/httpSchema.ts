/** What a spec may say about the task `http`. */
import { z } from "zod";
import {
  MAX_BATCH,
  MAX_KEPT_HEADERS,
  MAX_LOCAL_CALL_TIMEOUT_MS,
  MAX_REDIRECTS,
  MAX_RESPONSE_BYTES,
} from "../../core/limits.ts";
import type { Json } from "../../core/spec.ts";
import { about } from "../../schema/about.ts";
import { headers, oneOf, wholeNumber } from "../../schema/fields.ts";
import { answers, pointer, statuses } from "./answersSchema.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** Any JSON: outside text was parsed as JSON before it gets here. */
const json = z.unknown() as unknown as z.ZodType<Json>;

/** The name of a header; a cookie is a credential and stands in no row. */
const keptHeader = z
  .string()
  .regex(
    /^(?!set-cookie2?$)[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/i,
    'must be the name of a header such as "location"; set-cookie is not kept',
  );

export const httpSchema = z.strictObject({
  kind: z.literal("http").meta(about("One HTTP request for each item, or for several.", "http")),
  method: oneOf(METHODS)
    .optional()
    .meta(about("The request's method. Left out: GET, and POST where there is a body.", "PUT")),
  url: z
    .string()
    .max(8192)
    .meta(
      about(
        "Where the request goes, with `{{item}}` or `{{item.field}}` where the item does; `{{secret:NAME}}` is the variable WEIR_SECRET_NAME.",
        "https://api.example.com/v1/users/{{item}}",
        "Items are encoded for the place where they stand: none can leave its part of the URL.",
      ),
    ),
  headers: headers()
    .default({})
    .meta(
      about("The request's headers; values may hold `{{item}}` and `{{secret:NAME}}`.", {
        authorization: "Bearer {{secret:API_KEY}}",
      }),
    ),
  body: json
    .default(null)
    .meta(
      about(
        "The request's body: a JSON value is sent as JSON, a text in the form that the content type says.",
        { id: "{{item.id}}" },
        "Insertions stand inside the strings of the JSON, so no item can break it.",
      ),
    ),
  timeoutMs: wholeNumber(1, MAX_LOCAL_CALL_TIMEOUT_MS)
    .default(30_000)
    .meta(
      about(
        "The longest one call may take, headers and body together; 240,000 at most where Weir is deployed.",
        30_000,
        "The platform ends an invocation after 15 minutes, whatever it waits for.",
      ),
    ),
  expect: statuses
    .default(["2xx"])
    .meta(
      about(
        "Statuses that mean success. An expected status is never an error, nor a redirect to follow.",
        ["2xx", "404"],
        "Whether a 404 is an answer or a mistake is known to you alone.",
      ),
    ),
  value: oneOf(["auto", "json", "text", "base64", "none"])
    .default("auto")
    .meta(
      about(
        'What of the answer becomes the row\'s `value`: JSON, text, its bytes as `{"base64", "contentType"}`, nothing, or by its content type JSON or text.',
        "json",
        "With `json` an answer that is not JSON is a failed row, with `auto` and `text` one whose bytes are not text; with `none` the body is not read.",
      ),
    ),
  keepHeaders: z
    .array(keptHeader)
    .max(MAX_KEPT_HEADERS)
    .default([])
    .meta(
      about(
        "Headers of the answer that the row keeps, in `headers` beside its value; failed rows and expected redirects too.",
        ["location", "link"],
        "What was created, or where the next page is, often stands in a header alone.",
      ),
    ),
  answers,
  failWhen: z
    .strictObject({
      pointer: pointer.meta(about("Where to look in the answer's value: a JSON pointer.", "/status")),
      equals: json.meta(about("The value that means failure.", "error")),
    })
    .nullable()
    .default(null)
    .meta(
      about(
        "An expected answer that has this value at the pointer is a failed row all the same: the short form of a last rule of `answers`.",
        { pointer: "/status", equals: "error" },
        "Many interfaces answer 200 and say in the body that it went wrong.",
      ),
    ),
  maxRedirects: wholeNumber(0, MAX_REDIRECTS)
    .default(5)
    .meta(about("Redirects that are followed; each is a call with a permit of its own.", 0)),
  idempotencyHeader: z
    .string()
    .nullable()
    .default(null)
    .meta(
      about(
        "Name of a header that carries the item's idempotency key: the same for every try, and in every retry that sends the same method, URL and body. A 409 to a try that follows an unanswered one is tried again.",
        "idempotency-key",
        "A crash may repeat a call: a target that changes something can tell by the key. Targets bind a key to what came with it first, so a call that says something else has another.",
      ),
    ),
  batch: wholeNumber(1, MAX_BATCH)
    .optional()
    .meta(
      about(
        "Items that one call carries, as `{{items}}`: it takes one permit, and every item gets a row of its own.",
        50,
        "Left out, every item has a call of its own.",
      ),
    ),
  each: json.optional().meta(
    about(
      "What stands for each item in `{{items}}`, as JSON with `{{item}}` in it; left out, the item itself.",
      {
        id: "{{item}}",
      },
    ),
  ),
  results: pointer
    .optional()
    .meta(
      about(
        "Where the answer has the items' results: a list in their order, or with `match` a list or an object by key.",
        "/results",
        "Left out, an expected answer means that all of them went well.",
      ),
    ),
  resultStatus: pointer
    .optional()
    .meta(
      about(
        "Where in a result its own status stands: the item is judged by it as an answer would be.",
        "/status",
        "Left out, it is looked for in a 207 alone, at `status`, `statusCode` and `code`: elsewhere such a field may be data.",
      ),
    ),
  match: z
    .strictObject({
      item: pointer.default("").meta(about("Where the key stands in an item.", "/id")),
      result: pointer.default("").meta(about("Where the key stands in a result.", "/id")),
    })
    .optional()
    .meta(
      about("Results are found by a key that stands in the item and in its result.", {
        item: "/id",
        result: "/id",
      }),
    ),
  maxResponseBytes: wholeNumber(1, MAX_RESPONSE_BYTES)
    .default(1_048_576)
    .meta(about("A longer answer is a failed row.", 1_048_576, "A cut one would look like a whole one.")),
});

export type HttpSettings = z.infer<typeof httpSchema>;
