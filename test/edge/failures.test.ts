import { env as bindings } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import { finishRun } from "../../src/background/finalizer.ts";
import { indexRun } from "../../src/background/indexer.ts";
import type { RunView } from "../../src/core/run/runView.ts";
import type { SourceSpec } from "../../src/core/spec.ts";
import type { Env } from "../../src/objects/env.ts";
import { sourceRegistry } from "../../src/sources/registry.ts";
import type { SourceContext } from "../../src/sources/source.ts";
import {
  descendants,
  getRun,
  listRuns,
  runsOfInput,
  unendedRuns,
  upsertRun,
} from "../../src/storage/index/catalog.ts";
import { deleteFailures, indexPart } from "../../src/storage/index/failures.ts";
import { claimIdempotencyKey, releaseIdempotencyKey } from "../../src/storage/index/idempotency.ts";
import { listFailures, summariseFailures } from "../../src/storage/index/stillFailed.ts";
import { type HandRun, handRun, rowOf, untilCataloged } from "./workByHand.ts";

vi.setConfig({ testTimeout: 30_000 });

const env = bindings as unknown as Env;
const context: SourceContext = { env, run: "r_test", count: () => {} };
const range = (to: number): SourceSpec => ({ kind: "range", from: 0, to, step: 1 });

/** Indexes, joins and waits until the catalog knows the end. */
async function ended(hand: HandRun, status: string): Promise<void> {
  await indexRun(env, hand.id);
  await finishRun(env, hand.id, { untilMs: Date.now() + 60_000 });
  await untilCataloged(env, hand.id, status);
}

async function pin(
  run: string,
  kinds: readonly string[] | null = null,
): Promise<{ source: SourceSpec; items: number | null }> {
  const pinned = await sourceRegistry.failures!.pin({ kind: "failures", run, kinds, retry: true }, context);
  return { source: pinned.settings, items: pinned.items };
}

async function retryOf(parent: HandRun, root: HandRun, id: string, items: number): Promise<HandRun> {
  const { source, items: found } = await pin(parent.id);
  expect(found).toBe(items);
  const given = { source, chunkSize: 4 };
  return handRun(env, id, { spec: given, itemSource: range(20), rootId: root.id, parentRunId: parent.id });
}

const failedOf = async (run: string, own = false) =>
  (await listFailures(env.DB, { run, own, limit: 1000 })).lines.map((line) => JSON.parse(line).index);

