/** What a spec may say about the task `llm`. */
import { z } from "zod";
import { MAX_LOCAL_CALL_TIMEOUT_MS, MAX_RESPONSE_BYTES } from "../../core/limits.ts";
import type { Json } from "../../core/spec.ts";
import { about } from "../../schema/about.ts";
import { headers, wholeNumber } from "../../schema/fields.ts";
import { answers } from "../http/answersSchema.ts";

const MAX_TEXT_CHARS = 1_000_000;
const MAX_ANSWER_TRIES = 100;
const MAX_TOKENS = 10_000_000;
const TEMPERATURE = "must be a number from 0 to 2";
const PRICE = "must be dollars for a million tokens, 0 or more";

/** Any JSON: outside text was parsed as JSON before it gets here. */
const json = z.unknown() as unknown as z.ZodType<Json>;
const text = z.string().max(MAX_TEXT_CHARS);
const price = z.number({ error: PRICE }).min(0, { error: PRICE }).max(1_000_000, { error: PRICE });

export const llmSchema = z.strictObject({
  kind: z.literal("llm").meta(about("One chat completion for each item: docs/llm.md.", "llm")),
  url: z
    .string()
    .max(8192)
    .meta(
      about("The endpoint's base, or the whole URL of its chat completions.", "https://api.openai.com/v1"),
    ),
  model: z.string().min(1).max(200).meta(about("The model's name, as the endpoint calls it.", "gpt-4o-mini")),
  system: text.nullable().default(null).meta(about("The system message.", "Answer in JSON.")),
  prompt: text
    .nullable()
    .default(null)
    .meta(
      about("The user message, with `{{item}}` or `{{item.field}}`.", "Judge this review: {{item.text}}"),
    ),
  messages: z
    .array(z.record(z.string(), json).refine(isMessage, { error: 'must be {"role": …, "content": …}' }))
    .min(1)
    .nullable()
    .default(null)
    .meta(
      about("All messages, in the place of `system` and `prompt`.", [{ role: "user", content: "{{item}}" }]),
    ),
  maxTokens: wholeNumber(1, MAX_TOKENS)
    .nullable()
    .default(null)
    .meta(
      about(
        "The longest answer, in tokens.",
        200,
        "It bounds what a call reserves of `quota.tokens` before answers were seen; without it that is 1,000.",
      ),
    ),
  temperature: z
    .number({ error: TEMPERATURE })
    .min(0, { error: TEMPERATURE })
    .max(2, { error: TEMPERATURE })
    .nullable()
    .default(null)
    .meta(about("How free the model is; left out, as the endpoint decides.", 0)),
  apiKey: z
    .string()
    .max(200)
    .nullable()
    .default(null)
    .meta(
      about("Sent as `authorization: Bearer …`; the name of a secret, never the key.", "{{secret:LLM_KEY}}"),
    ),
  headers: headers()
    .default({})
    .meta(about("Further headers, as with `http`.", { "api-key": "{{secret:LLM_KEY}}" })),
  body: z
    .record(z.string(), json)
    .default({})
    .meta(about("Further fields of the request, over those that the settings make.", { seed: 7 })),
  schema: z
    .record(z.string(), json)
    .nullable()
    .default(null)
    .meta(
      about(
        "A JSON Schema: sent as `response_format`, and every answer is held against it.",
        { type: "object", required: ["grade"] },
        "Not every endpoint keeps to the schema it is sent.",
      ),
    ),
  price: z
    .strictObject({
      inputPerMillion: price.meta(about("Dollars for a million tokens of input.", 0.15)),
      outputPerMillion: price.meta(about("Dollars for a million tokens of output.", 0.6)),
    })
    .nullable()
    .default(null)
    .meta(
      about("What tokens cost, for the sums of the run and for `budget.dollars`.", {
        inputPerMillion: 0.15,
        outputPerMillion: 0.6,
      }),
    ),
  answerTries: wholeNumber(1, MAX_ANSWER_TRIES)
    .default(2)
    .meta(
      about(
        "Answers to one item that are of no use (not JSON, not fitting `schema`, empty) before it is a failed row.",
        2,
        "Each of them is paid for, and most models say the same again.",
      ),
    ),
  answers,
  timeoutMs: wholeNumber(1, MAX_LOCAL_CALL_TIMEOUT_MS)
    .default(120_000)
    .meta(
      about(
        "The longest one call may take, headers and body together; 240,000 at most where Weir is deployed.",
        120_000,
        "The platform ends an invocation after 15 minutes, whatever it waits for.",
      ),
    ),
  maxResponseBytes: wholeNumber(1, MAX_RESPONSE_BYTES)
    .default(1_048_576)
    .meta(about("A longer answer is a failed row.", 1_048_576, "A cut one would look like a whole one.")),
});

function isMessage(message: Readonly<Record<string, Json>>): boolean {
  return typeof message.role === "string" && message.content !== undefined;
}

export type LlmSettings = z.infer<typeof llmSchema>;
