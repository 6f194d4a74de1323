import { describe, expect, it } from "vitest";
import type { RunView } from "../../src/core/run/runView.ts";
import { answer, call } from "./callApi.ts";
import { SLOW, start, USERS } from "./runsOverApi.ts";

describe("starting a run", () => {
  const spec = { source: { kind: "items", items: ["a"] }, task: { kind: "http", url: USERS } };

  it.each([
    ["no JSON", "{", undefined],
    ["no body", undefined, undefined],
    ["an unknown key", { ...spec, colour: "red" }, "colour"],
    ["no lanes", { ...spec, maxParallelism: 0 }, "maxParallelism"],
    ["a negative rate", { ...spec, quota: { requests: "-5/s" } }, "quota.requests"],
    ["a huge chunk", { ...spec, chunkSize: 1e10 }, "chunkSize"],
    ["a URL without scheme", { ...spec, task: { kind: "http", url: "x/{{item}}" } }, "task.url"],
    [
      "a call that outlasts the platform",
      { ...spec, task: { kind: "http", url: USERS, timeoutMs: 300_000 } },
      "task.timeoutMs",
    ],
    ["no {{item}}", { ...spec, task: { kind: "http", url: "https://target.test/" } }, "task.url"],
    [
      "a secret that is not set",
      { ...spec, task: { kind: "http", url: USERS, headers: { "x-k": "{{secret:NOPE}}" } } },
      "task.headers.x-k",
    ],
    [
      "a browser that is not bound",
      { ...spec, task: { kind: "scrape", url: USERS, browser: true } },
      "task.browser",
    ],
    [
      "a selector that is none",
      { ...spec, task: { kind: "scrape", url: USERS, fields: { a: "h1 >" } } },
      "task.fields.a",
    ],
    ["an input that is not there", { ...spec, source: { kind: "input", name: "nope.txt" } }, "source.name"],
    ["no items", { ...spec, source: { kind: "items", items: [] } }, "source.items"],
    [
      "integers that would lose digits",
      `{"source":{"kind":"items","items":[9007199254740993]}}`,
      "source.items.0",
    ],
  ])("refuses %s, by the name of the field", async (_, body, path) => {
    const refused = await answer(await call("POST", "/v1/runs", body));
    expect([refused.status, refused.body.error.code]).toEqual([400, "invalid"]);
    if (path !== undefined) expect(refused.body.error.path).toBe(path);
    expect(refused.body.error.message).not.toMatch(/\n/);
    expect((await answer(await call("POST", "/v1/plans", body))).body.error.code).toBe("invalid");
  });

  it("reports every mistake of a spec, and every secret that is missing, each at its place", async () => {
    const problemsOf = async (body: object) => {
      const { error } = (await answer(await call("POST", "/v1/runs", body))).body;
      expect(error.problems?.[0]?.path).toBe(error.path);
      return error.problems?.map(({ path }) => path);
    };
    const wrong = { ...spec, chunkSize: 0, quota: { requests: "5" }, task: { kind: "http", url: "x" } };
    expect(await problemsOf(wrong)).toEqual(["chunkSize", "quota.requests", "task.url"]);
    const headers = { a: "{{secret:NOPE_A}}", b: "x {{ secret:NOPE_B }}" };
    const secrets = {
      ...spec,
      task: { kind: "http", url: USERS, headers },
      onComplete: { url: "https://target.test/done" },
    };
    expect(await problemsOf(secrets)).toEqual(["task.headers.a", "task.headers.b", "onComplete"]);
  });

  it("refuses a spec over its size with the number", async () => {
    const large = { ...spec, source: { kind: "items", items: ["x".repeat(1_500_000)] } };
    const { status, body } = await answer(await call("POST", "/v1/runs", large));
    expect([status, body.error.code]).toEqual([413, "too_large"]);
    expect(body.error.message).toContain("1500000");
  });

  it("makes one run of one key and body, however often it is sent", async () => {
    const key = { "idempotency-key": "once" };
    const runs = await Promise.all([start({ ...spec, ...SLOW }, key), start({ ...spec, ...SLOW }, key)]);
    const again = await start({ ...spec, ...SLOW }, key);
    expect(new Set([...runs, again].map((run) => run.id)).size).toBe(1);
    const other = await answer(await call("POST", "/v1/runs", spec, key));
    expect([other.status, other.body.error.code]).toEqual([409, "conflict"]);
    await call("POST", `/v1/runs/${again.id}/cancel`);
  });

  it("lists runs newest first, as they are now, by status", async () => {
    const older = await start({ ...spec, ...SLOW, name: "older" });
    const newer = await start({ ...spec, ...SLOW, name: "newer" });
    await call("POST", `/v1/runs/${older.id}/pause`);
    const { body } = await answer<{ runs: RunView[] }>(await call("GET", "/v1/runs"));
    const ours = body.runs.filter((run) => [older.id, newer.id].includes(run.id));
    expect(ours.map((run) => run.name)).toEqual(["newer", "older"]);
    expect(ours[1]?.status).toBe("paused");
    const paused = await answer<{ runs: RunView[] }>(await call("GET", "/v1/runs?status=paused&limit=1000"));
    expect(paused.body.runs.map((run) => run.id)).toContain(older.id);
    expect(paused.body.runs.every((run) => run.status === "paused")).toBe(true);
    for (const run of [older, newer]) await call("POST", `/v1/runs/${run.id}/cancel`);
  });
});

describe("a plan", () => {
  it("says how the run would go and shows the first request without its secrets", async () => {
    const { status, body } = await answer<{ firstRequest: { headers: Record<string, string> } }>(
      await call("POST", "/v1/plans", {
        source: { kind: "range", from: 0, to: 20_000 },
        task: { kind: "http", url: USERS, headers: { authorization: "Bearer {{secret:EDGE_KEY}}" } },
        chunkSize: 200,
        maxParallelism: 500,
        quota: { requests: "100/s" },
      }),
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({
      items: 20_000,
      chunks: 100,
      limitedBy: "quota",
      etaSeconds: 201,
      costUsd: expect.any(Number),
      warnings: expect.any(Array),
      firstRequest: { method: "GET", url: "https://target.test/users/0" },
    });
    expect(JSON.stringify(body.firstRequest)).not.toContain("edge-secret");
  });

  it("starts nothing", async () => {
    const before = await answer<{ runs: RunView[] }>(await call("GET", "/v1/runs?limit=1000"));
    await call("POST", "/v1/plans", {
      source: { kind: "items", items: ["a"] },
      task: { kind: "http", url: USERS },
    });
    const after = await answer<{ runs: RunView[] }>(await call("GET", "/v1/runs?limit=1000"));
    expect(after.body.runs).toHaveLength(before.body.runs.length);
  });
});
