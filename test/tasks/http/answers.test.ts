import { afterEach, describe, expect, it } from "vitest";
import type { Json } from "../../../src/core/spec.ts";
import { parseSpec } from "../../../src/runSpec/schema.ts";
import type { TaskOutcome } from "../../../src/tasks/task.ts";
import { type Server, startServer, type TryOptions, tryBatch, tryItem } from "../../support/oneTry.ts";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Json;
}

/** A server that answers a path so; others with 404. */
async function serve(answers: Readonly<Record<string, Answer>>): Promise<string> {
  const server = await startServer(({ url }, response) => {
    const {
      status = 200,
      headers = {},
      body = "",
    } = answers[new URL(url, "http://x").pathname] ?? { status: 404 };
    const isText = typeof body === "string";
    const type = isText ? "text/plain" : "application/json";
    response.writeHead(status, { "content-type": type, ...headers });
    response.end(isText ? body : JSON.stringify(body));
  });
  servers.push(server);
  return server.origin;
}

async function answered(
  answer: Answer,
  task: Record<string, Json> = {},
  options: TryOptions = {},
): Promise<TaskOutcome> {
  const origin = await serve({ "/a": answer });
  return tryItem({ kind: "http", url: `${origin}/{{item}}`, ...task }, "a", options);
}

const CODE = "/errors/0/extensions/code";
const GRAPHQL = [
  { when: { pointer: CODE, equals: "THROTTLED" }, is: "throttled" },
  { when: { pointer: "/errors", exists: true }, is: "failed", message: "/errors/0/message" },
];

describe("an answer that a rule speaks of", () => {
  it.each<[string, Answer, Json, object]>([
    [
      "is throttled inside a 200",
      { body: { data: null, errors: [{ message: "slow", extensions: { code: "THROTTLED" } }] } },
      GRAPHQL,
      { kind: "throttled", status: 200, retryAfterMs: null },
    ],
    [
      "fails inside a 200 with the target's words",
      { body: { data: null, errors: [{ message: "no such product" }] } },
      GRAPHQL,
      { kind: "permanent", errorKind: "http", message: "no such product", status: 200, called: true },
    ],
    ["is a value where no rule fits", { body: { data: 1 } }, GRAPHQL, { kind: "ok", value: { data: 1 } }],
    [
      "is asked for again",
      { status: 202, headers: { "retry-after": "3" } },
      [{ when: { status: ["202"] }, is: "again" }],
      { kind: "again", message: "202 Accepted", status: 202, retryAfterMs: 3000 },
    ],
    [
      "fails for its own sake with a 403",
      { status: 403, body: { message: "not yours" } },
      [{ when: { status: ["403"] }, is: "failed" }],
      { kind: "permanent", message: "403 Forbidden: not yours", errorKind: "http" },
    ],
    [
      "is refused by name",
      { status: 200, body: { error: "token_expired" } },
      [{ when: { pointer: "/error", matches: "token" }, is: "refused", message: "/error" }],
      { kind: "permanent", refused: true, because: "rule", message: "token_expired" },
    ],
    [
      "is a value whatever its status",
      { status: 404, body: { gone: true } },
      [{ when: { status: ["404"] }, is: "ok" }],
      { kind: "ok", value: { gone: true }, status: 404 },
    ],
    [
      "waits as long as its body says",
      { status: 403, body: { wait: 7 } },
      [{ when: { status: ["403"] }, is: "throttled", retryAfter: "/wait" }],
      { kind: "throttled", retryAfterMs: 7000, status: 403 },
    ],
    [
      "waits as long as its header says where the body does not",
      { status: 403, headers: { "retry-after": "2" }, body: { wait: "soon" } },
      [{ when: { status: ["403"] }, is: "throttled", retryAfter: "/wait" }],
      { kind: "throttled", retryAfterMs: 2000 },
    ],
    [
      "is known by a header",
      { status: 400, headers: { "x-reason": "quota" }, body: "no" },
      [{ when: { header: { name: "X-Reason", equals: "quota" } }, is: "throttled" }],
      { kind: "throttled", message: "400 Bad Request: no" },
    ],
    [
      "is known by its text",
      { body: "<title>Sign in</title> your session has expired" },
      [{ when: { text: "(?i)session has expired" }, is: "failed" }],
      { kind: "permanent", message: 'the answer has "(?i)session has expired" in its text: Sign in' },
    ],
    [
      "says what was found where it says nothing itself",
      { body: { state: "bad" } },
      [{ when: { pointer: "/state", equals: "bad" }, is: "failed" }],
      { kind: "permanent", message: 'the answer has "bad" at /state' },
    ],
    [
      "is looked at by failWhen last",
      { body: { state: "bad", errors: [{ message: "no such product" }] } },
      GRAPHQL,
      { message: "no such product" },
    ],
  ])("%s", async (_case, answer, answers, expected) => {
    const task = { answers, failWhen: { pointer: "/state", equals: "other" } };
    expect(await answered(answer, task)).toMatchObject(expected);
  });

  it("that says failed is never a reason to pause", async () => {
    const task = { answers: [{ when: { status: ["403"] }, is: "failed" }] };
    expect(await answered({ status: 403 }, task)).not.toHaveProperty("refused");
  });

  it("is read within the bound of the spec", async () => {
    const task = { answers: GRAPHQL, maxResponseBytes: 50 };
    expect(await answered({ body: { data: "x".repeat(100) } }, task)).toMatchObject({
      kind: "permanent",
      errorKind: "parse",
      message: expect.stringContaining("maxResponseBytes"),
    });
  });

  it("keeps the digits of large integers in its value", async () => {
    const origin = await serve({
      "/a": { headers: { "content-type": "application/json" }, body: '{"id":12345678901234567890}' },
    });
    const outcome = await tryItem({ kind: "http", url: `${origin}/{{item}}`, answers: GRAPHQL }, "a");
    expect(JSON.stringify(outcome)).toContain('"value":{"id":12345678901234567890}');
  });

  it("hides secrets in the message that its body has", async () => {
    const task = {
      headers: { "x-key": "{{secret:KEY}}" },
      answers: [{ when: { pointer: "/m" }, is: "failed", message: "/m" }],
    };
    const env = { WEIR_SECRET_KEY: "k-123456" };
    expect(await answered({ body: { m: "bad k-123456" } }, task, { env })).toMatchObject({
      message: "bad [secret:KEY]",
    });
  });
});

