import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { Row } from "../../src/core/row.ts";
import { isEnded } from "../../src/core/run/runView.ts";
import { resultsKey } from "../../src/storage/runRecord.ts";
import { answer, call, rowsOf, textOf } from "./callApi.ts";
import { fifty, numbers, SLOW, start, USERS, view } from "./runsOverApi.ts";

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

  it("gives a follower who lost the stream the rest of the rows, whether it goes on or has ended", async () => {
    const { id } = await fifty();
    const all = await textOf(await call("GET", `/v1/runs/${id}/results?order=commits`));
    const lines = all.trimEnd().split("\n");
    for (const query of ["order=commits&skip=17", "follow=true&skip=17", "follow=true&skip=50"]) {
      const rest = await textOf(await call("GET", `/v1/runs/${id}/results?${query}`));
      const skipped = query.endsWith("50") ? 50 : 17;
      expect(rest.split("\n").filter((line) => line !== "")).toEqual(lines.slice(skipped));
    }
    const failed = await rowsOf(await call("GET", `/v1/runs/${id}/results?follow=true&only=failed&skip=3`));
    expect(failed).toHaveLength(2);
    const refused = await call("GET", `/v1/runs/${id}/results?skip=3`);
    expect(await answer(refused)).toMatchObject({ status: 400, body: { error: { path: "skip" } } });
  });

  it("gives the rows so far of a run that goes on, in the order of commits, and ends there", async () => {
    const run = await start({ source: { kind: "items", items: numbers(5) }, ...SLOW });
    expect(await rowsOf(await call("GET", `/v1/runs/${run.id}/results?order=commits`))).toEqual([]);
    await call("POST", `/v1/runs/${run.id}/cancel`);
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

  it("gives the rows of all other parts to who asks for them, and says which part is missing", async () => {
    const { id } = await fifty();
    const [, second] = await pages<{ key: string; chunk: number; n: number }>(id, "manifest", "parts");
    const { key, chunk, n } = second!;
    const lost = (await rowsOf(await call("GET", `/v1/runs/${id}/results`))).length;
    const there = (await (await env.BUCKET.get(key))!.text()).trimEnd().split("\n").length;
    await env.BUCKET.delete([resultsKey(id), key]);
    for (const query of ["", "&follow=true", "&order=commits", "&merged=true"]) {
      const rows = await rowsOf(await call("GET", `/v1/runs/${id}/results?unreadable=skip${query}`));
      expect(rows).toHaveLength(lost - there);
    }
    const { unreadable } = await view(id);
    expect(unreadable).toBe(
      `part ${n} of chunk ${chunk} cannot be read: it is missing; the rows of the other parts are kept`,
    );
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
