import { env as bindings } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import { finishRun } from "../../src/background/finalizer.ts";
import { indexRun } from "../../src/background/indexer.ts";
import { type ReindexCursor, type Reindexed, reindex } from "../../src/background/reindexer.ts";
import type { RunView } from "../../src/core/run/runView.ts";
import type { SourceSpec } from "../../src/core/spec.ts";
import type { Env } from "../../src/objects/env.ts";
import { encodePart, partKey } from "../../src/storage/rows/parts.ts";
import { deletePrefix, recordedRuns, writeRunRecord } from "../../src/storage/runRecord.ts";
import { spec } from "../support/coreRun.ts";
import { silence } from "../support/silenced.ts";
import { answer, call, rowsOf } from "./callApi.ts";
import { fifty, SLOW, start, ended as untilEnded } from "./runsOverApi.ts";
import { type HandRun, handRun, rowOf, untilCataloged } from "./workByHand.ts";

vi.setConfig({ testTimeout: 60_000 });
silence(
  /^part runs\/r_gone_hole\/parts\/1\/0\.jsonl cannot be read: its bytes are not rows$/,
  /^run r_bare: its object is gone and it has no record that can be read: passed over$/,
);

const env = bindings as unknown as Env;
const range = (to: number): SourceSpec => ({ kind: "range", from: 0, to, step: 1 });
const FAR = () => ({ untilMs: Date.now() + 60_000 });

/** A run worked by hand, with the record that the API writes for every run. */
async function recorded(id: string, given: Parameters<typeof handRun>[2]): Promise<HandRun> {
  await writeRunRecord(env.BUCKET, {
    runId: id,
    rootId: given.rootId ?? id,
    parentRunId: given.parentRunId ?? null,
    spec: spec(given.spec),
    itemSource: given.itemSource ?? given.spec.source,
    generation: "",
    createdAtMs: Date.now(),
  });
  return handRun(env, id, given);
}

async function ended(hand: HandRun): Promise<void> {
  await indexRun(env, hand.id);
  await finishRun(env, hand.id, FAR());
  await untilCataloged(env, hand.id, "completed-with-failures");
}

/** What D1 holds, but for the instants of its snapshots. */
async function held(): Promise<unknown> {
  const queries = [
    "SELECT id, name, status, created_at, ended_at, parent, root, input_name, input_upload FROM runs ORDER BY id",
    "SELECT * FROM failures ORDER BY run, idx",
    "SELECT * FROM recoveries ORDER BY run, idx",
  ];
  const answers = await env.DB.batch(queries.map((query) => env.DB.prepare(query)));
  return answers.map((one) => one.results);
}

async function empty(): Promise<void> {
  const tables = ["runs", "failures", "recoveries", "idempotency_keys"];
  await env.DB.batch(tables.map((table) => env.DB.prepare(`DELETE FROM ${table}`)));
}

/** Nothing of earlier tests is in the way. */
async function cleanUp(): Promise<void> {
  await empty();
  await deletePrefix(env.BUCKET, "runs/");
}

/** A run of many parts, a retry of it, and a run that is still going. */
async function threeRuns(tag: string): Promise<void> {
  const root = await recorded(`r_${tag}_1`, { spec: { source: range(500), chunkSize: 2 } });
  await root.workAll((index) => index % 2 === 0);
  await ended(root);
  const child = await recorded(`r_${tag}_2`, {
    spec: { source: { kind: "failures", run: root.id, kinds: null, retry: true }, chunkSize: 100 },
    itemSource: range(500),
    rootId: root.id,
    parentRunId: root.id,
  });
  await child.workAll((index) => index > 100);
  await ended(child);
  const going = await recorded(`r_${tag}_3`, { spec: { source: range(20), chunkSize: 10 } });
  const lease = (await going.lease())!;
  await going.commit(lease, { n: 0, rows: [0, 1, 2].map((i) => rowOf(i, i === 1)), cursor: 3 });
  await indexRun(env, going.id);
  await untilCataloged(env, going.id, "running");
}