describe("a redirect", () => {
  it("is followed where rules do not name its status, and the last URL is the one that counts", async () => {
    const origin = await serve({
      "/a": { status: 302, headers: { location: "/login?next=a" } },
      "/login": { body: "<form>" },
    });
    const task = (answers: Json) => ({ kind: "http", url: `${origin}/{{item}}`, answers });
    const byUrl = [{ when: { url: "/login" }, is: "refused" }];
    expect(await tryItem(task(byUrl), "a")).toMatchObject({ kind: "permanent", refused: true, status: 200 });
    const byBody = [{ when: { pointer: "/x", exists: false }, is: "failed" }];
    expect(await tryItem(task(byBody), "a")).toMatchObject({ kind: "permanent", status: 200 });
    const byStatus = [{ when: { status: ["302"] }, is: "again" }];
    expect(await tryItem(task(byStatus), "a")).toMatchObject({ kind: "again", status: 302 });
  });
});

describe("an answer that no rule speaks of", () => {
  it.each<[string, Answer, object]>([
    [
      "403 with Retry-After",
      { status: 403, headers: { "retry-after": "1" } },
      { kind: "throttled", retryAfterMs: 1000 },
    ],
    [
      "403 with nothing left until a reset",
      { status: 403, headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "5" } },
      { kind: "throttled", retryAfterMs: 5000 },
    ],
    [
      "403 with requests left",
      { status: 403, headers: { "x-ratelimit-remaining": "9", "x-ratelimit-reset": "5" } },
      { kind: "permanent", refused: true },
    ],
    [
      "403 with the words of a rate limit",
      { status: 403, body: { message: "You have exceeded a secondary rate limit" } },
      {
        kind: "throttled",
        retryAfterMs: null,
        message: "403 Forbidden: You have exceeded a secondary rate limit",
      },
    ],
    [
      "503 with SlowDown",
      { status: 503, body: "<Error><Code>SlowDown</Code></Error>" },
      { kind: "throttled" },
    ],
    ["423", { status: 423 }, { kind: "again", message: "423 Locked" }],
    ["425", { status: 425 }, { kind: "transient" }],
    ["402", { status: 402 }, { kind: "permanent", refused: true, message: "402 Payment Required" }],
    [
      "402 about credits",
      { status: 402, body: { error: { message: "Insufficient credits" } } },
      {
        kind: "permanent",
        refused: true,
        because: "used-up",
        message: "402 Payment Required: Insufficient credits",
      },
    ],
    [
      "429 with insufficient_quota",
      { status: 429, body: { error: { code: "insufficient_quota" } } },
      { kind: "permanent", refused: true, because: "used-up" },
    ],
  ])("has the class of %s", async (_case, answer, expected) => {
    expect(await answered(answer)).toMatchObject(expected);
  });

  it("is asked for again where a 202 is not expected, and a value where it is", async () => {
    expect(await answered({ status: 202 }, { expect: ["200"] })).toMatchObject({ kind: "again" });
    expect(await answered({ status: 202 })).toMatchObject({ kind: "ok" });
  });

  it("of 409 is tried again after an unanswered try with the same key, and only then", async () => {
    const task = { method: "POST", idempotencyHeader: "idempotency-key" };
    const conflict = { status: 409 };
    expect(await answered(conflict, task, { mayBeUnderWay: true })).toMatchObject({ kind: "transient" });
    expect(await answered(conflict, task)).toMatchObject({ kind: "permanent" });
    expect(await answered(conflict, {}, { mayBeUnderWay: true })).toMatchObject({ kind: "permanent" });
  });
});

