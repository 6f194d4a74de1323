/** What answers of endpoints mean, that are not plain text: errors inside them, nothing in them, more around them. */
import { type Schema, Validator } from "@cfworker/json-schema";
import { describe, expect, it } from "vitest";
import type { Json } from "../../../src/core/spec.ts";
import { outcomeOfCompletion } from "../../../src/tasks/llm/llmAnswer.ts";
import { llmSchema } from "../../../src/tasks/llm/llmSchema.ts";
import { AnswerUnreadable, type TaskOutcome } from "../../../src/tasks/task.ts";

const usage = { prompt_tokens: 12, completion_tokens: 7 };
const SCHEMA: Schema = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] };

interface Asked {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly maxTokens?: number | null;
  readonly schema?: boolean;
  readonly answerTries?: number;
}

/** The outcome of an answer with this body; whatever it is, the row's words and detail hide the secret. */
async function run(body: unknown, asked: Asked = {}): Promise<TaskOutcome> {
  const settings = llmSchema.parse({
    kind: "llm",
    url: "https://llm.test/v1",
    model: "m",
    prompt: "{{item}}",
    maxTokens: asked.maxTokens === undefined ? 200 : asked.maxTokens,
    ...(asked.answerTries === undefined ? {} : { answerTries: asked.answerTries }),
  });
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = new Response(text, { status: asked.status ?? 200, headers: asked.headers ?? {} });
  const validator = asked.schema === true ? new Validator(SCHEMA, "2020-12") : null;
  const mask = (shown: string) => shown.replaceAll("sk-0123456789", "[secret:KEY]");
  const outcome = await outcomeOfCompletion(response, settings, validator, mask);
  expect(JSON.stringify(outcome)).not.toContain("sk-0123456789");
  return outcome;
}

function completion(message: Json, finish: Json = "stop"): Json {
  return { choices: [{ message, finish_reason: finish }], usage };
}

const said = (content: Json, finish: Json = "stop") => completion({ role: "assistant", content }, finish);

function expectLike(outcome: TaskOutcome, expected: object): void {
  const { message, ...rest } = expected as { readonly message?: RegExp };
  expect(outcome).toMatchObject({ ...rest, ...(message && { message: expect.stringMatching(message) }) });
}

describe("an error inside an answer of 200", () => {
  const inside = (error: Json) => ({ error, choices: null });

  it.each<[string, Json, object]>([
    [
      "429",
      { code: 429, message: "slow down" },
      { kind: "throttled", status: 200, message: /^429 Too Many Requests inside 200 OK: slow down$/ },
    ],
    ["429 as text", { code: "429", message: "slow down" }, { kind: "throttled" }],
    [
      "429 with the provider's headers",
      {
        code: 429,
        message: "x",
        metadata: { headers: { "X-RateLimit-Reset": "7", "X-RateLimit-Remaining": "0" } },
      },
      { kind: "throttled", retryAfterMs: 7000 },
    ],
    [
      "RESOURCE_EXHAUSTED with a delay",
      { status: "RESOURCE_EXHAUSTED", message: "x", details: [{ "@type": "…RetryInfo", retryDelay: "34s" }] },
      { kind: "throttled", retryAfterMs: 34_000 },
    ],
    ["a named limit", { type: "rate_limit_error", message: "x" }, { kind: "throttled" }],
    [
      "402",
      { code: 402, message: "Insufficient credits" },
      { kind: "permanent", refused: true, message: /Insufficient credits/ },
    ],
    [
      "a bill that is used up",
      { code: 429, type: "insufficient_quota", message: "check your plan" },
      { kind: "permanent", refused: true, message: /check your plan/ },
    ],
    [
      "used up, without a number",
      { code: "insufficient_quota", message: "x" },
      { kind: "permanent", refused: true },
    ],
    ["401", { code: 401, message: "no such key" }, { kind: "permanent", refused: true }],
    [
      "502 with the provider's words",
      {
        code: 502,
        message: "Provider returned error",
        metadata: { raw: "upstream is asleep", provider_name: "P" },
      },
      {
        kind: "transient",
        status: 200,
        message: /^502 Bad Gateway inside 200 OK: Provider returned error: upstream is asleep$/,
      },
    ],
    [
      "an overload by name",
      { type: "overloaded_error", message: "busy" },
      { kind: "transient", message: /busy/ },
    ],
    [
      "400",
      { code: 400, message: "context is too long" },
      {
        kind: "permanent",
        errorKind: "http",
        message: /^400 Bad Request inside 200 OK: context is too long$/,
      },
    ],
    [
      "a bad request by name",
      { type: "invalid_request_error", message: "no such field" },
      { kind: "permanent" },
    ],
    [
      "a text of its own",
      "the dog ate it",
      { kind: "transient", answersMost: 2, message: /^an error inside 200 OK: the dog ate it$/ },
    ],
    ["a secret", { code: 400, message: "key sk-0123456789 is odd" }, { message: /\[secret:KEY\] is odd/ }],
  ])("%s means what an answer with that status means", async (_name, error, expected) => {
    expectLike(await run(inside(error)), expected);
  });

  it("counts when it stands in the choice, and not when it is null or empty", async () => {
    const cut = {
      choices: [
        { message: { content: "half of" }, finish_reason: "error", error: { code: 502, message: "lost" } },
      ],
    };
    expectLike(await run(cut), { kind: "transient", message: /lost/ });
    for (const error of [null, {}, ""]) {
      expectLike(await run({ ...(said("fine") as object), error }), { kind: "ok" });
    }
  });

  it("has its wait in the text too, also with a status of its own", async () => {
    const error = { message: "Rate limit reached for m. Please try again in 6.03s. Visit …" };
    expectLike(await run({ error }, { status: 429 }), { kind: "throttled", retryAfterMs: 6030 });
    expectLike(await run({ error }, { status: 429, headers: { "retry-after": "9" } }), {
      retryAfterMs: 9000,
    });
  });
});

