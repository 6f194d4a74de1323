import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { Row } from "../../src/core/row.ts";
import type { RunView } from "../../src/core/runView.ts";
import { isEnded } from "../../src/core/runView.ts";
import { resultsKey } from "../../src/storage/runRecord.ts";
import { type Answer, answer, call, rowsOf, until } from "./callApi.ts";

/** `target.test` answers by the path: see the edge project in `vitest.config.ts`. */
const USERS = "https://target.test/users/{{item}}";
/** A run that makes no second call within the test. */
const SLOW = {
  quota: { requests: "1/h" },
  task: { kind: "http", url: "https://target.test/never/{{item}}" },
};

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

async function start(spec: object, headers: Record<string, string> = {}): Promise<RunView> {
  const { status, body } = await answer<RunView & Answer>(await call("POST", "/v1/runs", spec, headers));
  expect([status, body.error]).toEqual([201, undefined]);
  return body;
}

async function view(id: string): Promise<RunView> {
  return (await answer<RunView>(await call("GET", `/v1/runs/${id}`))).body;
}

async function ended(id: string): Promise<RunView> {
  return until(async () => {
    const run = await view(id);
    return isEnded(run.status) && run;
  });
}

async function fifty(): Promise<RunView> {
  const source = { kind: "items", items: numbers(50) };
  return ended(
    (
      await start({
        source,
        task: { kind: "http", url: USERS },
        chunkSize: 20,
        quota: { requests: "1000/s" },
      })
    ).id,
  );
}