describe("rules of other tasks", () => {
  it("look at completions before they are read", async () => {
    const origin = await serve({
      "/v1/chat/completions": {
        body: { error: { message: "model is loading" }, usage: { prompt_tokens: 3 } },
      },
    });
    const task = {
      kind: "llm",
      url: `${origin}/v1`,
      model: "m",
      prompt: "{{item}}",
      answers: [
        { when: { pointer: "/error/message", matches: "loading" }, is: "again", message: "/error/message" },
      ],
    };
    expect(await tryItem(task, "a")).toMatchObject({
      kind: "again",
      message: "model is loading",
      usage: { inputTokens: 3, outputTokens: 0 },
    });
  });

  it("let a completion count that comes with another status", async () => {
    const completion = { choices: [{ message: { content: "hi" }, finish_reason: "stop" }] };
    const origin = await serve({ "/v1/chat/completions": { status: 203, body: completion } });
    const task = { kind: "llm", url: `${origin}/v1`, model: "m", prompt: "{{item}}" };
    const answers = [{ when: { status: ["203"] }, is: "ok" }];
    expect(await tryItem({ ...task, answers }, "a")).toMatchObject({
      kind: "ok",
      value: { text: "hi" },
      status: 203,
    });
  });

  it("look at pages", async () => {
    const origin = await serve({
      "/a": { headers: { "content-type": "text/html" }, body: "<title>Are you human?</title>" },
    });
    const task = {
      kind: "scrape",
      url: `${origin}/{{item}}`,
      robots: false,
      answers: [{ when: { text: "Are you human" }, is: "throttled" }],
    };
    expect(await tryItem(task, "a")).toMatchObject({ kind: "throttled", status: 200 });
  });
});

describe("a page that was redirected", () => {
  it.each([
    ["is not there", "/gone", { kind: "permanent", status: 404 }],
    ["is not HTML", "/data", { kind: "permanent", status: 200, errorKind: "parse" }],
    ["leads on and on", "/loop", { kind: "permanent", status: 302 }],
    ["is taken for a challenge", "/human", { kind: "throttled", status: 200 }],
  ])("says where it ended when it %s", async (_what, to, outcome) => {
    const origin = await serve({
      "/a": { status: 302, headers: { location: to } },
      "/loop": { status: 302, headers: { location: "/loop2" } },
      "/loop2": { status: 302, headers: { location: "/loop" } },
      "/gone": { status: 404 },
      "/data": { headers: { "content-type": "application/json" }, body: "{}" },
      "/human": { headers: { "content-type": "text/html" }, body: "<title>Are you human?</title>" },
    });
    const answers = [{ when: { text: "Are you human" }, is: "throttled" }];
    const url = `${origin}/{{item}}`;
    const task = { kind: "scrape", url, robots: false, maxRedirects: 1, answers };
    expect(await tryItem(task, "a")).toMatchObject({ ...outcome, url: origin + to });
    expect(await tryItem(task, to.slice(1))).not.toHaveProperty("url", origin + to);
  });
});

