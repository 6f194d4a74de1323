import { afterEach, describe, expect, it } from "vitest";
import type { Json } from "../../../src/core/spec.ts";
import {
  echo,
  OpenPermits,
  type Server,
  startServer,
  type TryOptions,
  tryItem,
} from "../../support/oneTry.ts";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(answer: Parameters<typeof startServer>[0]): Promise<Server> {
  const server = await startServer(answer);
  servers.push(server);
  return server;
}

/** One try against a server that answers every request so. */
async function answered(
  answer: { status?: number; headers?: Record<string, string>; body?: string | Buffer },
  task: Record<string, Json> = {},
  options: TryOptions = {},
) {
  const server = await serve((_arrival, response) => {
    response.writeHead(answer.status ?? 200, answer.headers);
    response.end(answer.body);
  });
  return tryItem({ kind: "http", url: `${server.origin}/{{item}}`, ...task }, "a", options);
}

const JSON_TYPE = { "content-type": "application/json; charset=utf-8" };

describe("an answer's value", () => {
  it.each<[string, Parameters<typeof answered>[0], Record<string, Json>, Json]>([
    ["is JSON by content type", { headers: JSON_TYPE, body: '{"a":1}' }, {}, { a: 1 }],
    [
      "is JSON by a suffix type",
      { headers: { "content-type": "application/hal+json" }, body: "[1]" },
      {},
      [1],
    ],
    [
      "is text by any other type",
      { headers: { "content-type": "text/plain" }, body: '{"a":1}' },
      {},
      '{"a":1}',
    ],
    ["is null when empty", { headers: JSON_TYPE, body: "" }, {}, null],
    ["is null without a body", { status: 204 }, { value: "json" }, null],
    ["is JSON when told so", { body: '{"a":1}' }, { value: "json" }, { a: 1 }],
    ["is text when told so", { headers: JSON_TYPE, body: '{"a":1}' }, { value: "text" }, '{"a":1}'],
    ["is null when told so", { headers: JSON_TYPE, body: '{"a":1}' }, { value: "none" }, null],
    [
      "is read in its own charset",
      { headers: { "content-type": "text/plain; charset=iso-8859-1" }, body: Buffer.from([0xe9]) },
      {},
      "é",
    ],
    ["may come with any expected status", { status: 404, body: "gone" }, { expect: ["2xx", "404"] }, "gone"],
    ["may come with an expected 500", { status: 500, body: "x" }, { expect: ["5xx"] }, "x"],
  ])("%s", async (_rule, answer, task, value) => {
    const status = answer.status ?? 200;
    expect(await answered(answer, task)).toEqual({ kind: "ok", value, status });
  });

  it("keeps the digits of large integers", async () => {
    const outcome = await answered({ headers: JSON_TYPE, body: '{"id":12345678901234567890}' });
    expect(JSON.stringify(outcome)).toContain('"value":{"id":12345678901234567890}');
  });
});

