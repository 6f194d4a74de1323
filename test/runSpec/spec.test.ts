import { describe, expect, it } from "vitest";
import { PROBLEMS_SHOWN } from "../../src/core/limits.ts";
import { type Json, RETRY_TOLERATE, SPEC_DEFAULTS, type TaskSpec } from "../../src/core/spec.ts";
import { mergeTask } from "../../src/runSpec/mergeTask.ts";
import { parsePatch, parseRetry, parseSpec, parseTask } from "../../src/runSpec/schema.ts";
import { problemsOf } from "../../src/schema/complaint.ts";
import { sourceRegistry } from "../../src/sources/registry.ts";
import { sourceSchemas } from "../../src/sources/schemas.ts";
import { taskRegistry } from "../../src/tasks/registry.ts";
import { taskSchemas } from "../../src/tasks/schemas.ts";

const SOURCE = { kind: "input", name: "ids.txt" };
const HTTP = { kind: "http", url: "https://api.example.com/v1/users/{{item}}" };

/** The whole spec: the least one with these keys in place. */
function run(keys: Record<string, Json>) {
  return parseSpec({ source: SOURCE, task: HTTP, ...keys });
}

function task(settings: Record<string, Json>) {
  return run({ task: { ...HTTP, ...settings } });
}

describe("schemas", () => {
  it("are there for every source and every task, and for no other", () => {
    expect(Object.keys(sourceSchemas).sort()).toEqual(Object.keys(sourceRegistry).sort());
    expect(Object.keys(taskSchemas).sort()).toEqual(Object.keys(taskRegistry).sort());
  });
});

describe("a literal credential", () => {
  it.each(["api-key", "X-Auth-Token", "PRIVATE-TOKEN", "x-api-key"])(
    "in the header %s is refused",
    (name) => {
      const message = expect.stringContaining("literal credential");
      expect(task({ headers: { [name]: "abc" } })).toMatchObject({ path: `task.headers.${name}`, message });
      expect(task({ headers: { [name]: "{{secret:KEY}}" } })).toMatchObject({ kind: "ok" });
    },
  );

  it.each(["?token=abc", "?a=1&sig=abc", "?a=1;api_key=abc"])("in a URL with %s is refused", (query) => {
    const url = `https://h.example/{{item}}${query}`;
    expect(task({ url })).toMatchObject({ path: "task.url", message: expect.stringContaining("credential") });
    const literal = `https://h.example/done${query}`;
    expect(run({ onComplete: { url: literal } })).toMatchObject({ path: "onComplete.url" });
  });

  it("nor anything else is put into the address of the notice at the end", () => {
    const url = "https://h.example/{{secret:X}}";
    expect(run({ onComplete: { url } })).toMatchObject({ kind: "invalid", path: "onComplete.url" });
  });
});

it.each(["%{{item}}%{{item}}/x", "a%2{{item}}", "?q=%{{item}}"])(
  "a URL with the unfinished escape in %s is refused",
  (path) => {
    const message = expect.stringContaining("unfinished escape");
    expect(task({ url: `https://h.example/${path}` })).toMatchObject({ path: "task.url", message });
  },
);

describe("headers", () => {
  const many = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`x-${i}`, "1"]));

  it("are at most 100, also of a model's endpoint and of pages", () => {
    expect(task({ headers: many(100) })).toMatchObject({ kind: "ok" });
    const refused = { kind: "invalid", path: "task.headers", message: expect.stringMatching(/at most 100/) };
    expect(task({ headers: many(101) })).toMatchObject(refused);
    expect(task({ headers: many(60_000) })).toMatchObject(refused);
    const url = "https://h.example/{{item}}";
    expect(run({ task: { kind: "scrape", url, headers: many(101) } })).toMatchObject(refused);
    const llm = { kind: "llm", url: "https://h.example", model: "m", prompt: "{{item}}" };
    expect(run({ task: { ...llm, headers: many(101) } })).toMatchObject(refused);
  });

  it("stand there once, in whatever case", () => {
    expect(task({ headers: { "X-A": "1", "x-b": "2", "x-a": "3" } })).toMatchObject({
      kind: "invalid",
      path: "task.headers.x-a",
      message: "is set twice: x-a stands there already",
    });
  });
});

