/** What a spec may say about the task `llm`. */
import { z } from "zod";
import { MAX_CALL_TIMEOUT_MS, MAX_RESPONSE_BYTES } from "../core/limits.ts";
import type { Json } from "../core/spec.ts";
import { wholeNumber } from "../spec/fields.ts";

const MAX_TEXT_CHARS = 1_000_000;
const MAX_TOKENS = 10_000_000;
const TEMPERATURE = "must be a number from 0 to 2";
const PRICE = "must be dollars for a million tokens, 0 or more";

/** Any JSON: outside text was parsed as JSON before it gets here. */
const json = z.unknown() as unknown as z.ZodType<Json>;
const text = z.string().max(MAX_TEXT_CHARS);
const price = z.number({ error: PRICE }).min(0, { error: PRICE }).max(1_000_000, { error: PRICE });

export const llmSchema = z.strictObject({
  kind: z.literal("llm"),
  /** The endpoint's base, such as "https://api.openai.com/v1", or the whole URL of its chat completions. */
  url: z.string().max(8192),
  model: z.string().min(1).max(200),
  system: text.nullable().default(null),
  prompt: text.nullable().default(null),
  /** Instead of `system` and `prompt`. */
  messages: z
    .array(z.record(z.string(), json).refine(isMessage, { error: 'must be {"role": …, "content": …}' }))
    .min(1)
    .nullable()
    .default(null),
  /** The longest answer, in tokens. */
  maxTokens: wholeNumber(1, MAX_TOKENS).nullable().default(null),
  temperature: z
    .number({ error: TEMPERATURE })
    .min(0, { error: TEMPERATURE })
    .max(2, { error: TEMPERATURE })
    .nullable()
    .default(null),
  /** Sent as `authorization: Bearer …`; {{secret:NAME}}. */
  apiKey: z.string().max(200).nullable().default(null),
  headers: z.record(z.string(), z.string().max(8192)).default({}),
  /** Further fields of the request, over those that the settings make. */
  body: z.record(z.string(), json).default({}),
  /** A JSON schema: sent as `response_format`, and every answer is held against it. */
  schema: z.record(z.string(), json).nullable().default(null),
  /** Dollars for a million tokens, for the sums in the run and `budget.dollars`. */
  price: z.strictObject({ inputPerMillion: price, outputPerMillion: price }).nullable().default(null),
  timeoutMs: wholeNumber(1, MAX_CALL_TIMEOUT_MS).default(120_000),
  maxResponseBytes: wholeNumber(1, MAX_RESPONSE_BYTES).default(1_048_576),
});

function isMessage(message: Readonly<Record<string, Json>>): boolean {
  return typeof message.role === "string" && message.content !== undefined;
}

export type LlmSettings = z.infer<typeof llmSchema>;
