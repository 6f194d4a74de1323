/** Sources that list as they go: the Worker's bucket by prefix, and the failures of another run. */
import { env as bindings } from "cloudflare:test";
import { describe, expect, test, vi } from "vitest";
import { LISTED_PER_PAGE } from "../../src/core/limits.ts";
import type { ChunkPlan } from "../../src/core/protocol.ts";
import type { Json, SourceSpec } from "../../src/core/spec.ts";
import type { Env } from "../../src/objects/env.ts";
import { planListed, readListed } from "../../src/sources/listing.ts";
import { objectsSource } from "../../src/sources/objects.ts";
import { objectsSchema } from "../../src/sources/schemas.ts";
import type { Item, SourceContext } from "../../src/sources/source.ts";
import { answer, call, rowsOf } from "./callApi.ts";
import { ended, fifty, start, USERS } from "./runsOverApi.ts";

vi.setConfig({ testTimeout: 30_000 });

const env = bindings as unknown as Env;
const contextOf = (run: string): SourceContext => ({ env, run, count: () => {} });

async function collect(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Everything that planning says, and how far the listing had come after each step. */
async function planAll(
  chunkSize: number,
  context: SourceContext,
  list: Parameters<typeof planListed>[3],
): Promise<ChunkPlan[]> {
  const chunks: ChunkPlan[] = [];
  let cursor: string | null = null;
  do {
    const step = await planListed(chunkSize, cursor, context, list);
    chunks.push(...step.chunks);
    cursor = step.cursor;
  } while (cursor !== null);
  return chunks;
}

describe("a listing", () => {
  const total = 2 * LISTED_PER_PAGE + 300;
  /** Numbers 0 …, never more than 700 at once. */
  const numbers = async (after: string | null, limit: number) => {
    const from = after === null ? 0 : Number(after) + 1;
    const entries = Array.from({ length: Math.min(limit, 700, total - from) }, (_, i) => from + i);
    const last = from + entries.length - 1;
    return { entries, next: last + 1 < total ? String(last) : null };
  };

  test.each([1, 7, 300, 1000, 1700, 5000])(
    "in chunks of %i holds every entry once, in order",
    async (size) => {
      const context = contextOf(`r_listing_${size}`);
      const chunks = await planAll(size, context, numbers);
      const values: Json[] = [];
      for (const [n, chunk] of chunks.entries()) {
        expect(chunk.first).toBe(n * size);
        expect(chunk.count).toBe(Math.min(size, total - n * size));
        if (size > 1)
          values.push(...(await collect(readListed(chunk, 0, context))).map((item) => item.value));
      }
      if (size > 1) expect(values).toEqual(Array.from({ length: total }, (_, i) => i));
    },
  );

  test("plans its first chunks before the rest was listed", async () => {
    let listed = 0;
    const step = await planListed(100, null, contextOf("r_first"), async (after, limit) => {
      listed += 1;
      return numbers(after, limit);
    });
    expect(step.chunks).toHaveLength(10);
    expect(listed).toBe(2);
  });

  test("stays as it was written down, also for a planner that lists again", async () => {
    const context = contextOf("r_stays");
    const before = await planAll(1000, context, numbers);
    const other = await planAll(1000, context, async () => ({ entries: ["other"], next: null }));
    expect(other).toEqual(before);
    const gaps: ChunkPlan = { first: 3, count: 3, indexes: [3, 999, 2200], position: "" };
    expect((await collect(readListed(gaps, 1, context))).map((item) => [item.index, item.value])).toEqual([
      [999, 999],
      [2200, 2200],
    ]);
  });

  test.each(["null", "{}", '{"entries":{},"next":null}', '{"entries":[1],"next":5}'])(
    "of which a page is %s is damaged, and says so",
    async (page) => {
      const context = contextOf("r_damaged");
      await env.BUCKET.put("runs/r_damaged/source/0.json", page);
      const chunk = { first: 0, count: 1, position: "" };
      await expect(collect(readListed(chunk, 0, context))).rejects.toThrow(
        "page 0 of what run r_damaged lists is damaged",
      );
    },
  );

  test("that was deleted is named by its run", async () => {
    const chunk = { first: 0, count: 1, position: "" };
    await expect(collect(readListed(chunk, 0, contextOf("r_gone")))).rejects.toThrow(
      "the items that run r_gone listed are not there any more",
    );
  });
});

describe("source objects in the Worker's bucket", () => {
  test("gives key, size and etag of what lies below the prefix, folders' placeholders apart", async () => {
    for (const [key, text] of [
      ["exports/b", "22"],
      ["exports/a", "1"],
      ["exports/sub/", ""],
      ["else", "x"],
    ] as const)
      await env.BUCKET.put(key, text);
    const settings = objectsSchema.parse({ kind: "objects", prefix: "exports/" });
    const context = contextOf("r_objects");
    expect(await objectsSource.pin(settings, context)).toMatchObject({
      items: null,
      first: { key: "exports/a" },
    });
    const { chunks, cursor } = await objectsSource.plan(settings, 100, null, context);
    expect([chunks.length, cursor]).toEqual([1, null]);
    await env.BUCKET.delete("exports/a");
    const items = await collect(
      objectsSource.read(settings, chunks[0]!, { ordinal: 0, position: null }, context),
    );
    expect(items.map((item) => item.value)).toEqual([
      { key: "exports/a", size: 1, etag: expect.stringMatching(/^[0-9a-f]{32}$/) },
      { key: "exports/b", size: 2, etag: expect.stringMatching(/^[0-9a-f]{32}$/) },
    ]);
  });

  test("refuses a prefix that holds nothing", async () => {
    const spec = { source: { kind: "objects", prefix: "nothing/" }, task: { kind: "http", url: USERS } };
    const { status, body } = await answer(await call("POST", "/v1/runs", spec));
    expect([status, body.error.message]).toEqual([400, "the source has no items"]);
  });
});

describe("source failures of another run", () => {
  const sevens = [7, 17, 27, 37, 47];
  const specOf = (run: string) => ({
    source: { kind: "failures", run },
    task: { kind: "http", url: USERS.replace("users", "healed") },
    chunkSize: 2,
  });

  test("makes a run of its own: rows from 0, the other run's items, and nothing changes there", async () => {
    const other = await fifty();
    const own = await ended((await start(specOf(other.id))).id);
    expect(own.parentRunId).toBeNull();
    expect(own.counts).toMatchObject({ items: 5, done: 5 });
    const rows = await rowsOf(await call("GET", `/v1/runs/${own.id}/results`));
    expect(rows.map((row) => [row.index, row.item])).toEqual(sevens.map((n, i) => [i, String(n)]));
    const left = await rowsOf(
      await call("GET", `/v1/runs/${other.id}/failures`, undefined, { accept: "application/x-ndjson" }),
    );
    expect(left.map((row) => row.index)).toEqual(sevens);
  });

  test("may be retried itself, and what it took stays what it took", async () => {
    const other = await fifty();
    const first = { ...specOf(other.id), task: { kind: "http", url: USERS } };
    const own = await ended((await start(first)).id);
    expect(own.counts).toMatchObject({ items: 5, failed: 5 });
    const task = { url: USERS.replace("users", "healed") };
    const retried = await answer<{ id: string; spec: { source: SourceSpec } }>(
      await call("POST", `/v1/runs/${own.id}/retry`, { task }),
    );
    const child = await ended(retried.body.id);
    expect(child.counts).toMatchObject({ items: 5, ok: 5 });
    const merged = await rowsOf(await call("GET", `/v1/runs/${own.id}/results?merged=true`));
    expect(merged.map((row) => [row.index, row.item, row.ok])).toEqual(
      sevens.map((n, i) => [i, String(n), true]),
    );
  });

  test("of a run that has not ended is refused", async () => {
    const { status, body } = await answer(await call("POST", "/v1/runs", specOf("r_nobody")));
    expect([status, body.error.message]).toEqual([400, "there is no run r_nobody"]);
  });
});