describe("an answer's class", () => {
  it.each<[string, Parameters<typeof answered>[0], Record<string, Json>, object]>([
    ["429", { status: 429 }, {}, { kind: "throttled", message: "429 Too Many Requests", retryAfterMs: null }],
    [
      "429 with Retry-After",
      { status: 429, headers: { "retry-after": "2" } },
      {},
      { kind: "throttled", retryAfterMs: 2000 },
    ],
    [
      "503 with Retry-After",
      { status: 503, headers: { "retry-after": "1" } },
      {},
      { kind: "throttled", retryAfterMs: 1000 },
    ],
    [
      "429 with a reset in another header",
      { status: 429, headers: { "x-ratelimit-reset": "7" } },
      {},
      { kind: "throttled", retryAfterMs: 7000, askedBy: "x-ratelimit-reset" },
    ],
    [
      "429 with a Retry-After that is not understood",
      { status: 429, headers: { "retry-after": "soon" } },
      {},
      {
        kind: "throttled",
        retryAfterMs: null,
        message: '429 Too Many Requests (retry-after: "soon" is not understood)',
      },
    ],
    [
      "503 beside a quota that is used up",
      { status: 503, headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "7" } },
      {},
      { kind: "throttled", retryAfterMs: 7000 },
    ],
    [
      "503 with the end of a window",
      { status: 503, headers: { "x-ratelimit-reset": "7" } },
      {},
      { kind: "transient", retryAfterMs: null },
    ],
    ["503", { status: 503 }, {}, { kind: "transient", errorKind: "http", status: 503 }],
    [
      "500 with Retry-After",
      { status: 500, headers: { "retry-after": "3" } },
      {},
      { kind: "transient", retryAfterMs: 3000 },
    ],
    ["408", { status: 408 }, {}, { kind: "transient", errorKind: "http" }],
    ["425", { status: 425 }, {}, { kind: "transient", errorKind: "http" }],
    [
      "404",
      { status: 404, body: "no" },
      {},
      { kind: "permanent", errorKind: "http", message: "404 Not Found", called: true },
    ],
    ["401", { status: 401 }, {}, { kind: "permanent", refused: true, status: 401 }],
    ["403", { status: 403 }, {}, { kind: "permanent", refused: true, status: 403 }],
    [
      "200 where it is not expected",
      { status: 200 },
      { expect: ["201"] },
      { kind: "permanent", errorKind: "http", message: "200 OK" },
    ],
    [
      "302 without a Location",
      { status: 302 },
      {},
      { kind: "permanent", errorKind: "http", message: "302 Found" },
    ],
    [
      "garbage for JSON",
      { headers: JSON_TYPE, body: "<html>" },
      {},
      { kind: "transient", errorKind: "parse", status: 200 },
    ],
    ["an empty body for JSON", { body: "" }, { value: "json" }, { kind: "transient", errorKind: "parse" }],
    [
      "a value that failWhen names",
      { headers: JSON_TYPE, body: '{"a/b":{"c":["x"]}}' },
      { failWhen: { pointer: "/a~1b/c/0", equals: "x" } },
      { kind: "permanent", errorKind: "http", message: 'the answer has "x" at /a~1b/c/0', status: 200 },
    ],
    [
      "a value that failWhen does not name",
      { headers: JSON_TYPE, body: '{"ok":true}' },
      { failWhen: { pointer: "/error", equals: null } },
      { kind: "ok", value: { ok: true } },
    ],
    [
      "more than maxResponseBytes",
      { headers: JSON_TYPE, body: `"${"x".repeat(100)}"` },
      { maxResponseBytes: 100 },
      { kind: "permanent", errorKind: "parse", called: true },
    ],
  ])("%s", async (_case, answer, task, expected) => {
    expect(await answered(answer, task)).toMatchObject(expected);
  });

  it("is network for a connection that is refused, and timeout for an answer that does not end", async () => {
    const closed = await startServer(echo);
    await closed.close();
    const refused = await tryItem({ kind: "http", url: `${closed.origin}/{{item}}` }, "a");
    expect(refused).toMatchObject({ kind: "transient", errorKind: "network" });
    const hanging = await serve((arrival, response) => {
      response.writeHead(200, { "content-type": "text/plain" });
      if (arrival.url === "/body") response.write("half");
      if (arrival.url === "/cut") response.write("half", () => response.destroy());
    });
    const task = { kind: "http", url: `${hanging.origin}/{{item}}`, timeoutMs: 200 };
    for (const item of ["headers", "body"]) {
      expect(await tryItem(task, item)).toMatchObject({
        kind: "transient",
        errorKind: "timeout",
        message: "no complete answer within 200 ms",
      });
    }
    expect(await tryItem(task, "cut")).toMatchObject({ kind: "transient", errorKind: "network" });
  });
});

