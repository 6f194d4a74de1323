import { env as bindings } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import { finishRun } from "../../src/background/finalizer.ts";
import { planRun } from "../../src/background/planner.ts";
import { OBJECT_PART_BYTES, UNREADABLE_PARTS_KEPT } from "../../src/core/limits.ts";
import type { Env } from "../../src/objects/env.ts";
import type { PartRow } from "../../src/storage/rows/parts.ts";
import { deletePrefix, deleteRunObjects, resultsKey, writeRunRecord } from "../../src/storage/runRecord.ts";
import { GENERATION, type HandRun, handRun, rowOf } from "./workByHand.ts";

vi.setConfig({ testTimeout: 60_000 });

const env = bindings as unknown as Env;
const range = (to: number) => ({ kind: "range", from: 0, to, step: 1 });
const results = async (run: string) => (await (await env.BUCKET.get(resultsKey(run)))?.text()) ?? null;
const textOf = (rows: readonly PartRow[]) => rows.map((row) => `${row.line}\n`).join("");

/** A row of more than 1 MB: so that few of them make several parts of an object. */
const largeRow = (index: number): PartRow => {
  const value = String.fromCharCode(97 + index).repeat(1_100_000);
  return { index, ok: true, line: rowOf(index, true).line.replace('"value":null', `"value":"${value}"`) };
};

/** Twelve large rows in parts of one row, the last chunk's first item late. */
async function largeRun(id: string): Promise<{ hand: HandRun; text: string }> {
  const hand = await handRun(env, id, { spec: { source: range(12), chunkSize: 4 } });
  for (let chunk = 0; chunk < 3; chunk++) {
    const lease = (await hand.lease())!;
    const first = lease.work.first;
    const order = chunk === 2 ? [1, 2, 3, 0] : [0, 1, 2, 3];
    for (const [n, at] of order.entries()) {
      const done = order.slice(0, n + 1);
      const cursor = Math.max(...done) + 1;
      const open = Array.from({ length: cursor }, (_, i) => i).filter((i) => !done.includes(i));
      await hand.commit(lease, { n, rows: [largeRow(first + at)], cursor, open });
    }
  }
  return { hand, text: textOf(Array.from({ length: 12 }, (_, i) => largeRow(i))) };
}