it("statuses that are expected are no more than there are", () => {
  const refused = { kind: "invalid", path: "task.expect" };
  expect(task({ expect: Array.from({ length: 100_000 }, () => "404") })).toMatchObject(refused);
});

describe("a spec", () => {
  it("gets every default of the contract", () => {
    expect(run({})).toEqual({
      kind: "ok",
      spec: {
        name: null,
        source: { kind: "input", name: "ids.txt", format: "lines", delimiter: ",", upload: null },
        task: {
          ...HTTP,
          headers: {},
          body: null,
          timeoutMs: 30_000,
          expect: ["2xx"],
          value: "auto",
          keepHeaders: [],
          answers: [],
          failWhen: null,
          maxRedirects: 5,
          idempotencyHeader: null,
          maxResponseBytes: 1_048_576,
        },
        chunkSize: 1000,
        maxParallelism: 10,
        quota: null,
        pacing: { minIntervalMs: 0, jitterMs: 0 },
        retry: {
          maxAttempts: 5,
          baseDelayMs: 1000,
          maxDelayMs: 60_000,
          maxThrottles: 20,
          maxRetryAfterMs: 3_600_000,
          throttledMinDelayMs: 0,
          maxAgain: 30,
        },
        tolerate: { failureRate: 0.5, over: 1000, then: "pause" },
        checkpoint: { items: 100, bytes: 1_000_000, ms: 30_000 },
        budget: null,
        window: null,
        ramp: null,
        deadline: null,
        reduce: null,
        smoke: null,
        onComplete: null,
        allowPrivate: false,
      },
    });
  });

  it("that was stored can be sent again", () => {
    const first = run({ name: "n", quota: { requests: "1000/s" }, retry: { maxAttempts: 2 } });
    if (first.kind === "invalid") throw new Error(first.message);
    expect(parseSpec(JSON.parse(JSON.stringify(first.spec)))).toEqual(first);
  });

  it("fills single keys beside those that were given", () => {
    const parsed = run({
      quota: { requests: "60/min", burst: 5 },
      tolerate: { then: "fail" },
      retry: { baseDelayMs: 90_000 },
    });
    expect(parsed).toMatchObject({
      kind: "ok",
      spec: {
        quota: { requests: "60/min", burst: 5 },
        tolerate: { failureRate: 0.5, over: 1000, then: "fail" },
        retry: { baseDelayMs: 90_000, maxDelayMs: 90_000 },
      },
    });
  });

  it.each<[Record<string, Json>, string, RegExp]>([
    [{ sorce: 1 }, "sorce", /unknown; accepted are name, source, task,/],
    [{ smoke: { items: 0 } }, "smoke.items", /1 to 10,000/],
    [{ smoke: { gate: "open" } }, "smoke.gate", /auto, manual/],
    [{ onComplete: { url: "example.com" } }, "onComplete.url", /absolute/],
    [{ reduce: { a: "total" } }, "reduce.a", /must be sum, count, min, max, mean, merge, .*"top": 1 to 100/],
    [{ reduce: { a: { top: 0, by: "a" } } }, "reduce.a.top", /from 1 to 100, not 0$/],
    [{ reduce: { a: { own: "nobodys" } } }, "reduce.a.own", /name of a reducer/],
    [{ reduce: {} }, "reduce", /1 to 50 fields/],
    [{ source: { kind: "inputs", name: "x" } }, "source.kind", /one of items, range, input/],
    [{ source: { kind: "constructor" } }, "source.kind", /one of/],
    [{ source: { kind: "range", from: 0 } }, "source.to", /missing/],
    [{ source: { ...SOURCE, nme: 1 } }, "source.nme", /unknown; accepted are kind, name, format/],
    [{ task: { kind: "htp" } }, "task.kind", /one of http/],
    [{ task: { kind: "http" } }, "task.url", /missing/],
    [{ chunkSize: 10_000_000_000 }, "chunkSize", /whole number from 1 to 100,000, not 10000000000$/],
    [{ chunkSize: 1.5 }, "chunkSize", /whole number/],
    [{ maxParallelism: 0 }, "maxParallelism", /from 1 to 5,000, not 0$/],
    [{ maxParallelism: "10" }, "maxParallelism", /whole number/],
    [{ quota: { requests: "-5/s" } }, "quota.requests", /accepted.*1000\/s/],
    [{ quota: { requests: 5 } }, "quota.requests", /rate such as "1000\/s"/],
    [{ quota: {} }, "quota.requests", /missing/],
    [
      { quota: { requests: "5/s", token: "1/s" } },
      "quota.token",
      /unknown; accepted are requests, burst, perHost, tokens/,
    ],
    [{ quota: { requests: "5/s", tokens: "1/s" } }, "quota.tokens", /task http counts none/],
    [{ quota: { requests: "5/s", tokenBurst: 5 } }, "quota.tokenBurst", /needs quota.tokens/],
    [{ budget: { tokens: 0 } }, "budget.tokens", /above 0/],
    [{ window: { from: "6:00" } }, "window.from", /time of day from "00:00" to "24:00"/],
    [{ window: { to: "00:00" } }, "window.to", /differ from window.from/],
    [{ window: { timeZone: "+02:00" } }, "window.timeZone", /IANA name/],
    [{ window: { days: [] } }, "window.days", /list of days: sun, mon/],
    [{ window: { days: ["monday"] } }, "window.days.0", /one of sun, mon/],
    [{ ramp: { from: "0%" } }, "ramp.from", /share such as "50%"/],
    [{ ramp: { step: 10 } }, "ramp.step", /share such as "50%"/],
    [{ ramp: { everyMs: 10 } }, "ramp.everyMs", /from 1,000 to 3,600,000/],
    [{ ramp: { maxFailureRate: 2 } }, "ramp.maxFailureRate", /0 to 1/],
    [{ ramp: { maxLatencyGrowth: 0.5 } }, "ramp.maxLatencyGrowth", /from 1 to 100/],
    [{ deadline: "tomorrow" }, "deadline", /instant such as .* or a duration/],
    [{ deadline: "-1h" }, "deadline", /duration/],
    [{ budget: { tokens: 5 } }, "budget.tokens", /task http counts none/],
    [{ budget: { dollars: 5 } }, "budget.dollars", /task.price/],
    [{ quota: { requests: "5/s", burst: 0 } }, "quota.burst", /from 1/],
    [{ pacing: { minIntervalMs: -1 } }, "pacing.minIntervalMs", /from 0/],
    [{ retry: { maxAttempts: 0 } }, "retry.maxAttempts", /from 1/],
    [{ retry: { baseDelayMs: 5, maxDelayMs: 2 } }, "retry.maxDelayMs", /5/],
    [{ tolerate: { failureRate: 2 } }, "tolerate.failureRate", /from 0 to 1, not 2$/],
    [{ tolerate: { then: "stop" } }, "tolerate.then", /pause, fail/],
    [{ checkpoint: { items: 0 } }, "checkpoint.items", /from 1/],
    [{ name: "a\nb" }, "name", /control/],
    [{ allowPrivate: "yes" }, "allowPrivate", /true or false/],
  ])("%j is refused at %s", (keys, path, message) => {
    const parsed = run(keys);
    expect(parsed).toMatchObject({ kind: "invalid", path });
    if (parsed.kind === "invalid") expect(parsed.message).toMatch(message);
  });

  it.each<[unknown]>([[null], [[]], ["x"], [1]])("%j is not a spec", (input) => {
    expect(parseSpec(input)).toEqual({ kind: "invalid", path: "", message: expect.stringMatching(/object/) });
  });
});