describe("a run", () => {
  it("goes from a spec to one row for every item", async () => {
    const run = await fifty();
    expect(run).toMatchObject({
      status: "completed-with-failures",
      counts: { items: 50, done: 50, ok: 45, failed: 5 },
      chunks: { total: 3, done: 3, active: 0, pending: 0 },
    });
    const rows = await rowsOf(await call("GET", `/v1/runs/${run.id}/results`));
    expect(rows.map((row) => row.index)).toEqual(numbers(50).map(Number));
    expect(rows[3]).toMatchObject({ item: "3", ok: true, status: 200, value: { id: "3" } });
    expect(rows[7]).toMatchObject({ item: "7", ok: false, status: 404, error: { kind: "http" } });
  });

  it("gives only the rows asked for, and the same rows to a follower", async () => {
    const { id } = await fifty();
    const failed = await rowsOf(await call("GET", `/v1/runs/${id}/results?only=failed`));
    expect(failed.map((row) => row.index)).toEqual([7, 17, 27, 37, 47]);
    const ok = await rowsOf(await call("GET", `/v1/runs/${id}/results?only=ok`));
    expect(ok).toHaveLength(45);
    const followed = await rowsOf(await call("GET", `/v1/runs/${id}/results?follow=true`));
    expect(followed.map((row) => row.index).sort((a, b) => a - b)).toEqual(numbers(50).map(Number));
  });

  it("is followed to its end by a reader who came early", async () => {
    const source = { kind: "items", items: numbers(30) };
    const run = await start({ source, task: { kind: "http", url: USERS }, chunkSize: 10 });
    const rows = await rowsOf(await call("GET", `/v1/runs/${run.id}/results?follow=true`));
    expect(new Set(rows.map((row) => row.index)).size).toBe(30);
    expect(isEnded((await view(run.id)).status)).toBe(true);
  });

  it("is cut off where a part is missing, never ended as if complete", async () => {
    const { id } = await fifty();
    const [, second] = await pages<{ key: string }>(id, "manifest", "parts");
    await env.BUCKET.delete([resultsKey(id), second?.key ?? ""]);
    for (const query of ["", "?follow=true", "?only=ok"]) {
      const response = await call("GET", `/v1/runs/${id}/results${query}`);
      expect(response.status).toBe(200);
      await expect(response.bytes()).rejects.toThrow();
    }
  });

  it("has a manifest and a ledger that add up to its counts, page by page", async () => {
    const { id } = await fifty();
    const parts = await pages<{ chunk: number; ok: number; failed: number; sha256: string }>(
      id,
      "manifest",
      "parts",
    );
    expect(sum(parts, "ok") + sum(parts, "failed")).toBe(50);
    expect(parts.map((part) => part.chunk)).toEqual(parts.map((part) => part.chunk).sort((a, b) => a - b));
    expect(parts.every((part) => /^[0-9a-f]{64}$/.test(part.sha256))).toBe(true);
    const chunks = await pages<{ chunk: number; count: number; done: number }>(id, "chunks", "chunks");
    expect(chunks.map((chunk) => chunk.chunk)).toEqual([0, 1, 2]);
    expect([sum(chunks, "count"), sum(chunks, "done")]).toEqual([50, 50]);
  });

  it("shows its failures as a page, as lines and in groups", async () => {
    const { id } = await fifty();
    const page = await answer<{ failures: Row[]; cursor: string | null }>(
      await call("GET", `/v1/runs/${id}/failures?limit=2`),
    );
    expect(page.body.failures.map((row) => row.index)).toEqual([7, 17]);
    const rest = await answer<{ failures: Row[]; cursor: string | null }>(
      await call("GET", `/v1/runs/${id}/failures?cursor=${page.body.cursor}`),
    );
    expect(rest.body.failures.map((row) => row.index)).toEqual([27, 37, 47]);
    expect(rest.body.cursor).toBeNull();
    const lines = await call("GET", `/v1/runs/${id}/failures`, undefined, { accept: "application/x-ndjson" });
    expect(lines.headers.get("content-type")).toBe("application/x-ndjson");
    expect((await rowsOf(lines)).map((row) => row.index)).toEqual([7, 17, 27, 37, 47]);
    const { body } = await answer<{ groups: object[] }>(await call("GET", `/v1/runs/${id}/failures/summary`));
    expect(body.groups).toMatchObject([
      { kind: "http", count: 5, samples: [{ index: 7, item: "7" }, {}, {}] },
    ]);
  });
});

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
    ["no {{item}}", { ...spec, task: { kind: "http", url: "https://target.test/" } }, "task.url"],
    [
      "a secret that is not set",
      { ...spec, task: { kind: "http", url: USERS, headers: { "x-k": "{{secret:NOPE}}" } } },
      "task",
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

describe("steering a run", () => {
  const source = { kind: "items", items: numbers(20) };

  it("pauses, resumes, cancels, and says when it cannot", async () => {
    const { id } = await start({ source, ...SLOW });
    const paused = await answer<RunView>(await call("POST", `/v1/runs/${id}/pause`));
    expect([paused.status, paused.body.status, paused.body.why]).toEqual([
      200,
      "paused",
      "paused: by request",
    ]);
    const resumed = await answer<RunView>(await call("POST", `/v1/runs/${id}/resume`));
    expect(["planning", "running"]).toContain(resumed.body.status);
    expect((await call("POST", `/v1/runs/${id}/cancel`)).status).toBe(200);
    expect((await ended(id)).status).toBe("cancelled");
    const refused = await answer(await call("POST", `/v1/runs/${id}/pause`));
    expect([refused.status, refused.body.error.code]).toEqual([409, "conflict"]);
  });

  it("changes limits key by key, and null restores the default", async () => {
    const { id } = await start({ source, ...SLOW, maxParallelism: 5 });
    const changed = await answer<RunView>(
      await call("PATCH", `/v1/runs/${id}`, { quota: { requests: "2/h" }, pacing: { jitterMs: 5 } }),
    );
    expect(changed.body.spec).toMatchObject({
      quota: { requests: "2/h" },
      maxParallelism: 5,
      pacing: { minIntervalMs: 0, jitterMs: 5 },
    });
    const restored = await answer<RunView>(await call("PATCH", `/v1/runs/${id}`, { maxParallelism: null }));
    expect(restored.body.spec.maxParallelism).toBe(10);
    await call("POST", `/v1/runs/${id}/cancel`);
  });

  it.each([
    [{ colour: "red" }, "colour"],
    [{ quota: { requests: "fast" } }, "quota.requests"],
    [{ maxParallelism: 0 }, "maxParallelism"],
    [{ task: { url: "https://x/{{item}}" } }, "task"],
    [[], undefined],
  ])("refuses the change %j", async (change, path) => {
    const { status, body } = await answer(await call("PATCH", "/v1/runs/r_000000000000000000", change));
    expect([status, body.error.code]).toEqual([400, "invalid"]);
    if (path !== undefined) expect(body.error.path).toBe(path);
  });
});

describe("a retry", () => {
  it("runs exactly what is still failed, under the same indexes", async () => {
    const parent = await fifty();
    const { status, body: child } = await answer<RunView>(
      await call("POST", `/v1/runs/${parent.id}/retry`, {
        task: { url: "https://target.test/healed/{{item}}" },
      }),
    );
    expect([status, child.parentRunId]).toEqual([201, parent.id]);
    expect((await ended(child.id)).counts).toMatchObject({ items: 5, ok: 5, failed: 0 });
    const rows = await rowsOf(await call("GET", `/v1/runs/${child.id}/results`));
    expect(rows.map((row) => row.index)).toEqual([7, 17, 27, 37, 47]);
    const left = await answer<{ failures: Row[] }>(await call("GET", `/v1/runs/${parent.id}/failures`));
    expect(left.body.failures).toEqual([]);
    const own = await answer<{ failures: Row[] }>(
      await call("GET", `/v1/runs/${parent.id}/failures?own=true`),
    );
    expect(own.body.failures).toHaveLength(5);
    const nothing = await answer(await call("POST", `/v1/runs/${parent.id}/retry`));
    expect([nothing.status, nothing.body.error.code]).toEqual([409, "conflict"]);
    expect(nothing.body.error.message).toContain("nothing to retry");
  });

  it("waits for the run to end, and for an earlier retry", async () => {
    const source = { kind: "items", items: numbers(3) };
    const going = await start({ source, ...SLOW });
    expect((await call("POST", `/v1/runs/${going.id}/retry`)).status).toBe(409);
    await call("POST", `/v1/runs/${going.id}/cancel`);
    await ended(going.id);
    const first = await answer<RunView>(await call("POST", `/v1/runs/${going.id}/retry`));
    expect(first.status).toBe(201);
    const second = await answer(await call("POST", `/v1/runs/${going.id}/retry`));
    expect([second.status, second.body.error.message]).toEqual([409, expect.stringContaining(first.body.id)]);
    expect((await call("DELETE", `/v1/runs/${going.id}`)).status).toBe(409);
    await call("POST", `/v1/runs/${first.body.id}/cancel`);
    await ended(first.body.id);
  });

  it.each([
    [{ kinds: ["nope"] }, "kinds.0"],
    [{ colour: "red" }, "colour"],
    [{ task: { url: "nowhere" } }, "task.url"],
  ])("refuses %j", async (change, path) => {
    const { id } = await fifty();
    const { status, body } = await answer(await call("POST", `/v1/runs/${id}/retry`, change));
    expect([status, body.error.path]).toEqual([400, path]);
  });
});

describe("deleting a run", () => {
  it("is refused before its end, and then leaves nothing", async () => {
    const going = await start({ source: { kind: "items", items: numbers(3) }, ...SLOW });
    expect((await call("DELETE", `/v1/runs/${going.id}`)).status).toBe(409);
    await call("POST", `/v1/runs/${going.id}/cancel`);
    const { id } = await fifty();
    expect((await call("DELETE", `/v1/runs/${id}`)).status).toBe(204);
    for (const path of ["", "/results", "/failures", "/manifest", "/chunks"]) {
      expect((await call("GET", `/v1/runs/${id}${path}`)).status).toBe(404);
    }
    const { body } = await answer<{ runs: RunView[] }>(await call("GET", "/v1/runs?limit=1000"));
    expect(body.runs.map((run) => run.id)).not.toContain(id);
    expect((await call("DELETE", `/v1/runs/${id}`)).status).toBe(404);
  });
});

async function pages<T>(id: string, path: string, plural: string): Promise<T[]> {
  const found: T[] = [];
  let query = "?limit=2";
  for (;;) {
    const { body } = await answer<Record<string, T[]> & { cursor: string | null }>(
      await call("GET", `/v1/runs/${id}/${path}${query}`),
    );
    found.push(...(body[plural] ?? []));
    if (body.cursor === null) return found;
    query = `?limit=2&cursor=${body.cursor}`;
  }
}

function sum<K extends string>(rows: readonly Record<K, number>[], key: K): number {
  return rows.reduce((total, row) => total + row[key], 0);
}
