/** Calls that carry several items: split down to the refused one, results to their items, a row for each. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  afterRefusal,
  callsToIsolate,
  findResults,
  type Groups,
  itemsPerCall,
} from "../../src/core/batch.ts";
import { jsonAt, pointerSteps } from "../../src/core/jsonPointer.ts";
import { estimatePlan } from "../../src/core/plan/estimate.ts";
import type { Json } from "../../src/core/spec.ts";
import { parseSpec } from "../../src/runSpec/schema.ts";
import type { BatchOutcome, TaskOutcome } from "../../src/tasks/task.ts";
import { LaneWorld, type WorldOptions } from "../support/laneWorld.ts";
import { OpenPermits, type Server, startServer, tryBatch } from "../support/oneTry.ts";

const OK: TaskOutcome = { kind: "ok", value: null, status: 200 };
const BAD: BatchOutcome = {
  kind: "whole",
  outcome: { kind: "permanent", errorKind: "http", message: "400 Bad Request", status: 400, called: true },
};
const each = (indexes: readonly number[]): BatchOutcome => ({
  kind: "each",
  outcomes: indexes.map(() => OK),
});

describe("a refused group", () => {
  test("is halved until every bad item stands alone: each item concluded once, calls within the bound", () => {
    const group = fc
      .integer({ min: 1, max: 300 })
      .chain((size) =>
        fc.tuple(fc.constant(size), fc.uniqueArray(fc.nat(size - 1), { maxLength: Math.min(size, 12) })),
      );
    fc.assert(
      fc.property(group, ([size, bad]) => {
        let groups: Groups<number> = [Array.from({ length: size }, (_, i) => i)];
        const concluded: number[] = [];
        let calls = 0;
        while (groups.length > 0) {
          const [next = [], ...rest] = groups;
          calls += 1;
          const isRefused = next.some((item) => bad.includes(item));
          if (isRefused && next.length > 1) groups = afterRefusal(next, rest);
          else {
            concluded.push(...next);
            groups = rest;
          }
        }
        expect(concluded).toEqual(Array.from({ length: size }, (_, i) => i));
        expect(calls).toBeLessThanOrEqual(callsToIsolate(size, bad.length));
      }),
    );
  });
});

describe("a plan of batches", () => {
  test("reckons with as many items a call as fit into batch and chunk", () => {
    const perCall = (batch: number | undefined, chunkSize: number) =>
      itemsPerCall({ task: { kind: "http", ...(batch === undefined ? {} : { batch }) }, chunkSize });
    expect([perCall(undefined, 1000), perCall(100, 1000), perCall(100, 30)]).toEqual([1, 100, 30]);
    const given = { items: 100_000, chunkSize: 1000, maxParallelism: 100, ratePerSecond: 10 };
    expect(estimatePlan({ ...given, perCall: 100 }).etaSeconds).toBe(101);
  });
});

describe("results of an answer", () => {
  const items: Json[] = [{ id: "a" }, { id: 7 }, { id: "c" }];
  const find = (answer: Json, at: string, match: { item: string; result: string } | null = null) =>
    findResults(answer, items, {
      at: pointerSteps(at),
      match: match && { item: pointerSteps(match.item), result: pointerSteps(match.result) },
    });
  const byId = { item: "/id", result: "/key" };

  test.each<[string, ReturnType<typeof find>, unknown]>([
    ["in order", find([1, 2, 3], ""), [1, 2, 3]],
    ["in order, below a pointer", find({ out: { "a/b": [1, null, 3] } }, "/out/a~1b"), [1, null, 3]],
    [
      "by key of a list, in any order",
      find([{ key: "c" }, { key: "7" }], "", byId),
      [undefined, { key: "7" }, { key: "c" }],
    ],
    ["by key of an object", find({ at: { a: 1, "7": 2 } }, "/at", byId), [1, 2, undefined]],
  ])("%s", (_, found, results) => {
    expect(found).toEqual({ kind: "found", results });
  });

  test.each([
    [find([1, 2], ""), "the answer has 2 results for 3 items at its root"],
    [find({ out: {} }, "/out"), "the answer has no list at /out"],
    [find({}, "/out", byId), "the answer has no list and no object at /out"],
  ])("that do not fit are refused: %j", (found, message) => {
    expect(found).toEqual({ kind: "misfit", message });
  });

  test("nothing stands beyond a value's end", () => {
    expect(jsonAt({ a: null }, ["a", "b"])).toBeUndefined();
    expect(jsonAt(["x"], ["0"])).toBe("x");
  });
});

describe("lanes that send batches", () => {
  const RETRY = { maxAttempts: 3, baseDelayMs: 100, maxDelayMs: 400, maxThrottles: 4 };
  const world = (options: Partial<WorldOptions>) =>
    new LaneWorld({
      items: 400,
      batch: 20,
      ...options,
      spec: { chunkSize: 50, maxParallelism: 8, retry: RETRY, ...options.spec },
    });
  const rowsOf = (made: LaneWorld) =>
    made
      .rows()
      .map(
        (row) => JSON.parse(row.line) as { index: number; ok: boolean; attempts: number; throttles: number },
      );
  const expectOneRowEach = (made: LaneWorld) => {
    const indexes = rowsOf(made).map((row) => row.index);
    expect(indexes.sort((a, b) => a - b)).toEqual(Array.from({ length: 400 }, (_, i) => i));
    expect(made.run.state.counts.done).toBe(400);
  };

  test("make one call for as many items as fit, never across chunks", async () => {
    const made = world({});
    made.keep(2);
    await made.untilEnded();
    expectOneRowEach(made);
    expect(made.calls).toHaveLength(8 * 3);
    for (const { indexes } of made.calls)
      expect(new Set(indexes.map((i) => Math.floor(i / 50))).size).toBe(1);
    expect(rowsOf(made).every((row) => row.attempts === 1)).toBe(true);
  });

  test("fail the bad items alone, whichever they are, and spend no attempt of the others", async () => {
    const bad = fc.uniqueArray(fc.nat(399), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(bad, fc.integer({ min: 1, max: 1000 }), async (poison, seed) => {
        const isBad = new Set(poison);
        const made = world({
          seed,
          batchOutcome: (indexes) => (indexes.some((i) => isBad.has(i)) ? BAD : each(indexes)),
        });
        made.keep(2);
        await made.untilEnded();
        expectOneRowEach(made);
        const rows = rowsOf(made);
        expect(
          rows
            .filter((row) => !row.ok)
            .map((row) => row.index)
            .sort((a, b) => a - b),
        ).toEqual(poison.sort((a, b) => a - b));
        expect(rows.every((row) => row.attempts === 1)).toBe(true);
        expect(made.calls.length).toBeLessThanOrEqual(24 + poison.length * (callsToIsolate(20, 1) - 1));
      }),
      { numRuns: 25 },
    );
  });

  test("have an item that was throttled or is not ready wait alone, and spend no attempt of it", async () => {
    const slow: TaskOutcome = { kind: "throttled", message: "429", status: 429, retryAfterMs: null };
    const pending: TaskOutcome = { kind: "again", message: "423 Locked", status: 423, retryAfterMs: null };
    const seen = new Map<number, number>();
    const outcomeOf = (index: number): TaskOutcome => {
      const n = (seen.get(index) ?? 0) + 1;
      seen.set(index, n);
      if (n > 2 || index % 10 > 1) return { kind: "ok", value: index };
      return index % 10 === 0 ? slow : pending;
    };
    const made = world({ batchOutcome: (indexes) => ({ kind: "each", outcomes: indexes.map(outcomeOf) }) });
    made.keep(2);
    await made.untilEnded();
    expectOneRowEach(made);
    expect(rowsOf(made).every((row) => row.ok && row.attempts === 1)).toBe(true);
    expect(rowsOf(made).filter((row) => row.throttles === 2)).toHaveLength(40);
    expect([...seen.values()].filter((n) => n === 1)).toHaveLength(320);
  });

  test("slow the run down where all items of a call were throttled, and not for one of them", async () => {
    const slow: TaskOutcome = { kind: "throttled", message: "429", status: 429, retryAfterMs: null };
    const throttledBy = async (isSlow: (index: number) => boolean): Promise<number> => {
      const seen = new Set<number>();
      const outcomeOf = (index: number): TaskOutcome => {
        if (seen.has(index) || !isSlow(index)) return { kind: "ok", value: index };
        seen.add(index);
        return slow;
      };
      const made = world({ batchOutcome: (indexes) => ({ kind: "each", outcomes: indexes.map(outcomeOf) }) });
      made.keep(2);
      await made.untilEnded();
      expectOneRowEach(made);
      return made.run.state.counts.throttled;
    };
    expect(await throttledBy((index) => index % 20 === 0)).toBe(0);
    expect(await throttledBy(() => true)).toBeGreaterThan(0);
  });

  test("send a throttled or failed call again whole, and count its tries for every item", async () => {
    const outcomes: BatchOutcome[] = [
      { kind: "whole", outcome: { kind: "throttled", message: "429", status: 429, retryAfterMs: null } },
      {
        kind: "whole",
        outcome: { kind: "transient", errorKind: "http", message: "502", status: 502, retryAfterMs: null },
      },
    ];
    const made = world({
      spec: { maxParallelism: 1 },
      batchOutcome: (indexes, n) => outcomes[n - 1] ?? each(indexes),
    });
    made.keep(1);
    await made.untilEnded();
    expectOneRowEach(made);
    expect(made.calls).toHaveLength(24 + 2);
    const again = made.calls.filter(({ indexes }) => indexes[0] === 0);
    expect(again.map(({ indexes }) => indexes.length)).toEqual([20, 20]);
    expect(rowsOf(made).find((row) => row.index === 3)).toMatchObject({
      ok: true,
      attempts: 1,
      throttles: 1,
    });
    expect(rowsOf(made).find((row) => row.index === 23)).toMatchObject({
      ok: true,
      attempts: 2,
      throttles: 0,
    });
  });

  test("lose and double nothing when lanes die, parts are adopted and calls fail at random", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 10_000 }), async (seed) => {
        let random = seed;
        const dice = () => {
          random = (random * 48271) % 2147483647;
          return random / 2147483647;
        };
        const outcome = (indexes: readonly number[]): BatchOutcome => {
          const roll = dice();
          if (roll < 0.1)
            return { kind: "whole", outcome: { kind: "throttled", message: "429", retryAfterMs: null } };
          if (indexes.some((i) => i % 97 === 5)) return BAD;
          return each(indexes);
        };
        const made = world({ seed, spec: { leaseTtlMs: 30_000 } as object, batchOutcome: outcome });
        made.keep(3, 2000);
        await made.time.runUntil(() => made.calls.length > 8, 60_000);
        made.kill(0);
        made.kill(1);
        made.keep(2, 5000);
        await made.time.runUntil(() => made.run.state.counts.done === 400, 600_000);
        expectOneRowEach(made);
      }),
      { numRuns: 15 },
    );
  });
});

describe("one http call for several items", () => {
  const task = (server: Server, more: Record<string, Json>) => ({
    kind: "http",
    url: `${server.origin}/bulk`,
    body: { vectors: "{{items}}" },
    batch: 10,
    ...more,
  });
  const served = async <T>(body: Json, use: (server: Server) => Promise<T>): Promise<T> => {
    const server = await startServer((_, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(body));
    });
    return use(server).finally(() => server.close());
  };

  test("carries them as a list, takes one permit and gives each its result", async () => {
    await served({ results: [{ ok: true }, { ok: false, error: "too long" }] }, async (server) => {
      const permits = new OpenPermits();
      const settings = { results: "/results", failWhen: { pointer: "/ok", equals: false } };
      const outcome = await tryBatch(task(server, settings), [{ id: 1 }, { id: 2 }], { permits });
      expect(outcome).toEqual({
        kind: "each",
        outcomes: [
          { kind: "ok", value: { ok: true }, status: 200 },
          {
            kind: "permanent",
            errorKind: "http",
            message: "the answer has false at /ok: too long",
            detail: '{"ok":false,"error":"too long"}',
            status: 200,
            called: true,
          },
        ],
      });
      expect(permits.used).toBe(1);
      expect(JSON.parse(server.arrivals[0]?.body ?? "")).toEqual({ vectors: [{ id: 1 }, { id: 2 }] });
    });
  });

  test("writes each item by its own template, and fails one with a hole alone", async () => {
    await served({ a: 1, c: 3 }, async (server) => {
      const settings = {
        each: { id: "{{item.id}}", text: "v: {{item.v}}" },
        results: "",
        match: { item: "/id" },
        idempotencyHeader: "Idempotency-Key",
      };
      const items = [{ id: "a", v: 1 }, { id: "b" }, { id: "c", v: 3 }];
      const outcome = await tryBatch(task(server, settings), items);
      expect(outcome).toMatchObject({
        kind: "each",
        outcomes: [
          { value: 1 },
          { kind: "permanent", message: "item.v is missing", called: false },
          { value: 3 },
        ],
      });
      expect(JSON.parse(server.arrivals[0]?.body ?? "")).toEqual({
        vectors: [
          { id: "a", text: "v: 1" },
          { id: "c", text: "v: 3" },
        ],
      });
      expect(server.arrivals[0]?.headers["idempotency-key"]).toMatch(/^[0-9a-f]{64}$/);
    });
  });

  test("stands in a URL parted by commas, every item encoded", async () => {
    await served([], async (server) => {
      const url = `${server.origin}/bulk?ids={{items}}`;
      await tryBatch({ kind: "http", url, batch: 10 }, ["a,b", "c&d"]);
      expect(server.arrivals[0]?.url).toBe("/bulk?ids=a%2Cb,c%26d");
    });
  });

  test("is refused as a whole when the answer has another number of results", async () => {
    await served([1], async (server) => {
      const outcome = await tryBatch(task(server, { results: "" }), ["a", "b"]);
      expect(outcome).toMatchObject({
        kind: "whole",
        outcome: {
          kind: "permanent",
          message: "the answer has 1 result for 2 items at its root",
          called: true,
        },
      });
    });
  });

  test.each([
    [{ batch: 10 }, "task.batch", "accepted are {{items}}"],
    [{ body: { a: "{{items}}" } }, "task.batch", 'set "batch" above 1'],
    [{ results: "/r" }, "task.results", '"batch" above 1'],
    [{ batch: 10, body: { a: "{{items}}" }, match: {} }, "task.match", 'needs "results"'],
    [{ batch: 10, body: { a: "{{items}}" }, each: ["x"] }, "task.each", "has no {{item}}"],
    [
      { batch: 10, body: { a: "{{items}}" }, each: ["{{item}}{{secret:KEY}}"] },
      "task.each",
      "holds a secret",
    ],
    [
      { batch: 10, body: { a: "{{items}}" }, results: "/r", value: "text" },
      "task.results",
      "needs a JSON answer",
    ],
    [{ batch: 10, url: "{{items}}" }, "task.url", "host written out"],
    [{ batch: 1001, body: { a: "{{items}}" } }, "task.batch", "from 1 to 1,000"],
  ])("%j is refused at %s", (settings, path, message) => {
    const given = {
      kind: "http",
      url: "batch" in settings && "body" in settings ? "https://h.example/" : "https://h.example/{{item}}",
      ...settings,
    };
    const parsed = parseSpec({ source: { kind: "range", from: 0, to: 3 }, task: given });
    expect(parsed).toMatchObject({ kind: "invalid", path });
    expect(parsed.kind === "invalid" && parsed.message).toContain(message);
  });
});