describe("the end of a run", () => {
  test("joins its rows in item order and says how many", async () => {
    const hand = await handRun(env, "f_small", { spec: { source: range(10), chunkSize: 5 } });
    const lease = (await hand.lease())!;
    const ok = (indexes: number[]) => indexes.map((index) => rowOf(index, true));
    await hand.commit(lease, { n: 0, rows: ok([0, 2, 3]), cursor: 4, open: [1] });
    await hand.commit(lease, { n: 1, rows: ok([1, 4]), cursor: 5 });
    await hand.workAll(() => true);
    expect((await hand.run.view())?.status).toBe("finishing");
    await finishRun(env, "f_small", { untilMs: Date.now() + 10_000 });
    expect((await hand.run.view())?.status).toBe("completed");
    expect(await results("f_small")).toBe(textOf(ok([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])));
  });

  test("is on the run's account: each part read, and the object written", async () => {
    const hand = await handRun(env, "f_account", { spec: { source: range(10), chunkSize: 5 } });
    await hand.workAll(() => true);
    const before = (await hand.run.view())!.operations;
    await finishRun(env, "f_account", { untilMs: Date.now() + 10_000 });
    const { operations } = (await hand.run.view())!;
    expect(operations.r2ClassB - before.r2ClassB).toBe(2);
    expect(operations.r2ClassA - before.r2ClassA).toBe(1);
    expect(operations.object - before.object).toBeGreaterThan(3);
  });

  test("a run without a row ends with an empty object", async () => {
    const hand = await handRun(env, "f_none", { spec: { source: range(3) } });
    await hand.run.cancel();
    await finishRun(env, "f_none", { untilMs: Date.now() + 10_000 });
    expect((await hand.run.view())?.status).toBe("cancelled");
    expect(await results("f_none")).toBe("");
  });

  test("goes on where the slice before ended, and every slice moves forward", async () => {
    const { hand, text } = await largeRun("f_slices");
    let slices = 0;
    let sent = 0;
    while ((await hand.run.view())?.status === "finishing") {
      await finishRun(env, "f_slices", { untilMs: 0 });
      slices++;
      const { state } = (await hand.run.finishFrom()) ?? { state: null };
      if (state === null) break;
      const etags = JSON.parse(state).upload.etags.length;
      expect(etags).toBeGreaterThan(sent);
      sent = etags;
    }
    expect(slices).toBeGreaterThan(1);
    expect(slices).toBeLessThanOrEqual(Math.ceil(text.length / OBJECT_PART_BYTES) + 1);
    expect((await results("f_slices")) === text).toBe(true);
  });

  test("begins again when its upload is gone", async () => {
    const { hand, text } = await largeRun("f_gone");
    await finishRun(env, "f_gone", { untilMs: 0 });
    const { upload } = JSON.parse((await hand.run.finishFrom())!.state!);
    await env.BUCKET.resumeMultipartUpload(resultsKey("f_gone"), upload.uploadId).abort();
    const far = { untilMs: Date.now() + 60_000 };
    await finishRun(env, "f_gone", far);
    expect((await hand.run.view())?.status).toBe("finishing");
    await finishRun(env, "f_gone", far);
    expect((await hand.run.view())?.status).toBe("completed");
    expect((await results("f_gone")) === text).toBe(true);
  });

  test("two joins at once make one whole object", async () => {
    const { hand, text } = await largeRun("f_both");
    const far = { untilMs: Date.now() + 60_000 };
    await finishRun(env, "f_both", { untilMs: 0 });
    await Promise.allSettled([finishRun(env, "f_both", far), finishRun(env, "f_both", far)]);
    for (let i = 0; i < 3; i++) await finishRun(env, "f_both", far);
    expect((await hand.run.view())?.status).toBe("completed");
    expect((await results("f_both")) === text).toBe(true);
  });

  test.each([
    ["it is missing", null],
    ["it has 3 bytes", () => "cut"],
    ["its bytes are not those that were written", (text: string) => text.replace('"index":0', '"index":1')],
  ] as const)(
    "a part that cannot be read (%s) fails the run, which says so and keeps the other rows",
    async (problem, change) => {
      const id = `f_hole_${problem.length}`;
      const hand = await handRun(env, id, { spec: { source: range(4), chunkSize: 2 } });
      await hand.workAll(() => true);
      const [part] = await hand.run.partsInOrder(null, 1);
      const text = (await (await env.BUCKET.get(part!.key))?.text()) ?? "";
      if (change === null) await env.BUCKET.delete(part!.key);
      else await env.BUCKET.put(part!.key, change(text));
      const far = { untilMs: Date.now() + 60_000 };
      await finishRun(env, id, far);
      expect(await hand.run.view()).toMatchObject({
        status: "failed",
        why: expect.stringContaining(problem),
        unreadable: expect.stringContaining("part 0 of chunk 0 cannot be read"),
      });
      expect(await results(id)).toBe(textOf([2, 3].map((index) => rowOf(index, true))));
    },
  );

  test("parts that cannot be read are left out in one join, and named by the first and their number", async () => {
    const hand = await handRun(env, "f_holes", { spec: { source: range(12), chunkSize: 2 } });
    await hand.workAll(() => true);
    const parts = await hand.run.partsInOrder(null, 10);
    await env.BUCKET.delete([1, 2, 4].map((i) => parts[i]!.key));
    await finishRun(env, "f_holes", { untilMs: Date.now() + 60_000 });
    expect((await hand.run.view())?.why).toContain("part 0 of chunk 1 (and 2 others) cannot be read");
    expect(await results("f_holes")).toBe(textOf([0, 1, 6, 7, 10, 11].map((index) => rowOf(index, true))));
  });

  test("a part put back is joined once the run is resumed", async () => {
    const hand = await handRun(env, "f_back", { spec: { source: range(4), chunkSize: 2 } });
    await hand.workAll(() => true);
    const [part] = await hand.run.partsInOrder(null, 1);
    const bytes = await (await env.BUCKET.get(part!.key))!.bytes();
    await env.BUCKET.delete(part!.key);
    const far = { untilMs: Date.now() + 60_000 };
    await finishRun(env, "f_back", far);
    expect((await hand.run.view())?.status).toBe("failed");
    await env.BUCKET.put(part!.key, bytes);
    await hand.run.resume(GENERATION);
    await finishRun(env, "f_back", far);
    const ended = await hand.run.view();
    expect(ended).toMatchObject({ status: "completed" });
    expect(ended?.unreadable).toBeUndefined();
    expect(await results("f_back")).toBe(textOf([0, 1, 2, 3].map((index) => rowOf(index, true))));
  });

  test("a part that is lost after its rows were sent makes the join begin again without it", async () => {
    const { hand } = await largeRun("f_late");
    await finishRun(env, "f_late", { untilMs: 0 });
    const { mark, upload } = JSON.parse((await hand.run.finishFrom())!.state!);
    expect(upload.etags.length).toBeGreaterThan(0);
    const parts = await hand.run.partsInOrder(mark.after, 1);
    await env.BUCKET.delete(parts[0]!.key);
    const far = { untilMs: Date.now() + 60_000 };
    await finishRun(env, "f_late", far);
    await finishRun(env, "f_late", far);
    const lost = parts[0]!.firstIndex;
    const left = Array.from({ length: 12 }, (_, i) => i).filter((i) => i !== lost);
    expect((await hand.run.view())?.status).toBe("failed");
    expect((await results("f_late")) === textOf(left.map(largeRow))).toBe(true);
  });

  test("a run whose parts are all lost ends too, with nothing joined", async () => {
    const items = UNREADABLE_PARTS_KEPT + 1;
    const hand = await handRun(env, "f_lost", { spec: { source: range(items), chunkSize: 1 } });
    await hand.workAll(() => true);
    await deletePrefix(env.BUCKET, "runs/f_lost/parts/");
    await finishRun(env, "f_lost", { untilMs: Date.now() + 60_000 });
    expect(await hand.run.view()).toMatchObject({
      status: "failed",
      why: expect.stringContaining("(and 99 others or more)"),
    });
    expect(await results("f_lost")).toBeNull();
  });

  test("its objects can be removed, however often this is asked", async () => {
    await env.BUCKET.put("runs/f_other/run.json", "{}");
    const keys = Array.from({ length: 1005 }, (_, i) => `runs/f_removed/parts/0/${i}.jsonl`);
    await Promise.all(keys.map((key) => env.BUCKET.put(key, "x")));
    const run = { runId: "f_removed", rootId: "f_removed", parentRunId: null } as Parameters<
      typeof writeRunRecord
    >[1];
    await writeRunRecord(env.BUCKET, run);
    await deleteRunObjects(env.BUCKET, "f_removed");
    await deleteRunObjects(env.BUCKET, "f_removed");
    expect((await env.BUCKET.list({ prefix: "runs/f_removed/" })).objects).toEqual([]);
    expect(await env.BUCKET.head("runs/f_other/run.json")).not.toBeNull();
    // Files share the storage: a reindex elsewhere would find it.
    await env.BUCKET.delete("runs/f_other/run.json");
  });
});

describe("planning", () => {
  test("a source that is not there fails the run, which says why", async () => {
    const source = { kind: "input", name: "gone.txt", format: "lines", upload: "abcdefgh" };
    const hand = await handRun(env, "f_noinput", { spec: { source } });
    await finishRun(env, "f_noinput", { untilMs: Date.now() + 10_000 });
    expect(await hand.run.view()).toMatchObject({
      status: "failed",
      why: expect.stringContaining("gone.txt"),
    });
  });

  test("two planners at once add every chunk once", async () => {
    const hand = await handRun(env, "f_planned", { spec: { source: range(5000), chunkSize: 2 } });
    await Promise.all([planRun(env, "f_planned"), planRun(env, "f_planned")]);
    expect((await hand.run.view())?.chunks.total).toBe(2500);
    expect((await hand.run.view())?.counts.items).toBe(5000);
  });
});