describe("a call for several items", () => {
  const task = (origin: string, more: Record<string, Json> = {}) => ({
    kind: "http",
    url: `${origin}/a`,
    body: "{{items}}",
    batch: 10,
    results: "/results",
    ...more,
  });
  const outcomes = async (body: Json, more: Record<string, Json> = {}, status = 200) => {
    const origin = await serve({ "/a": { status, body } });
    const items = Array.from(
      { length: (body as { results: Json[] }).results?.length ?? 2 },
      (_, n) => `u_${n}`,
    );
    return tryBatch(task(origin, more), items);
  };

  it("has its rules look at each result", async () => {
    const answers = [
      { when: { pointer: "/error", equals: "slow" }, is: "throttled", retryAfter: "/wait" },
      { when: { pointer: "/error", exists: true }, is: "failed", message: "/error" },
    ];
    const results = [{ n: 1 }, { error: "slow", wait: 4 }, { error: "no such user" }];
    expect(await outcomes({ results }, { answers })).toMatchObject({
      kind: "each",
      outcomes: [
        { kind: "ok", value: { n: 1 } },
        { kind: "throttled", retryAfterMs: 4000 },
        { kind: "permanent", message: "no such user" },
      ],
    });
  });

  it("has rules without a pointer look at the answer", async () => {
    const answers = [{ when: { status: ["200"], header: { name: "x-busy", exists: false } }, is: "again" }];
    expect(await outcomes({ results: [{}] }, { answers })).toMatchObject({
      kind: "whole",
      outcome: { kind: "again" },
    });
  });

  it("has all rules look at an answer without results", async () => {
    const answers = [{ when: { pointer: CODE, equals: "THROTTLED" }, is: "throttled" }];
    const body = { errors: [{ extensions: { code: "THROTTLED" } }] };
    expect(await outcomes(body, { answers })).toMatchObject({
      kind: "whole",
      outcome: { kind: "throttled" },
    });
  });

  it("has results with a status of their own in a 207: each is judged by it", async () => {
    const results = [
      { status: 200, body: 1 },
      { status: 429, headers: { "Retry-After": "2" } },
      { status: 404, error: "gone" },
      { status: 503 },
      { status: 403 },
      { status: "HTTP/1.1 423 Locked" },
      { state: "none" },
    ];
    expect(await outcomes({ results }, {}, 207)).toMatchObject({
      kind: "each",
      outcomes: [
        { kind: "ok", status: 200, value: { status: 200, body: 1 } },
        { kind: "throttled", status: 429, retryAfterMs: 2000 },
        { kind: "permanent", status: 404, message: "404 Not Found: gone" },
        { kind: "transient", status: 503, isDown: false },
        { kind: "permanent", status: 403, refused: true },
        { kind: "again", status: 423 },
        { kind: "ok", status: 207 },
      ],
    });
  });

  it("takes a field called status for data elsewhere, unless the spec says that it is one", async () => {
    const results = [{ code: 429, headers: [{ name: "Retry-After", value: "1" }] }];
    expect(await outcomes({ results })).toMatchObject({ outcomes: [{ kind: "ok" }] });
    expect(await outcomes({ results }, { resultStatus: "/code" })).toMatchObject({
      outcomes: [{ kind: "throttled", retryAfterMs: 1000 }],
    });
  });
});

describe("rules in a spec", () => {
  const problems = (answers: Json, more: Record<string, Json> = {}) => {
    const source = { kind: "range", from: 0, to: 1 };
    const parsed = parseSpec({ source, task: { kind: "http", url: "http://a/{{item}}", answers, ...more } });
    return parsed.kind === "ok" ? "ok" : `${parsed.path} ${parsed.message}`;
  };

  it.each<[string, Json, RegExp]>([
    ["an empty when", [{ when: {}, is: "ok" }], /^task\.answers\.0\.when names nothing/],
    [
      "an unknown meaning",
      [{ when: { status: ["403"] }, is: "bad" }],
      /answers\.0\.is.*one of ok, throttled, again/,
    ],
    ["an unknown key", [{ when: { state: 1 }, is: "ok" }], /answers\.0\.when/],
    ["a status that is none", [{ when: { status: ["600"] }, is: "ok" }], /status/],
    ["a pointer that is none", [{ when: { pointer: "a" }, is: "ok" }], /pointer/],
    [
      "a pattern that backtracks",
      [{ when: { text: "(a)\\1" }, is: "ok" }],
      /answers\.0\.when\.text.*back-reference/,
    ],
    [
      "two wants",
      [{ when: { pointer: "", equals: 1, exists: true }, is: "ok" }],
      /one of "equals", "exists" and/,
    ],
  ])("are refused with their place: %s", (_case, answers, message) => {
    expect(problems(answers)).toMatch(message);
  });

  it("are accepted with everything they may say", () => {
    const header = { name: "x-reason", matches: "quota" };
    const when = {
      status: ["4xx", 503],
      header,
      pointer: "/a",
      equals: { b: 1 },
      text: "x",
      url: { matches: "y" },
    };
    expect(problems([{ when, is: "throttled", message: "/m", retryAfter: "/w" }])).toBe("ok");
  });
});
