/**
 * What a chat completion's answer means: a row's value with its tokens, or one of the classes of failure.
 *
 * The value is `{"text": …, "finish": …}`, with a schema `{"json": …, "finish": …}`; `finish` says why the answer ended
 * ("length": it was cut at `maxTokens`). The tokens stand beside the value, in the row's `usage`: a failed row has
 * them too.
 */
import type { Validator } from "@cfworker/json-schema";
import { parseJson } from "../core/json.ts";
import { readRateLimit } from "../core/rateLimitFields.ts";
import type { Json } from "../core/spec.ts";
import type { Usage } from "../core/usage.ts";
import { readText } from "./answer.ts";
import { readFailedText } from "./failedBody.ts";
import { classOfStatus, statusLine } from "./httpAnswer.ts";
import type { LlmSettings } from "./llmSchema.ts";
import type { Spent, TaskOutcome } from "./task.ts";

/** Throws CallFailed when the answer's body breaks off. */
export async function outcomeOfCompletion(
  response: Response,
  settings: LlmSettings,
  validator: Validator | null,
  mask: (text: string) => string,
): Promise<TaskOutcome> {
  const told = readRateLimit((name) => response.headers.get(name), Date.now());
  const spent: Spent = told === null ? {} : { told };
  if (response.status !== 200) return { ...(await outcomeOfError(response, mask)), ...spent };
  const { status } = response;
  const answer = await readText(response, settings.maxResponseBytes);
  if (answer.kind === "too-large") {
    const message = `${statusLine(response)}, but the answer is longer than maxResponseBytes (${settings.maxResponseBytes})`;
    return { kind: "permanent", errorKind: "parse", message, status, called: true, ...spent };
  }
  const completion = parse(answer.text);
  const usage = usageOf(completion);
  return { ...outcomeOf(completion, validator, status), ...spent, ...(usage === null ? {} : { usage }) };
}

async function outcomeOfError(response: Response, mask: (text: string) => string): Promise<TaskOutcome> {
  const text = await readFailedText(response);
  return classOfStatus(response, { text, mask, nowMs: Date.now() });
}

function outcomeOf(completion: Json | undefined, validator: Validator | null, status: number): TaskOutcome {
  const choice = at(field(completion, "choices"), 0);
  const message = field(choice, "message");
  const content = field(message, "content");
  const finish = field(choice, "finish_reason") ?? null;
  if (typeof content !== "string") {
    const refusal = field(message, "refusal");
    if (typeof refusal === "string" && refusal !== "")
      return {
        kind: "permanent",
        errorKind: "task",
        message: `the model refused: ${refusal}`,
        status,
        called: true,
      };
    return unfit("the answer is no chat completion with text", status);
  }
  if (validator === null) return { kind: "ok", value: { text: content, finish }, status };
  const json = parse(content);
  const cut = finish === "length" ? "; it was cut at maxTokens" : "";
  if (json === undefined) return unfit(`the answer is not JSON${cut}`, status);
  const { valid, errors } = validator.validate(JSON.parse(content));
  if (valid) return { kind: "ok", value: { json, finish }, status };
  const last = errors.at(-1);
  return unfit(
    `the answer does not fit the schema: ${last?.instanceLocation ?? "#"} ${last?.error ?? ""}`,
    status,
  );
}

/** It may be well at the next try. */
function unfit(message: string, status: number): TaskOutcome {
  return { kind: "transient", errorKind: "parse", message, status, retryAfterMs: null };
}

/** What an answer says of tokens, whatever becomes of it. */
export function spentBy(response: Response, completion: Json | undefined): Spent {
  const told = readRateLimit((name) => response.headers.get(name), Date.now());
  const usage = usageOf(completion);
  return { ...(told === null ? {} : { told }), ...(usage === null ? {} : { usage }) };
}

/** Null when the endpoint counts nothing. */
function usageOf(completion: Json | undefined): Usage | null {
  const usage = field(completion, "usage");
  const inputTokens = field(usage, "prompt_tokens") ?? field(usage, "input_tokens");
  const outputTokens = field(usage, "completion_tokens") ?? field(usage, "output_tokens") ?? 0;
  if (!isCount(inputTokens) || !isCount(outputTokens)) return null;
  return { inputTokens, outputTokens };
}

function isCount(value: Json | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function parse(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function field(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as { readonly [key: string]: Json })[name];
}

function at(value: Json | undefined, index: number): Json | undefined {
  return Array.isArray(value) ? (value as readonly Json[])[index] : undefined;
}
