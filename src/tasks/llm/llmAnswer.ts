/**
 * What a chat completion's answer means: a row's value with its tokens, or one of the classes of failure.
 *
 * The value is `{"text": …, "finish": …}`, with a schema `{"json": …, "finish": …}`; `finish` says why the answer ended
 * ("length": it was cut at `maxTokens`). The tokens stand beside the value, in the row's `usage`: a failed row has
 * them too, and the beginning of what the model said.
 *
 * Every answer is paid for. What would be the same again (cut before it said anything, a tool called in its place, no
 * text at all) is bought once, and what need not be (prose where JSON was asked for) `answerTries` times.
 */
import type { Validator } from "@cfworker/json-schema";
import { readRateLimit } from "../../core/answer/rateLimitFields.ts";
import { parseJson, stringifyJson } from "../../core/json.ts";
import { jsonAt } from "../../core/jsonPointer.ts";
import type { Json } from "../../core/spec.ts";
import { readText } from "../answer/answer.ts";
import { failedBodyOf, readFailedText } from "../answer/failedBody.ts";
import { classOfStatus, statusLine } from "../http/httpAnswer.ts";
import type { Spent, TaskOutcome } from "../task.ts";
import { type Completion, jsonOfText, readCompletion, usageOf } from "./completion.ts";
import { outcomeOfErrorInside, withWaitOf } from "./llmError.ts";
import type { LlmSettings } from "./llmSchema.ts";

interface Reading {
  readonly settings: LlmSettings;
  readonly validator: Validator | null;
  readonly mask: (text: string) => string;
  readonly status: number;
}

/** Throws CallFailed when the answer's body breaks off, AnswerUnreadable when it is not text. */
export async function outcomeOfCompletion(
  response: Response,
  settings: LlmSettings,
  validator: Validator | null,
  mask: (text: string) => string,
): Promise<TaskOutcome> {
  const { status } = response;
  if (status !== 200) return { ...(await outcomeOfError(response, mask)), ...spentBy(response, undefined) };
  const answer = await readText(response, settings.maxResponseBytes);
  if (answer.kind === "too-large") {
    const message = `${statusLine(response)}, but the answer is longer than maxResponseBytes (${settings.maxResponseBytes})`;
    const outcome = { kind: "permanent", errorKind: "parse", message, status, called: true } as const;
    return { ...outcome, ...spentBy(response, undefined) };
  }
  const body = parse(answer.text);
  return {
    ...outcomeOf(response, { body, text: answer.text }, { settings, validator, mask, status }),
    ...spentBy(response, body),
  };
}

async function outcomeOfError(response: Response, mask: (text: string) => string): Promise<TaskOutcome> {
  const text = await readFailedText(response);
  const outcome = classOfStatus(response, { text, mask, nowMs: Date.now() });
  return withWaitOf(jsonAt(parse(text) ?? null, ["error"]) ?? null, outcome);
}

function outcomeOf(
  response: Response,
  { body, text }: { readonly body: Json | undefined; readonly text: string },
  reading: Reading,
): TaskOutcome {
  const { settings, mask, status } = reading;
  if (body === undefined) {
    const message = "the answer is not JSON";
    const said = { message, status, retryAfterMs: null, ...detailOf(text, mask) };
    // A gateway's page and not a model's answer: nothing was bought.
    return { kind: "transient", errorKind: "parse", ...said };
  }
  const completion = readCompletion(body);
  const { error } = completion;
  if (error !== null)
    return outcomeOfErrorInside(response, error, { mask, answerTries: settings.answerTries });
  if (!completion.hasChoice) {
    const { words, ...detail } = failedBodyOf(text, "", mask);
    const message = `the answer is not a chat completion${words === null ? "" : `: ${words}`}`;
    return { ...unfit(message, reading), ...detail };
  }
  const { refusal } = completion;
  if (refusal !== null && !hasText(completion))
    return permanent("task", `the model refused: ${refusal}`, status);
  return hasText(completion) ? outcomeOfText(completion, reading) : outcomeWithoutText(completion, reading);
}

function hasText({ text }: Completion): boolean {
  return text !== null && text.trim() !== "";
}

function outcomeOfText(completion: Completion, reading: Reading): TaskOutcome {
  const { validator, mask, settings, status } = reading;
  const { finish } = completion;
  const text = completion.text ?? "";
  if (validator === null) return { kind: "ok", value: { text, finish }, status };
  const json = jsonOfText(text);
  const detail = detailOf(text, mask);
  if (json === undefined && completion.end === "length") {
    const message = `the answer is not JSON: it was ${cutAt(settings)}`;
    return { ...permanent("parse", message, status), ...detail };
  }
  if (json === undefined) return { ...unfit("the answer is not JSON", reading), ...detail };
  const { valid, errors } = validator.validate(JSON.parse(stringifyJson(json)));
  if (valid) return { kind: "ok", value: { json, finish }, status };
  const last = errors.at(-1);
  const where = `${last?.instanceLocation ?? "#"} ${last?.error ?? ""}`;
  return { ...unfit(`the answer does not fit the schema: ${where}`, reading), ...detail };
}

/** Null, "" or blanks: what stands in the place of a text says why. */
function outcomeWithoutText(completion: Completion, reading: Reading): TaskOutcome {
  const { settings, mask, status } = reading;
  const { thinking, tools, end, finish } = completion;
  const detail = detailOf(thinking ?? completion.message, mask);
  const because = (reason: string): TaskOutcome => ({
    ...permanent("parse", `no text in the answer: ${reason}`, status),
    ...detail,
  });
  switch (end) {
    case "length":
      return because(`it was ${cutAt(settings)}${thinking === null ? "" : "; all of it went into thinking"}`);
    case "filter":
      return because(`the endpoint's content filter stopped it (finish_reason: ${shown(finish)})`);
    case "tools":
      return because(`the model called ${tools.join(", ") || "a tool"} in its place; task.body offers tools`);
    case "other":
      break;
    default:
      end satisfies never;
  }
  if (thinking !== null) return because(`only thinking came (finish_reason: ${shown(finish)})`);
  if (completion.text === null) return because(`its content is null (finish_reason: ${shown(finish)})`);
  return {
    ...unfit(`no text in the answer: it is empty (finish_reason: ${shown(finish)})`, reading),
    ...detail,
  };
}

/** What it is cut at, and what helps. */
function cutAt({ maxTokens }: LlmSettings): string {
  return maxTokens === null
    ? "cut at the endpoint's own bound: set maxTokens higher"
    : `cut at maxTokens (${maxTokens}): raise it`;
}

function shown(finish: Json): string {
  return typeof finish === "string" ? finish : stringifyJson(finish);
}

function permanent(errorKind: "parse" | "task", message: string, status: number) {
  return { kind: "permanent", errorKind, message, status, called: true } as const;
}

/** It may be well at the next try. */
function unfit(message: string, { status, settings }: Reading) {
  const answersMost = settings.answerTries;
  return { kind: "transient", errorKind: "parse", message, status, retryAfterMs: null, answersMost } as const;
}

/** The beginning of what the model said. */
function detailOf(text: string, mask: (text: string) => string): { readonly detail?: string } {
  const { words: _, ...detail } = failedBodyOf(text, "", mask);
  return detail;
}

/** What an answer says of tokens, whatever becomes of it. */
export function spentBy(response: Response, body: Json | undefined): Spent {
  const told = readRateLimit((name) => response.headers.get(name), Date.now());
  const usage = body === undefined ? null : usageOf(body);
  return { ...(told === null ? {} : { told }), ...(usage === null ? {} : { usage }) };
}

function parse(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