describe("reindex", () => {
  test("an emptied database holds again exactly what it held, however often it is asked", async () => {
    await cleanUp();
    await threeRuns("whole");
    const before = await held();
    await empty();
    const all = { runs: 3, parts: 250 + 3 + 1, failures: 250 + 50 + 2, next: null };
    expect(await reindex(env, null, FAR())).toEqual(all);
    expect(await held()).toEqual(before);
    expect(await reindex(env, null, FAR())).toEqual(all);
    expect(await held()).toEqual(before);
  });

  test("goes on where the call before ended, and every call moves forward", async () => {
    await cleanUp();
    await threeRuns("slices");
    const before = await held();
    await empty();
    const calls: Reindexed[] = [];
    for (let from: ReindexCursor | null = null; ; ) {
      const done: Reindexed = await reindex(env, from, { untilMs: 0 });
      expect(done.next).not.toEqual(from);
      calls.push(done);
      if (done.next === null) break;
      from = done.next;
    }
    const sum = (what: "runs" | "parts" | "failures") => calls.reduce((total, one) => total + one[what], 0);
    expect([sum("runs"), sum("parts"), sum("failures")]).toEqual([3, 254, 302]);
    expect(calls.length).toBeGreaterThan(4);
    expect(await held()).toEqual(before);
  });

  test("two at once do no harm", async () => {
    await cleanUp();
    await threeRuns("both");
    const before = await held();
    await empty();
    await Promise.all([reindex(env, null, FAR()), reindex(env, null, FAR())]);
    expect(await held()).toEqual(before);
  });

  test("a run whose object is gone is entered from its parts, call by call too", async () => {
    for (const untilMs of [Number.POSITIVE_INFINITY, 0]) {
      await cleanUp();
      const id = "r_00000000g000000000";
      const about = { runId: id, rootId: id, parentRunId: null, spec: spec({ source: range(300) }) };
      await writeRunRecord(env.BUCKET, {
        ...about,
        itemSource: range(300),
        generation: "",
        createdAtMs: 1000,
      });
      for (let n = 0; n < 150; n++) {
        const rows = [rowOf(2 * n, true), rowOf(2 * n + 1, n % 3 > 0)];
        await env.BUCKET.put(partKey(id, n % 2, Math.floor(n / 2)), encodePart(rows));
      }
      let from: ReindexCursor | null = null;
      do from = (await reindex(env, from, { untilMs })).next;
      while (from !== null);
      const { status, body } = await answer<RunView>(await call("GET", `/v1/runs/${id}`));
      expect(status).toBe(200);
      expect(body).toMatchObject({ status: "failed", counts: { done: 300, ok: 250, failed: 50 } });
      expect(body.why).toContain("object is gone");
      const accept = { accept: "application/x-ndjson" };
      const failures = await rowsOf(await call("GET", `/v1/runs/${id}/failures`, undefined, accept));
      expect(failures.map((row) => row.index)).toEqual(Array.from({ length: 50 }, (_, i) => 6 * i + 1));
      expect((await call("POST", `/v1/runs/${id}/retry`)).status).toBe(409);
      expect((await call("DELETE", `/v1/runs/${id}`)).status).toBe(204);
      expect((await call("GET", `/v1/runs/${id}`)).status).toBe(404);
    }
  });

  test("a part that cannot be read is left out, of a run whose object is gone too", async () => {
    await cleanUp();
    const hand = await recorded("r_hole", { spec: { source: range(4), chunkSize: 2 } });
    await hand.workAll(() => false);
    await ended(hand);
    await env.BUCKET.put(partKey("r_hole", 0, 0), "x");
    const record = { spec: { source: range(4) } } as Parameters<typeof recorded>[1];
    await writeRunRecord(env.BUCKET, {
      runId: "r_gone_hole",
      rootId: "r_gone_hole",
      parentRunId: null,
      spec: spec(record.spec),
      itemSource: record.spec.source,
      generation: "",
      createdAtMs: Date.now(),
    });
    await env.BUCKET.put(partKey("r_gone_hole", 0, 0), encodePart([rowOf(0, false)]));
    await env.BUCKET.put(partKey("r_gone_hole", 1, 0), "no rows");
    await empty();
    expect(await reindex(env, null, FAR())).toMatchObject({ runs: 2, next: null });
    const { results } = await env.DB.prepare("SELECT run, idx FROM failures ORDER BY run, idx").all();
    expect(results).toEqual([
      { run: "r_gone_hole", idx: 0 },
      { run: "r_hole", idx: 2 },
      { run: "r_hole", idx: 3 },
    ]);
    expect((await hand.run.view())?.unreadable).toContain("part 0 of chunk 0");
  });

  test("a record without a run, and a run without a record, are passed over", async () => {
    await cleanUp();
    const about = {
      runId: "r_never",
      rootId: "r_never",
      parentRunId: null,
      spec: spec({ source: range(3) }),
    };
    await writeRunRecord(env.BUCKET, { ...about, itemSource: range(3), generation: "", createdAtMs: 1000 });
    await env.BUCKET.put(partKey("r_bare", 0, 0), encodePart([rowOf(0, false)]));
    expect(await reindex(env, null, FAR())).toEqual({ runs: 0, parts: 0, failures: 0, next: null });
    expect(await held()).toEqual([[], [], []]);
  });

  test("finds every run that R2 holds, however many, and none twice", async () => {
    await cleanUp();
    const ids = Array.from({ length: 1005 }, (_, i) => `r_${String(i).padStart(5, "0")}`);
    await Promise.all(ids.map((id) => env.BUCKET.put(`runs/${id}/run.json`, "{}")));
    await Promise.all(ids.slice(0, 5).map((id) => env.BUCKET.put(partKey(id, 0, 0), "x")));
    const found = async (from: string | null) => {
      const seen: string[] = [];
      for await (const run of recordedRuns(env.BUCKET, from)) seen.push(run);
      return seen;
    };
    expect(await found(null)).toEqual(ids);
    expect(await found("r_00700")).toEqual(ids.slice(700));
    await cleanUp();
  });
});

