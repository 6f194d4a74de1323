import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { createApp } from "../../src/api/app.ts";
import type { Env } from "../../src/objects/env.ts";
import { answer, call, ORIGIN } from "./callApi.ts";

const app = createApp();

/** One request to an app with other bindings than those of the test Worker. */
async function ask(url: string, headers: Record<string, string>, bindings: Partial<Env>): Promise<Response> {
  return app.fetch(new Request(url, { headers }), { ...env, ...bindings }, createExecutionContext());
}

const TOKEN = "a-token-that-is-long-enough-0123456789";
const bearer = { authorization: `Bearer ${TOKEN}` };

describe("access", () => {
  it.each(["/healthz", "/", "/docs", "/openapi.json", "/spec.schema.json"])(
    "%s carries no data and needs no token",
    async (path) => {
      const response = await ask(ORIGIN + path, {}, { WEIR_TOKEN: TOKEN });
      expect(response.status).toBe(200);
      await response.text();
    },
  );

  it.each([
    ["no header", {}],
    ["another token", { authorization: `Bearer ${TOKEN}x` }],
    ["another scheme", { authorization: `Basic ${TOKEN}` }],
    ["an empty token", { authorization: "Bearer " }],
  ])("refuses %s with 401", async (_, headers) => {
    const response = await ask(`${ORIGIN}/v1/runs`, headers, { WEIR_TOKEN: TOKEN });
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    const { status, body } = await answer(response);
    expect([status, body.error.code]).toEqual([401, "unauthorized"]);
  });

  it("does not take the token from the query", async () => {
    const response = await ask(`${ORIGIN}/v1/runs?token=${TOKEN}`, {}, { WEIR_TOKEN: TOKEN });
    expect(response.status).toBe(401);
  });

  it("tells a stranger nothing about which paths there are", async () => {
    const response = await ask(`${ORIGIN}/v1/nothing`, {}, { WEIR_TOKEN: TOKEN });
    expect(response.status).toBe(401);
  });

  it.each(["", "31-characters-are-one-too-few---"])("is closed without a long token (%j)", async (token) => {
    const short = { WEIR_TOKEN: token.slice(0, 31) };
    expect((await ask(`${ORIGIN}/healthz`, {}, short)).status).toBe(200);
    for (const path of ["/", "/docs", "/openapi.json", "/v1/runs"]) {
      const { status, body } = await answer(
        await ask(ORIGIN + path, { authorization: `Bearer ${short.WEIR_TOKEN}` }, short),
      );
      expect([status, body.error.code]).toEqual([503, "unavailable"]);
    }
  });

  it("sends no CORS header and lets nothing be cached", async () => {
    const response = await ask(
      `${ORIGIN}/v1/runs`,
      { ...bearer, origin: "https://evil.test" },
      { WEIR_TOKEN: TOKEN },
    );
    expect(response.status).toBe(200);
    expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    expect(response.headers.get("cache-control")).toBe("no-store");
  });
});

describe("access, embedded", () => {
  const embedded = { WEIR_TOKEN: TOKEN, WEIR_GENERATION: "1" };

  it.each([
    ["http://127.0.0.1:8787/healthz", {}, 200],
    ["http://localhost:8787/healthz", {}, 200],
    ["http://[::1]:8787/healthz", {}, 200],
    ["http://127.0.0.1:8787/healthz", { origin: "http://localhost:8787" }, 200],
    ["http://127.0.0.1:8787/healthz", { origin: "http://localhost:3000" }, 403],
    ["http://127.0.0.1:8787/healthz", { origin: "https://evil.test" }, 403],
    ["http://127.0.0.1:8787/healthz", { origin: "null" }, 403],
    ["http://evil.test/healthz", {}, 403],
    ["http://127.0.0.1.evil.test:8787/healthz", {}, 403],
  ])("%s with %j answers %i", async (url, headers, status) => {
    expect((await ask(url, headers, embedded)).status).toBe(status);
  });

  it("needs the token as well", async () => {
    expect((await ask("http://127.0.0.1/v1/runs", {}, embedded)).status).toBe(401);
    expect((await ask("http://127.0.0.1/v1/runs", bearer, embedded)).status).toBe(200);
  });
});