describe("an answer without text", () => {
  const cut = "no text in the answer: it was cut at maxTokens (200): raise it";

  it.each<[string, Json, string, string]>([
    ["null that was cut", said(null, "length"), cut, "null"],
    ["nothing that was cut", said("", "length"), cut, "content"],
    ["blanks that were cut", said(" \n", "length"), cut, "content"],
    [
      "thinking that was cut",
      completion({ content: null, reasoning_content: "let me see" }, "length"),
      `${cut}; all of it went into thinking`,
      "let me see",
    ],
    [
      "thinking alone",
      completion({ content: null, reasoning: "let me see" }),
      "no text in the answer: only thinking came (finish_reason: stop)",
      "let me see",
    ],
    [
      "what a filter stopped",
      said("", "content_filter"),
      "no text in the answer: the endpoint's content filter stopped it (finish_reason: content_filter)",
      "content",
    ],
    [
      "a tool that is called",
      completion(
        { content: null, tool_calls: [{ function: { name: "search", arguments: "{}" } }] },
        "tool_calls",
      ),
      "no text in the answer: the model called search in its place; task.body offers tools",
      "search",
    ],
    ["null", said(null), "no text in the answer: its content is null (finish_reason: stop)", "null"],
  ])("is bought once: %s", async (_name, body, message, detail) => {
    const outcome = await run(body);
    const tokens = { inputTokens: 12, outputTokens: 7 };
    expect(outcome).toMatchObject({
      kind: "permanent",
      errorKind: "parse",
      message,
      called: true,
      usage: tokens,
    });
    expect(outcome.detail).toContain(detail);
  });

  it("says what helps where there is no maxTokens", async () => {
    expectLike(await run(said(null, "length"), { maxTokens: null }), {
      message: /endpoint's own bound: set maxTokens/,
    });
  });

  it.each<[string, Json, RegExp]>([
    ["an empty one", said(""), /it is empty/],
    ["no choice", { choices: [], detail: "the queue is full" }, /not a chat completion: the queue is full$/],
    [
      "choices that are null",
      { choices: null, message: "no model answers" },
      /not a chat completion: no model answers$/,
    ],
  ])("is bought once more: %s", async (_name, body, message) => {
    expectLike(await run(body), { kind: "transient", errorKind: "parse", answersMost: 2, message });
    expectLike(await run(body, { answerTries: 1 }), { answersMost: 1 });
  });
});

describe("an answer whose bytes are no text", () => {
  const answer = (bytes: readonly number[], type: string) =>
    new Response(Uint8Array.from(bytes), { headers: { "content-type": type } });
  const read = (response: Response) => {
    const settings = llmSchema.parse({
      kind: "llm",
      url: "https://llm.test/v1",
      model: "m",
      prompt: "{{item}}",
    });
    return outcomeOfCompletion(response, settings, null, (text) => text);
  };
  const bytesOf = (text: string) => [...Buffer.from(text, "latin1")];

  it("is refused as it is for every task, and nothing is replaced", async () => {
    const json = JSON.stringify(said("caf\u00e9"));
    await expect(read(answer(bytesOf(json), "application/json"))).rejects.toEqual(
      new AnswerUnreadable("the answer (application/json) is not text", 200),
    );
    const named = await read(answer(bytesOf(json), "application/json; charset=iso-8859-1"));
    expectLike(named, { kind: "ok", value: { text: "caf\u00e9" } });
  });
});

describe("the text of an answer", () => {
  it("may come in parts, thinking beside it", async () => {
    const content = [
      { type: "thinking", thinking: [{ type: "text", text: "hm" }] },
      { type: "text", text: "it is " },
      { type: "text", text: "blue" },
    ];
    expectLike(await run(said(content)), { kind: "ok", value: { text: "it is blue", finish: "stop" } });
  });

  it.each([
    ["bare", '{"ok": true}'],
    ["in a fence", '```json\n{"ok": true}\n```'],
    ["in a fence without a name", '\n```\n{"ok": true}\n```\n'],
    ["in a fence on one line", '```{"ok": true}```'],
    ["in waves", '~~~json\n{"ok": true}\n~~~'],
    ["after thinking", '<think>hm {"ok": false}</think>\n\n```json\n{"ok": true}\n```'],
  ])("is JSON where one is wanted: %s", async (_name, text) => {
    expectLike(await run(said(text), { schema: true }), { kind: "ok", value: { json: { ok: true } } });
  });

  it.each([
    ["prose", "Here you go: yes", /^the answer is not JSON$/],
    ["prose around a fence", 'Sure!\n```json\n{"ok": true}\n```', /^the answer is not JSON$/],
    ["JSON that does not fit", '{"ok": "sk-0123456789"}', /does not fit the schema/],
  ])("is bought once more and kept where it is of no use: %s", async (_name, text, message) => {
    const outcome = await run(said(text), { schema: true });
    expectLike(outcome, { kind: "transient", errorKind: "parse", answersMost: 2, message });
    expect(outcome.detail).toBe(text.replace("sk-0123456789", "[secret:KEY]"));
  });

  it("that was cut is bought once where JSON is wanted, and is a value where text is", async () => {
    const half = said('{"ok": tr', "length");
    expectLike(await run(half, { schema: true }), {
      kind: "permanent",
      message: /^the answer is not JSON: it was cut at maxTokens \(200\): raise it$/,
      detail: '{"ok": tr',
    });
    expectLike(await run(half), { kind: "ok", value: { text: '{"ok": tr', finish: "length" } });
  });
});