describe("POST /v1/reindex", () => {
  test("after it lists, failures and retry work as before", async () => {
    await cleanUp();
    const parent = await fifty();
    const child = await answer<RunView>(await call("POST", `/v1/runs/${parent.id}/retry`));
    await untilEnded(child.body.id);
    const going = await start({ source: { kind: "items", items: ["a"] }, ...SLOW });
    await empty();

    const { status, body } = await answer<{ runs: number; parts: number; failures: number; cursor: null }>(
      await call("POST", "/v1/reindex"),
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({ runs: 3, failures: 10, cursor: null });

    const list = await answer<{ runs: RunView[] }>(await call("GET", "/v1/runs"));
    expect(list.body.runs.map((run) => run.id)).toEqual([going.id, child.body.id, parent.id]);
    const failures = async () =>
      (await answer<{ failures: { index: number }[] }>(await call("GET", `/v1/runs/${parent.id}/failures`)))
        .body.failures;
    expect((await failures()).map((row) => row.index)).toEqual([7, 17, 27, 37, 47]);
    const task = { url: "https://target.test/healed/{{item}}" };
    const healed = await answer<RunView>(await call("POST", `/v1/runs/${parent.id}/retry`, { task }));
    expect((await untilEnded(healed.body.id)).counts).toMatchObject({ items: 5, ok: 5 });
    expect(await failures()).toEqual([]);
    await call("POST", `/v1/runs/${going.id}/cancel`);
  });

  test("refuses a cursor that it never gave", async () => {
    const { status, body } = await answer(await call("POST", "/v1/reindex?cursor=r_x.1.2"));
    expect([status, body.error.path]).toEqual([400, "cursor"]);
  });
});