describe("what is still failed", () => {
  test("is what no later ended run of the family settled", async () => {
    const root = await handRun(env, "r_root", { spec: { source: range(20), chunkSize: 6 } });
    await root.workAll((index) => index % 2 === 0);
    await ended(root, "completed-with-failures");
    expect(await failedOf("r_root")).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);

    const child = await retryOf(root, root, "r_child", 10);
    expect((await child.run.ledger(-1, 10)).map((row) => [row.first, row.count])).toEqual([
      [1, 4],
      [9, 4],
      [17, 2],
    ]);
    await child.workAll((index) => index > 5);
    await indexRun(env, "r_child");
    expect(await failedOf("r_root")).toHaveLength(10);
    await ended(child, "completed-with-failures");
    expect(await failedOf("r_root")).toEqual([1, 3, 5]);
    expect(await failedOf("r_root", true)).toHaveLength(10);
    expect(await failedOf("r_child")).toEqual([1, 3, 5]);

    const again = await retryOf(root, root, "r_again", 3);
    await again.workAll((index) => index !== 3);
    await ended(again, "completed-with-failures");
    expect(await failedOf("r_root")).toEqual([3]);
    expect(await failedOf("r_child")).toEqual([1, 3, 5]);

    await deleteFailures(env.DB, "r_again");
    await env.DB.prepare("DELETE FROM runs WHERE id = 'r_again'").run();
    expect(await failedOf("r_root")).toEqual([1, 3, 5]);
  });

  test("indexing again changes nothing, and a page ends where the next begins", async () => {
    const run = await handRun(env, "r_pages", { spec: { source: range(20), chunkSize: 20 } });
    await run.workAll((index) => index === 7);
    const parts = await run.run.unindexed(10);
    await indexRun(env, "r_pages");
    expect(await run.run.unindexed(10)).toEqual([]);
    const settings = (await run.run.settings())!;
    for (const part of parts) await indexPart(env, settings, part);
    const seen: number[] = [];
    let cursor: string | null = null;
    do {
      const page = await listFailures(env.DB, { run: "r_pages", limit: 6, cursor });
      seen.push(...page.lines.map((line) => JSON.parse(line).index));
      cursor = page.cursor;
    } while (cursor !== null);
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i).filter((i) => i !== 7));
  });

  test.each([
    ["missing", null],
    ["cut", (text: string) => text.slice(0, -20)],
    ["flipped", (text: string) => text.replace('"ok":false', '"ok":fals\u0001')],
  ] as const)("a part with failures that is %s holds no run in indexing", async (how, change) => {
    const id = `r_bad_${how}`;
    const hand = await handRun(env, id, { spec: { source: range(6), chunkSize: 2 } });
    await hand.workAll((index) => index % 2 === 0);
    const parts = await hand.run.partsInOrder(null, 3);
    const { key } = parts[1]!;
    const text = (await (await env.BUCKET.get(key))?.text()) ?? "";
    if (change === null) await env.BUCKET.delete(key);
    else await env.BUCKET.put(key, change(text));
    await indexRun(env, id);
    expect(await hand.run.unindexed(10)).toEqual([]);
    expect((await hand.run.view())?.unreadable).toContain("part 0 of chunk 1 cannot be read");
    await finishRun(env, id, { untilMs: Date.now() + 60_000 });
    await untilCataloged(env, id, "failed");
    expect(await failedOf(id)).toEqual([1, 5]);
  });

  test("rows are kept to the digit, and kinds are told apart", async () => {
    const run = await handRun(env, "r_kinds", { spec: { source: range(3), chunkSize: 3 } });
    const lease = (await run.lease())!;
    const big = `{"index":1,"item":12345678901234567890,"ok":false,"attempts":0,"throttles":20,"error":{"kind":"throttled","message":"a \\"b\\"","retryable":true}}`;
    const rows = [rowOf(0, true), { index: 1, ok: false, line: big }, rowOf(2, false)];
    await run.commit(lease, { n: 0, rows, cursor: 3 });
    await indexRun(env, "r_kinds");
    const throttled = await listFailures(env.DB, { run: "r_kinds", limit: 10, kinds: ["throttled"] });
    expect(throttled).toEqual({ lines: [big], cursor: null });
    expect(await listFailures(env.DB, { run: "r_kinds", limit: 10, kinds: ["timeout"] })).toEqual({
      lines: [],
      cursor: null,
    });
    await ended(run, "completed-with-failures");
    expect((await pin("r_kinds", ["throttled"])).items).toBe(1);
  });

  test("the summary groups by kind and message without ids, the largest first", async () => {
    const run = await handRun(env, "r_summary", { spec: { source: range(9), chunkSize: 9 } });
    const lease = (await run.lease())!;
    const rows = Array.from({ length: 9 }, (_, i) =>
      rowOf(i, false, i < 2 ? "410 Gone" : `404 Not Found: no user i${i}`),
    );
    await run.commit(lease, { n: 0, rows, cursor: 9 });
    await indexRun(env, "r_summary");
    expect(await summariseFailures(env.DB, { run: "r_summary" })).toEqual([
      {
        kind: "http",
        message: "404 Not Found: no user …",
        count: 7,
        samples: [2, 3, 4].map((index) => ({ index, item: `i${index}` })),
      },
      {
        kind: "http",
        message: "410 Gone",
        count: 2,
        samples: [0, 1].map((index) => ({ index, item: `i${index}` })),
      },
    ]);
  });

  test("a retry of a cancelled run takes its failures and what never got a row", async () => {
    const run = await handRun(env, "r_cut", { spec: { source: range(20), chunkSize: 8 } });
    const lease = (await run.lease())!;
    const rows = [0, 1, 3, 4].map((index) => rowOf(index, index !== 3));
    await run.commit(lease, { n: 0, rows, cursor: 5, open: [2] });
    await run.handBack();
    await run.run.cancel();
    await ended(run, "cancelled");

    const child = await retryOf(run, run, "r_cut_1", 17);
    const chunks = await Promise.all([0, 1, 2, 3, 4].map((chunk) => child.run.chunk(chunk)));
    expect(
      chunks.flatMap(
        (chunk) =>
          chunk?.indexes ?? Array.from({ length: chunk?.count ?? 0 }, (_, i) => (chunk?.first ?? 0) + i),
      ),
    ).toEqual([2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    for (let i = 0; i < 3; i++) {
      const one = (await child.lease())!;
      const all = one.work.indexes ?? [0, 1, 2, 3].map((at) => one.work.first + at);
      await child.commit(one, {
        n: 0,
        rows: all.map((index) => rowOf(index, index !== 9)),
        cursor: all.length,
      });
    }
    await child.handBack();
    await child.run.cancel();
    await ended(child, "cancelled");
    const rest = await retryOf(run, run, "r_cut_2", 6);
    await rest.workAll(() => true);
    await ended(rest, "completed");
    expect(await failedOf("r_cut")).toEqual([]);
    expect((await pin("r_cut")).items).toBe(0);
  });

  test("a run that has not ended, or is not there, has no failures to retry", async () => {
    await handRun(env, "r_going", { spec: { source: range(3) } });
    await untilCataloged(env, "r_going", "running");
    await expect(pin("r_going")).rejects.toMatchObject({
      path: "source.run",
      message: "run r_going has not ended",
    });
    await expect(pin("r_nowhere")).rejects.toThrow("there is no run r_nowhere");
  });
});