describe("mistakes of a spec", () => {
  const problemsIn = (input: unknown) => {
    const parsed = parseSpec(input);
    return parsed.kind === "ok" ? [] : problemsOf(parsed);
  };

  it("are reported all at once, in every part of it", () => {
    const problems = problemsIn({
      source: { kind: "range", form: 1, to: "x" },
      task: {
        kind: "http",
        url: "ftp://example.com/{{item}}",
        headers: { "a b": "1", authorization: "Bearer sk-literal" },
        timeoutMs: 0,
      },
      chunkSize: 0,
      quota: { requests: "fast", brust: 5 },
    });
    expect(problems.map(({ path }) => path)).toEqual([
      "chunkSize",
      "quota.requests",
      "quota.brust",
      "source.from",
      "source.to",
      "source.form",
      "task.timeoutMs",
    ]);
  });

  it("are looked for in templates, headers and body alike", () => {
    const task = {
      kind: "http",
      url: "ftp://example.com/{{item}}",
      headers: { "a b": "1", ok: "{{thing}}" },
      body: "{{",
    };
    const problems = problemsIn({ source: { kind: "items", items: [1] }, task, budget: { tokens: 5 } });
    expect(problems.map(({ path }) => path)).toEqual([
      "task.url",
      "task.headers.a b",
      "task.headers.ok",
      "task.body",
      "budget.tokens",
    ]);
  });

  it("begin with the one that path and message name, and are bounded", () => {
    const items = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`key${n}`, 1]));
    const parsed = parseSpec({ ...items, source: {}, task: {} });
    if (parsed.kind === "ok") throw new Error("it was accepted");
    expect(parsed.problems).toHaveLength(PROBLEMS_SHOWN);
    expect(parsed.problems?.[0]).toEqual({ path: parsed.path, message: parsed.message });
  });

  it("need an object before anything else", () => {
    for (const input of [null, [], "x", 1]) expect(problemsIn(input)).toHaveLength(1);
    expect(problemsIn({}).map(({ path }) => path)).toEqual(["source", "task"]);
  });
});

