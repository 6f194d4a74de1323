/** Whole runs in a real Worker while its platform misbehaves. The target answers 404 for ids that end in 7. */
import { abortAllDurableObjects, evictAllDurableObjects } from "cloudflare:test";
import { env as bindings } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { isEnded, type RunView } from "../../src/core/run/runView.ts";
import type { Env } from "../../src/objects/env.ts";
import { call, rowsOf, until } from "../edge/callApi.ts";
import { numbers, start, USERS, view } from "../edge/runsOverApi.ts";
import { silence } from "../support/silenced.ts";
import { clearUp, oneInFive, seen, unreliable, weather } from "./weather.ts";

vi.setConfig({ testTimeout: 120_000 });
// What `weather.ts` makes of a call.
silence(/(?:queue|bucket|database): (?:network connection lost|internal error, please try again)/);

const env = bindings as unknown as Env;
const ITEMS = 300;
const RUN = {
  source: { kind: "items", items: numbers(ITEMS) },
  task: { kind: "http", url: USERS },
  chunkSize: 15,
  quota: { requests: "100/s" },
};
/** Times that all objects are taken away, each at another call of the run. */
const TAKEN_AWAY = 12;
const FAILED = numbers(ITEMS).filter((id) => id.endsWith("7")).length;

/** The run at its end; `meanwhile` is done again and again until then. */
async function ended(id: string, meanwhile: () => Promise<unknown> = async () => {}): Promise<RunView> {
  return until(async () => {
    await meanwhile();
    const run = await view(id);
    return isEnded(run.status) && run;
  }, 100_000);
}

/** One row for each item, failed only where the target said so, and D1 has exactly those. */
async function expectWhole(run: RunView): Promise<void> {
  expect(run).toMatchObject({ status: "completed-with-failures", counts: { done: ITEMS, failed: FAILED } });
  const rows = await rowsOf(await call("GET", `/v1/runs/${run.id}/results`));
  expect(rows.map((row) => row.index)).toEqual(Array.from({ length: ITEMS }, (_, i) => i));
  const failed = rows.filter((row) => !row.ok);
  expect(failed.map((row) => row.item)).toEqual(numbers(ITEMS).filter((id) => id.endsWith("7")));
  expect(new Set(failed.map((row) => row.status))).toEqual(new Set([404]));
  const { results } = await env.DB.prepare("SELECT row FROM failures WHERE run = ?1 ORDER BY idx")
    .bind(run.id)
    .all<{ row: string }>();
  expect(results.map(({ row }) => JSON.parse(row))).toEqual(failed);
}

afterEach(clearUp);

describe("a run whose objects are taken away again and again while its lanes work", () => {
  test.each([
    ["aborted", abortAllDurableObjects],
    ["evicted", evictAllDurableObjects],
  ])("%s: ends with one row each", async (_, takeAway) => {
    const { id } = await start(RUN);
    let done = -1;
    let times = 0;
    const run = await ended(id, async () => {
      const { counts, status } = await view(id);
      if (counts.attempts === done || times === TAKEN_AWAY || isEnded(status)) return;
      done = counts.attempts;
      times += 1;
      await takeAway();
    });
    expect(times).toBe(TAKEN_AWAY);
    await expectWhole(run);
  });
});

describe("a run whose messages are lost, doubled and late", () => {
  test.each([1, 2])("ends with one row each (seed %i)", async (seed) => {
    weather.delivery = unreliable(seed);
    await expectWhole(await ended((await start(RUN)).id));
    expect(seen.size).toBeGreaterThan(0);
  });
});

describe("a run whose storage", () => {
  test.each([1, 2, 3])("refuses one call in five ends with one row each (seed %i)", async (seed) => {
    weather.bucket = oneInFive(seed);
    weather.database = oneInFive(seed + 100);
    const run = await ended((await start(RUN)).id);
    clearUp();
    await expectWhole(run);
  });

  test("is away for a while waits, says for what, and goes on", async () => {
    const { id } = await start(RUN);
    await until(async () => (await view(id)).counts.attempts > ITEMS / 10, 30_000);
    weather.bucket = () => "refused";
    weather.database = () => "refused";
    const waiting = await until(async () => {
      const run = await view(id);
      return run.why.includes("refuses") && run;
    }, 60_000);
    expect(waiting.why).toMatch(/^object storage refuses: .*; the lanes wait and try again$/);
    expect(waiting.status).toBe("running");
    clearUp();
    await expectWhole(await ended(id));
  });
});