describe("the catalog", () => {
  const snapshot = (id: string, change: Partial<RunView> = {}) =>
    ({
      id,
      name: null,
      status: "running",
      createdAt: "2026-11-21T12:00:00.000Z",
      endedAt: null,
      parentRunId: null,
      ...change,
    }) as RunView;
  const extra = (atMs: number, itemSource: SourceSpec = range(1)) => ({ root: "r_x", itemSource, atMs });

  test("an older snapshot never replaces a newer one", async () => {
    await upsertRun(
      env.DB,
      snapshot("c_1", { status: "completed", endedAt: "2026-11-21T12:01:00.000Z" }),
      extra(2000),
    );
    await upsertRun(env.DB, snapshot("c_1", { status: "planning" }), extra(1000));
    expect((await getRun(env.DB, "c_1"))?.status).toBe("completed");
    await upsertRun(env.DB, snapshot("c_1", { status: "running" }), extra(3000));
    expect((await getRun(env.DB, "c_1"))?.status).toBe("running");
    expect(await unendedRuns(env.DB, 1000)).toContain("c_1");
  });

  test("lists the newest run first, page by page, and by status", async () => {
    for (let i = 0; i < 5; i++) {
      const createdAt = `2027-01-01T00:00:0${Math.floor(i / 2)}.000Z`;
      await upsertRun(
        env.DB,
        snapshot(`p_${i}`, { createdAt, status: i === 1 ? "paused" : "running" }),
        extra(1),
      );
    }
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await listRuns(env.DB, { limit: 2, cursor });
      seen.push(...page.runs.map((run) => run.id));
      cursor = page.cursor;
    } while (cursor !== null && seen.length < 5);
    expect(seen.slice(0, 5)).toEqual(["p_4", "p_3", "p_2", "p_1", "p_0"]);
    const paused = await listRuns(env.DB, { status: "paused", limit: 10 });
    expect(paused.runs.map((run) => run.id)).toEqual(["p_1"]);
    expect(paused.cursor).toBeNull();
  });

  test("a page holds a bounded number of bytes and still moves on", async () => {
    const why = "x".repeat(1_500_000);
    for (let i = 0; i < 4; i++)
      await upsertRun(env.DB, snapshot(`l_${i}`, { createdAt: "2028-01-01T00:00:00.000Z", why }), extra(1));
    const first = await listRuns(env.DB, { limit: 4 });
    expect(first.runs.map((run) => run.id)).toEqual(["l_3", "l_2", "l_1"]);
    const second = await listRuns(env.DB, { limit: 1, cursor: first.cursor });
    expect(second.runs.map((run) => run.id)).toEqual(["l_0"]);
    await env.DB.prepare("DELETE FROM runs WHERE id LIKE 'l_%'").run();
  });

  test("knows which runs read an input and who descends from whom", async () => {
    const source: SourceSpec = { kind: "input", name: "ids.txt", format: "lines", upload: "abcdefgh" };
    await upsertRun(env.DB, snapshot("d_0"), extra(1, source));
    await upsertRun(env.DB, snapshot("d_1", { parentRunId: "d_0", status: "failed" }), extra(1, source));
    await upsertRun(env.DB, snapshot("d_2", { parentRunId: "d_1" }), extra(1, source));
    expect(await runsOfInput(env.DB, "ids.txt")).toEqual([
      { id: "d_0", upload: "abcdefgh", ended: false },
      { id: "d_1", upload: "abcdefgh", ended: true },
      { id: "d_2", upload: "abcdefgh", ended: false },
    ]);
    expect(await descendants(env.DB, "d_0")).toMatchObject([
      { id: "d_1", ended: true },
      { id: "d_2", ended: false },
    ]);
    expect(await descendants(env.DB, "d_2")).toEqual([]);
  });
});

describe("an idempotency key", () => {
  const claim = (run: string, bodySha256 = "same") =>
    claimIdempotencyKey(env.DB, { key: "k", bodySha256, run, createdAt: "2026-11-21T12:00:00.000Z" });

  test("belongs to its first run: the same body finds it, another body is told so", async () => {
    expect(await claim("r_1")).toEqual({ kind: "new" });
    expect(await claim("r_1")).toEqual({ kind: "new" });
    expect(await claim("r_2")).toEqual({ kind: "same", run: "r_1" });
    expect(await claim("r_3", "another")).toEqual({ kind: "other" });
    await releaseIdempotencyKey(env.DB, { key: "k", run: "r_1" });
    expect(await claim("r_3", "another")).toEqual({ kind: "new" });
  });
});