describe("a request", () => {
  it("carries item, header and body in their places", async () => {
    const server = await serve(echo);
    const task = {
      kind: "http",
      method: "PUT",
      url: `${server.origin}/v1/{{item.id}}?q={{item.q}}`,
      headers: { "X-Id": "n {{item.id}}", "Content-Type": "application/vnd.x+json" },
      body: { id: "{{item.id}}", q: "<{{item.q}}>" },
    };
    for (const q of ["..", "a/b", "?x", `"quotes" 'and' \\`, "{{secret:API_KEY}}", "{{item.id}}"]) {
      expect(await tryItem(task, { id: 7, q }, { env: { WEIR_SECRET_API_KEY: "hunter22" } })).toMatchObject({
        kind: "ok",
      });
      const arrival = server.arrivals.at(-1);
      expect(new URL(arrival?.url ?? "", server.origin).searchParams.get("q")).toBe(q);
      expect(arrival).toMatchObject({
        method: "PUT",
        headers: { "x-id": "n 7", "content-type": "application/vnd.x+json" },
      });
      expect(JSON.parse(arrival?.body ?? "")).toEqual({ id: 7, q: `<${q}>` });
    }
  });

  it.each<[Json, string]>([
    ["..", 'a path segment of the url would become "." or ".."'],
    ["", "item is empty"],
    [null, "item is null"],
  ])("is not made for the item %j", async (item, message) => {
    const server = await serve(echo);
    const permits = new OpenPermits();
    const outcome = await tryItem({ kind: "http", url: `${server.origin}/v1/{{item}}` }, item, { permits });
    expect(outcome).toEqual({ kind: "permanent", errorKind: "task", message, called: false });
    expect([server.arrivals.length, permits.taken]).toEqual([0, 0]);
  });

  it("is a POST where there is a body and no method, in the form that the body has", async () => {
    const server = await serve(echo);
    await tryItem({ kind: "http", url: `${server.origin}/`, body: "id={{item}}" }, "a&b");
    expect(server.arrivals[0]).toMatchObject({
      method: "POST",
      body: "id=a%26b",
      headers: { "content-type": "application/x-www-form-urlencoded", "user-agent": "weir" },
    });
  });

  it("carries another idempotency key when it says something else, and the same with a renewed secret", async () => {
    const server = await serve(echo);
    const task = {
      kind: "http",
      method: "POST",
      url: `${server.origin}/{{item}}`,
      headers: { authorization: "Bearer {{secret:API_KEY}}" },
      body: { id: "{{item}}", by: "{{secret:API_KEY}}" },
      idempotencyHeader: "idempotency-key",
    };
    const env = (key: string) => ({ env: { WEIR_SECRET_API_KEY: key } });
    await tryItem(task, "a", env("key-one"));
    await tryItem(task, "a", env("key-two"));
    await tryItem(
      { ...task, body: { id: "{{item}}", by: "{{secret:API_KEY}}", more: 1 } },
      "a",
      env("key-one"),
    );
    await tryItem({ ...task, method: "PUT" }, "a", env("key-one"));
    await tryItem({ ...task, url: `${server.origin}/v2/{{item}}` }, "a", env("key-one"));
    const keys = server.arrivals.map(({ headers }) => headers["idempotency-key"]);
    expect(keys[1]).toBe(keys[0]);
    expect(new Set(keys).size).toBe(4);
  });

  it("carries the same idempotency key at every try, another for another item", async () => {
    const server = await serve(echo);
    const task = { kind: "http", url: `${server.origin}/{{item}}`, idempotencyHeader: "Idempotency-Key" };
    for (const index of [3, 3, 4]) await tryItem(task, "a", { index });
    const keys = server.arrivals.map(({ headers }) => headers["idempotency-key"]);
    expect(keys[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(keys[1]).toBe(keys[0]);
    expect(keys[2]).not.toBe(keys[0]);
  });
});

describe("a redirect", () => {
  const redirects = (to: (path: string) => string, status: (path: string) => number) =>
    serve((arrival, response) => {
      if (arrival.url.startsWith("/end")) return echo(arrival, response);
      response.writeHead(status(arrival.url), { location: to(arrival.url) });
      response.end("moved");
    });

  it.each([
    [301, "POST", "GET", ""],
    [302, "POST", "GET", ""],
    [302, "PUT", "PUT", "b a"],
    [303, "PUT", "GET", ""],
    [307, "POST", "POST", "b a"],
    [308, "POST", "POST", "b a"],
  ])("%d turns %s into %s", async (status, method, expected, body) => {
    const server = await redirects(
      () => "end?x",
      () => status,
    );
    const permits = new OpenPermits();
    const task = { kind: "http", method, url: `${server.origin}/{{item}}`, body: "b {{item}}" };
    const outcome = await tryItem(task, "a", { permits });
    expect(outcome).toMatchObject({ kind: "ok", value: { method: expected, url: "/end?x", body } });
    // Every hop is a call of its own.
    expect([permits.used, permits.ended]).toEqual([2, 2]);
    if (expected === "GET") expect(server.arrivals[1]?.headers["content-type"]).toBeUndefined();
  });

  it("to another origin carries no secret and no credential", async () => {
    const other = await serve(echo);
    const server = await redirects(
      () => `${other.origin}/end`,
      () => 307,
    );
    const env = { WEIR_SECRET_KEY: "hunter22" };
    const headers = {
      authorization: "Bearer {{secret:KEY}}",
      "x-token": "t-{{secret:KEY}}",
      cookie: "s={{item}}",
      "x-id": "{{item}}",
    };
    const task = { kind: "http", method: "POST", url: `${server.origin}/{{item}}`, headers };
    expect(await tryItem(task, "a", { env, allowPrivate: true })).toMatchObject({ kind: "ok" });
    expect(server.arrivals[0]?.headers).toMatchObject({
      authorization: "Bearer hunter22",
      "x-token": "t-hunter22",
    });
    const arrived = other.arrivals[0];
    expect(arrived?.headers).toMatchObject({ "x-id": "a" });
    expect(JSON.stringify(arrived)).not.toContain("hunter22");
    expect(arrived?.headers.cookie).toBeUndefined();
    const withBody = { ...task, body: { key: "{{secret:KEY}}" } };
    expect(await tryItem(withBody, "a", { env, allowPrivate: true })).toMatchObject({
      kind: "permanent",
      errorKind: "disallowed",
      called: true,
    });
    expect(other.arrivals.length).toBe(1);
  });

  it("to the same origin keeps its secrets", async () => {
    const server = await redirects(
      () => "/end",
      () => 302,
    );
    const task = {
      kind: "http",
      url: `${server.origin}/{{item}}`,
      headers: { authorization: "Bearer {{secret:KEY}}" },
    };
    await tryItem(task, "a", { env: { WEIR_SECRET_KEY: "hunter22" } });
    expect(server.arrivals[1]?.headers.authorization).toBe("Bearer hunter22");
  });

  it("ends at maxRedirects", async () => {
    const server = await redirects(
      (path) => `${path}x`,
      () => 302,
    );
    const task = { kind: "http", url: `${server.origin}/{{item}}`, maxRedirects: 2 };
    expect(await tryItem(task, "a")).toMatchObject({
      kind: "permanent",
      message: "302 Found, beyond maxRedirects (2)",
    });
    expect(server.arrivals.length).toBe(3);
  });

  it.each(["http://169.254.169.254/latest/", "http://localhost:1/", "http://[::1]:1/", "http://2130706434/"])(
    "to %s, which is not public, is not followed",
    async (location) => {
      const server = await redirects(
        () => location,
        () => 302,
      );
      const outcome = await tryItem({ kind: "http", url: `${server.origin}/{{item}}` }, "a");
      expect(outcome).toMatchObject({ kind: "permanent", errorKind: "disallowed", called: true });
    },
  );

  it("to something that is not http is not followed", async () => {
    const server = await redirects(
      () => "ftp://example.com/",
      () => 302,
    );
    const outcome = await tryItem({ kind: "http", url: `${server.origin}/{{item}}` }, "a");
    expect(outcome).toMatchObject({ kind: "permanent", errorKind: "disallowed" });
  });
});

describe("the words of a failed answer", () => {
  const reason = { status: 422, headers: JSON_TYPE, body: '{"message":"email is not an address"}' };

  it("are part of the message, and the body stands beside it", async () => {
    expect(await answered(reason)).toMatchObject({
      kind: "permanent",
      message: "422 Unprocessable Entity: email is not an address",
      detail: '{"message":"email is not an address"}',
    });
  });

  it("are there for what is tried again, and for what asks to slow down", async () => {
    expect(await answered({ ...reason, status: 500 })).toMatchObject({
      kind: "transient",
      message: "500 Internal Server Error: email is not an address",
    });
    expect(await answered({ ...reason, status: 429 })).toMatchObject({
      kind: "throttled",
      message: "429 Too Many Requests: email is not an address",
    });
  });

  it("are those of an answer that failWhen refuses", async () => {
    const task = { failWhen: { pointer: "/data", equals: null } };
    const body = '{"data":null,"errors":[{"message":"no such product"}]}';
    expect(await answered({ headers: JSON_TYPE, body }, task)).toMatchObject({
      message: "the answer has null at /data: no such product",
      detail: body,
    });
  });

  it("hide a secret", async () => {
    const body = '{"message":"the key hunter2-hunter2 is not known"}';
    const task = { headers: { "x-key": "{{secret:KEY}}" } };
    const env = { WEIR_SECRET_KEY: "hunter2-hunter2" };
    expect(await answered({ status: 400, headers: JSON_TYPE, body }, task, { env })).toMatchObject({
      message: "400 Bad Request: the key [secret:KEY] is not known",
      detail: '{"message":"the key [secret:KEY] is not known"}',
    });
  });

  it("are none where the body is not text", async () => {
    const outcome = await answered({ status: 400, body: Buffer.from([0x89, 0x50, 0, 0xff]) });
    expect(outcome).toMatchObject({ message: "400 Bad Request" });
    expect(outcome).not.toHaveProperty("detail");
  });
});

describe("beside a value", () => {
  const headers = { location: "/u/1", link: "</p?2>; rel=next", "x-other": "no" };

  it("stand the headers that the spec keeps, also of a failed row and of a batch", async () => {
    const task = { keepHeaders: ["Location", "link", "x-none"] };
    const kept = { location: "/u/1", link: "</p?2>; rel=next" };
    expect(await answered({ status: 201, headers }, task)).toMatchObject({ kind: "ok", headers: kept });
    expect(await answered({ status: 404, headers }, task)).toMatchObject({
      kind: "permanent",
      headers: kept,
    });
    const redirects = { ...task, expect: ["3xx"] };
    expect(await answered({ status: 302, headers }, redirects)).toMatchObject({ kind: "ok", headers: kept });
  });

  it("stands the URL that answered where it is another than was called", async () => {
    const server = await serve((arrival, response) => {
      if (arrival.url === "/a") response.writeHead(302, { location: "/login" });
      response.end("x");
    });
    const task = { kind: "http", url: `${server.origin}/{{item}}` };
    expect(await tryItem(task, "a")).toMatchObject({ kind: "ok", url: `${server.origin}/login` });
    expect(await tryItem(task, "b")).not.toHaveProperty("url");
  });

  it("stands no secret", async () => {
    const task = { headers: { "x-key": "{{secret:KEY}}" }, keepHeaders: ["x-echo"] };
    const env = { WEIR_SECRET_KEY: "hunter2-hunter2" };
    const outcome = await answered({ headers: { "x-echo": "a hunter2-hunter2" } }, task, { env });
    expect(outcome).toMatchObject({ headers: { "x-echo": "a [secret:KEY]" } });
  });

  it("stands no cookie", async () => {
    await expect(answered({}, { keepHeaders: ["Set-Cookie"] })).rejects.toThrow("set-cookie is not kept");
  });
});

describe("a page that wants its cookie back", () => {
  it("shows itself within the same item, and is given it in no other", async () => {
    const server = await serve((arrival, response) => {
      const isKnown = arrival.headers.cookie === "wall=open";
      if (!isKnown) response.writeHead(302, { location: arrival.url, "set-cookie": "wall=open; Path=/" });
      response.end("page");
    });
    const task = { kind: "http", url: `${server.origin}/{{item}}` };
    expect(await tryItem(task, "a")).toMatchObject({ kind: "ok", value: "page" });
    expect(await tryItem(task, "b")).toMatchObject({ kind: "ok", value: "page" });
    expect(server.arrivals.map(({ headers }) => headers.cookie)).toEqual([
      undefined,
      "wall=open",
      undefined,
      "wall=open",
    ]);
  });
});