describe("a spec's http task", () => {
  it.each<[Record<string, Json>, string, RegExp]>([
    [{ url: "api.example.com/{{item}}" }, "task.url", /https:\/\//],
    [{ url: "https://api.example.com/all" }, "task.url", /\{\{item\}\}/],
    [{ url: "https://{{item}}.example.com/" }, "task.url", /host/],
    [{ url: "https://[bad/{{item}}" }, "task.url", /not a valid host/],
    [{ url: "https://h.example/{{secret:A B}}/{{item}}" }, "task.url", /name of a secret/],
    [{ url: "https://user:hunter22@h.example/{{item}}" }, "task.url", /secret:NAME/],
    [{ headers: { Authorization: "Bearer hunter22" } }, "task.headers.Authorization", /secret:NAME/],
    [{ headers: { cookie: "s=hunter22" } }, "task.headers.cookie", /secret:NAME/],
    [{ headers: { "x-api-key": "hunter22" } }, "task.headers.x-api-key", /secret:NAME/],
    [{ headers: { "x y": "1" } }, "task.headers.x y", /header name/],
    [{ headers: { host: "h" } }, "task.headers.host", /platform/],
    [{ headers: { a: "1", A: "2" } }, "task.headers.A", /twice/],
    [{ timeout: 1 }, "task.timeout", /unknown; accepted are .*timeoutMs/],
    [{ timeoutMs: 0 }, "task.timeoutMs", /from 1/],
    [{ method: "FETCH" }, "task.method", /GET, HEAD, POST/],
    [{ method: "GET", body: "x" }, "task.body", /POST/],
    [{ body: '{"id": {{item}}}' }, "task.body", /quotes/],
    [{ expect: ["2xx", "ok"] }, "task.expect.1", /"2xx" or "404"/],
    [{ expect: [] }, "task.expect", /list of statuses/],
    [{ failWhen: { pointer: "x", equals: 1 } }, "task.failWhen.pointer", /pointer/],
    [{ failWhen: { pointer: "/x", equals: 1 }, value: "none" }, "task.failWhen", /value/],
    [{ idempotencyHeader: "a b" }, "task.idempotencyHeader", /header name/],
    [{ maxResponseBytes: 1e9 }, "task.maxResponseBytes", /from 1/],
  ])("%j is refused at %s", (settings, path, message) => {
    const parsed = task(settings);
    expect(parsed).toMatchObject({ kind: "invalid", path });
    if (parsed.kind !== "invalid") return;
    expect(parsed.message).toMatch(message);
    // A refusal is logged and shown: it does not repeat what may be a credential.
    expect(parsed.message).not.toContain("hunter22");
  });

  it.each<[Record<string, Json>]>([
    [{ url: "https://h.example/", headers: { "x-id": "{{item}}" } }],
    [{ url: "https://h.example/", body: { ids: ["{{item.id}}"] } }],
    [{ url: "{{item.url}}" }],
    [{ headers: { authorization: "Bearer {{item.token}}" } }],
    [{ headers: { authorization: "Bearer {{secret:KEY}}" } }],
    [{ expect: ["2xx", 404] }],
    [{ body: null, failWhen: null, idempotencyHeader: null }],
  ])("%j is accepted", (settings) => {
    expect(task(settings)).toMatchObject({ kind: "ok" });
  });
});

describe("a patch", () => {
  it("holds only what was given; null restores the default", () => {
    expect(
      parsePatch({ quota: null, pacing: { jitterMs: null }, tolerate: { over: 100 }, maxParallelism: null }),
    ).toEqual({
      kind: "ok",
      patch: { quota: null, pacing: { jitterMs: 0 }, tolerate: { over: 100 }, maxParallelism: null },
    });
    expect(parsePatch({ quota: { burst: null } })).toEqual({ kind: "ok", patch: { quota: { burst: null } } });
    expect(parsePatch({})).toEqual({ kind: "ok", patch: {} });
  });

  it.each<[Json, string]>([
    [{ task: {} }, "task"],
    [{ quota: { requests: "0/s" } }, "quota.requests"],
    [{ maxParallelism: 5001 }, "maxParallelism"],
    [{ pacing: { minIntervalMs: "1s" } }, "pacing.minIntervalMs"],
  ])("%j is refused at %s", (patch, path) => {
    expect(parsePatch(patch)).toMatchObject({ kind: "invalid", path });
  });
});

describe("a retry", () => {
  it("may name kinds of failures and changes to the task", () => {
    expect(parseRetry({ kinds: ["http", "timeout"], task: { timeoutMs: 1 } })).toEqual({
      kind: "ok",
      retry: { kinds: ["http", "timeout"], task: { timeoutMs: 1 }, tolerate: RETRY_TOLERATE },
    });
    expect(parseRetry({})).toEqual({ kind: "ok", retry: { tolerate: RETRY_TOLERATE } });
    expect(parseRetry({ kinds: ["htp"] })).toMatchObject({ kind: "invalid", path: "kinds.0" });
    expect(parseRetry({ kind: "http" })).toMatchObject({ kind: "invalid", path: "kind" });
  });

  it("tolerates any share of failures unless it says how many", () => {
    expect(parseRetry({ tolerate: null })).toEqual({ kind: "ok", retry: { tolerate: RETRY_TOLERATE } });
    expect(parseRetry({ tolerate: { over: 50 } })).toEqual({
      kind: "ok",
      retry: { tolerate: { ...SPEC_DEFAULTS.tolerate, over: 50 } },
    });
    expect(parseRetry({ tolerate: { over: 1 } })).toMatchObject({ kind: "invalid", path: "tolerate.over" });
  });

  it("merges its changes into the task key by key, and the result is checked again", () => {
    const stored: TaskSpec = { ...HTTP, headers: { a: "1", b: "2" }, timeoutMs: 5 };
    const merged = mergeTask(stored, { headers: { b: null, c: "3" }, timeoutMs: null });
    expect(merged).toEqual({ ...HTTP, headers: { a: "1", c: "3" } });
    expect(parseTask(merged)).toMatchObject({ kind: "ok", task: { timeoutMs: 30_000 } });
    expect(parseTask(mergeTask(stored, { url: "nowhere" }))).toMatchObject({
      kind: "invalid",
      path: "task.url",
    });
  });
});