describe("errors", () => {
  it("have one shape and name their request", async () => {
    const response = await call("GET", "/v1/runs/r_000000000000000000");
    const { status, body } = await answer(response);
    expect(status).toBe(404);
    expect(body).toEqual({
      error: {
        code: "not_found",
        message: expect.any(String),
        requestId: response.headers.get("x-request-id"),
      },
    });
  });

  it.each([
    ["GET", "/v1/nothing", 404],
    ["PUT", "/v1/runs", 404],
    ["GET", "/v1/runs/r_000000000000000000/live", 404],
    ["POST", "/v1/runs/r_000000000000000000/approve", 404],
    ["GET", "/v1/schedules/s_000000000000000000", 404],
    ["GET", "/v1/schedules/r_000000000000000000/runs", 404],
    ["POST", "/v1/schedules/s_000000000000000000/fire", 404],
    ["GET", "/v1/runs/..%2F..%2Finputs", 404],
    ["POST", "/v1/runs/r_000000000000000000/pause", 404],
    ["DELETE", "/v1/runs/r_000000000000000000", 404],
    ["GET", "/v1/runs/r_000000000000000000/results", 404],
  ])("%s %s answers %i", async (method, path, status) => {
    expect((await call(method, path)).status).toBe(status);
  });

  it.each([
    ["/v1/runs?limit=0", "limit"],
    ["/v1/schedules?limit=0", "limit"],
    ["/v1/schedules?status=active", "status"],
    ["/v1/runs?limit=1001", "limit"],
    ["/v1/runs?limit=x", "limit"],
    ["/v1/runs?status=busy", "status"],
    ["/v1/runs?colour=red", "colour"],
    ["/v1/runs/r_000000000000000000/results?merged=1", "merged"],
    ["/v1/runs/r_000000000000000000/results?only=bad", "only"],
    ["/v1/runs/r_000000000000000000/results?follow=1", "follow"],
  ])("%s is refused by the name of its parameter", async (path, name) => {
    const { status, body } = await answer(await call("GET", path));
    expect([status, body.error.code, body.error.path]).toEqual([400, "invalid", name]);
    expect(body.error.message).toContain(name);
  });
});

describe("openapi", () => {
  it("describes every path of the API from the schemas it checks with", async () => {
    const document = await (await call("GET", "/openapi.json")).json<{
      paths: Record<string, object>;
      components: { schemas: Record<string, { properties?: object }> };
    }>();
    expect(Object.keys(document.paths).sort()).toEqual(PATHS);
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining([
        "Spec",
        "Patch",
        "Retry",
        "Schedule",
        "NewSchedule",
        "ScheduleChange",
        "Fire",
        "NewFire",
        "Run",
        "Row",
        "Error",
        "Plan",
        "Part",
        "Chunk",
        "Input",
      ]),
    );
    expect(Object.keys(document.components.schemas.Spec?.properties ?? {})).toEqual(
      expect.arrayContaining(["name", "source", "task", "chunkSize", "maxParallelism", "quota"]),
    );
  });
});

const PATHS = [
  "/healthz",
  "/spec.schema.json",
  "/v1/inputs",
  "/v1/inputs/{name}",
  "/v1/inputs/{name}/uploads",
  "/v1/inputs/{name}/uploads/{id}",
  "/v1/inputs/{name}/uploads/{id}/complete",
  "/v1/inputs/{name}/uploads/{id}/{n}",
  "/v1/plans",
  "/v1/reindex",
  "/v1/runs",
  "/v1/runs/{id}",
  "/v1/runs/{id}/approve",
  "/v1/runs/{id}/cancel",
  "/v1/runs/{id}/chunks",
  "/v1/runs/{id}/failures",
  "/v1/runs/{id}/failures/summary",
  "/v1/runs/{id}/manifest",
  "/v1/runs/{id}/pause",
  "/v1/runs/{id}/report",
  "/v1/runs/{id}/results",
  "/v1/runs/{id}/resume",
  "/v1/runs/{id}/retry",
  "/v1/schedules",
  "/v1/schedules/{id}",
  "/v1/schedules/{id}/fire",
  "/v1/schedules/{id}/pause",
  "/v1/schedules/{id}/resume",
  "/v1/schedules/{id}/runs",
  "/v1/targets",
  "/v1/targets/{name}",
  "/v1/targets/{name}/permits",
];
