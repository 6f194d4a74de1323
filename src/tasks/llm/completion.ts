/**
 * A chat completion as it is read, whoever made it: OpenAI's form, with what other endpoints make of it (text in parts,
 * thinking beside the text, an error in the place of an answer, other words for why it ended). Pure.
 */
import { parseJson, stringifyJson } from "../../core/json.ts";
import { jsonAt } from "../../core/jsonPointer.ts";
import type { Json } from "../../core/spec.ts";
import type { Usage } from "../../core/usage.ts";

/** Why an answer ended, as far as it matters. */
export type End = "length" | "filter" | "tools" | "other";

export interface Completion {
  /** What the endpoint says went wrong, in the place of an answer or in the middle of one; null: nothing. */
  readonly error: Json | null;
  /** There is an answer, whatever is in it. */
  readonly hasChoice: boolean;
  /** `finish_reason` as it came. */
  readonly finish: Json;
  readonly end: End;
  /** Null where there is none; "" and blanks are an empty text. */
  readonly text: string | null;
  readonly refusal: string | null;
  /** What it thought before it answered. */
  readonly thinking: string | null;
  /** Names of the tools that it wants called. */
  readonly tools: readonly string[];
  /** The message as JSON, for whoever looks why there is no text. */
  readonly message: string;
}

/** Reads an answer that is JSON. */
export function readCompletion(body: Json): Completion {
  const choice = jsonAt(body, ["choices", "0"]) ?? null;
  const message = jsonAt(choice, ["message"]) ?? null;
  const finish = jsonAt(choice, ["finish_reason"]) ?? null;
  const tools = toolsOf(message);
  return {
    error: errorIn(body) ?? errorIn(choice),
    hasChoice: choice !== null,
    finish,
    end: endOf(finish, tools),
    text: textOf(jsonAt(message, ["content"]) ?? jsonAt(choice, ["text"])),
    refusal: filled(jsonAt(message, ["refusal"])),
    thinking: filled(jsonAt(message, ["reasoning_content"])) ?? filled(jsonAt(message, ["reasoning"])),
    tools,
    message: message === null ? "" : stringifyJson(message),
  };
}

/** Tokens as the endpoint counted them; null when it counts nothing. */
export function usageOf(body: Json): Usage | null {
  const count = (...names: readonly string[]) =>
    names.map((name) => jsonAt(body, ["usage", name])).find((value) => value !== undefined && value !== null);
  const inputTokens = count("prompt_tokens", "input_tokens");
  const outputTokens = count("completion_tokens", "output_tokens") ?? 0;
  return isCount(inputTokens) && isCount(outputTokens) ? { inputTokens, outputTokens } : null;
}

/** The text as JSON; a fence around the whole of it, or thinking in front of it, is taken off. Undefined: it is not. */
export function jsonOfText(text: string): Json | undefined {
  const bare = text.replace(/^\s*<think(?:ing)?>[\s\S]*?<\/think(?:ing)?>/i, "");
  return parsed(text) ?? parsed(bare) ?? parsed(FENCE.exec(bare)?.[1] ?? "");
}

/** One fence, whatever language it names, and nothing else but blanks. */
const FENCE = /^\s*(?:```|~~~)[^\S\n]*[\w+.-]*[^\S\n]*\n?([\s\S]*?)\n?[^\S\n]*(?:```|~~~)\s*$/;

function parsed(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** `"error": null`, `{}` and `false` are not errors. */
function errorIn(value: Json): Json | null {
  const error = jsonAt(value, ["error"]) ?? null;
  if (typeof error === "string") return error === "" ? null : error;
  return typeof error === "object" && error !== null && Object.keys(error).length > 0 ? error : null;
}

function endOf(finish: Json, tools: readonly string[]): End {
  if (typeof finish === "string") {
    if (/length|max_?tokens/i.test(finish)) return "length";
    if (/filter|safety|prohibited|blocklist|recitation|spii/i.test(finish)) return "filter";
    if (/tool|function/i.test(finish)) return "tools";
  }
  return tools.length > 0 ? "tools" : "other";
}

/** A text, or the texts of parts; thinking among the parts is left out. */
function textOf(content: Json | undefined): string | null {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return null;
  const texts = (content as readonly Json[]).flatMap((part) => {
    const text = typeof part === "string" ? part : jsonAt(part, ["text"]);
    return typeof text === "string" ? [text] : [];
  });
  return texts.length === 0 ? null : texts.join("");
}

function toolsOf(message: Json): readonly string[] {
  const calls = jsonAt(message, ["tool_calls"]) ?? [];
  const called = Array.isArray(calls) ? (calls as readonly Json[]) : [];
  const single = jsonAt(message, ["function_call"]) ?? null;
  const names = [
    ...called.map((call) => jsonAt(call, ["function", "name"])),
    ...(single === null ? [] : [jsonAt(single, ["name"])]),
  ];
  return names.map((name) => (typeof name === "string" ? name : "a tool"));
}

function filled(value: Json | undefined): string | null {
  return typeof value === "string" && value.trim() !== "" ? value : null;
}

function isCount(value: Json | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
