import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CHUNKS_PER_PLAN_CALL, MAX_CHUNKS } from "../../src/core/limits.ts";
import type { ChunkPlan } from "../../src/core/protocol.ts";
import type { Env } from "../../src/objects/env.ts";
import { planContiguous } from "../../src/sources/contiguous.ts";
import { itemsSource } from "../../src/sources/items.ts";
import { rangeSource } from "../../src/sources/range.ts";
import { sourceRegistry } from "../../src/sources/registry.ts";
import { itemsSchema, rangeSchema } from "../../src/sources/schemas.ts";
import type { Item, SourceContext } from "../../src/sources/source.ts";
import { spansOf, splitAt, without } from "../../src/sources/unsettled.ts";

/** These sources touch no binding. */
const context: SourceContext = { env: {} as Env, run: "r_test", count: () => {} };

async function collect(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("cutting into chunks", () => {
  test("chunks follow one another without a gap and hold every item once", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 700 }), (items, size) => {
        let next = 0;
        let cursor: string | null = null;
        do {
          const step = planContiguous(items, size, cursor, (first) => `at ${first}`);
          expect(step.chunks.length).toBeLessThanOrEqual(CHUNKS_PER_PLAN_CALL);
          for (const chunk of step.chunks) {
            expect(chunk.first).toBe(next);
            expect(chunk.count).toBeGreaterThan(0);
            expect(chunk.count).toBeLessThanOrEqual(size);
            next += chunk.count;
          }
          cursor = step.cursor;
        } while (cursor !== null);
        expect(next).toBe(items);
      }),
    );
  });

  test("more chunks than a run can hold are refused", () => {
    expect(() => planContiguous(MAX_CHUNKS + 1, 1, null, () => "")).toThrow("choose larger chunks");
    expect(() => planContiguous(MAX_CHUNKS + 1, 2, null, () => "")).not.toThrow();
  });
});

describe("range", () => {
  test.each([
    [{ from: 0, to: 3 }, [0, 1, 2]],
    [{ from: 5, to: 6, step: 10 }, [5]],
    [{ from: 0, to: 10, step: 4 }, [0, 4, 8]],
    [{ from: 3, to: 0, step: -1 }, [3, 2, 1]],
    [{ from: -2, to: 3, step: 2 }, [-2, 0, 2]],
  ])("%j gives %j", async (given, expected) => {
    const settings = rangeSchema.parse({ kind: "range", ...given });
    const { items, first } = await rangeSource.pin(settings, context);
    expect([items, first]).toEqual([expected.length, expected[0]]);
    const { chunks } = await rangeSource.plan(settings, 100, null, context);
    const read = rangeSource.read(settings, chunks[0]!, { ordinal: 0, position: null }, context);
    expect((await collect(read)).map((item) => item.value)).toEqual(expected);
  });

  test.each([
    { from: 0, to: 0 },
    { from: 1, to: 0 },
    { from: 0, to: 5, step: -1 },
  ])("%j holds nothing and is refused", async (given) => {
    const settings = rangeSchema.parse({ kind: "range", ...given });
    await expect(rangeSource.pin(settings, context)).rejects.toThrow("no integer lies in the range");
  });

  test.each([
    { from: 0.5, to: 3 },
    { from: 0, to: 2 ** 53 },
    { from: 0, to: 3, step: 0 },
    { from: 0, to: 3, by: 1 },
    { from: 0 },
  ])("%j is not accepted", (given) => {
    expect(rangeSchema.safeParse({ kind: "range", ...given }).success).toBe(false);
  });
});

describe("items", () => {
  const settings = itemsSchema.parse({ kind: "items", items: ["a", 2, { id: 3 }, null, "e"] });

  test("a chunk with gaps gives the items of its indexes, from any ordinal on", async () => {
    const chunk: ChunkPlan = { first: 1, count: 3, indexes: [1, 2, 4], position: "" };
    const read = itemsSource.read(settings, chunk, { ordinal: 1, position: null }, context);
    expect(await collect(read)).toEqual([
      { index: 2, ordinal: 1, position: 2, value: { id: 3 } },
      { index: 4, ordinal: 2, position: 4, value: "e" },
    ]);
  });

  test("none at all, too many and too large are refused", async () => {
    expect(itemsSchema.safeParse({ kind: "items", items: [] }).success).toBe(false);
    expect(itemsSchema.safeParse({ kind: "items", items: Array(10_001).fill(1) }).success).toBe(false);
    const large = itemsSchema.parse({ kind: "items", items: ["x".repeat(1_000_001)] });
    await expect(itemsSource.pin(large, context)).rejects.toThrow("at most 1000000");
  });
});

describe("the registry", () => {
  test("a kind that is a property of every object is not a source", () => {
    for (const kind of ["constructor", "__proto__", "toString"]) expect(sourceRegistry[kind]).toBeUndefined();
  });

  test("every source is registered under its own kind", () => {
    for (const [kind, source] of Object.entries(sourceRegistry)) expect(source.kind).toBe(kind);
  });
});

describe("items without a row", () => {
  test("are the deferred ones and all from the cursor on", () => {
    const plan = { first: 100, count: 10, position: "" };
    expect(spansOf({ chunk: 0, plan, cursor: 7, deferred: [5, 2] })).toEqual([
      { first: 102, count: 1 },
      { first: 105, count: 1 },
      { first: 107, count: 3 },
    ]);
    const gaps = { first: 3, count: 3, indexes: [3, 8, 9], position: "" };
    expect(spansOf({ chunk: 0, plan: gaps, cursor: 2, deferred: [0] })).toEqual([
      { first: 3, count: 1 },
      { first: 9, count: 1 },
    ]);
  });

  test("less the settled ones are exactly the others", () => {
    fc.assert(
      fc.property(
        fc.nat(20),
        fc.integer({ min: 1, max: 20 }),
        fc.uniqueArray(fc.nat(45)),
        (first, count, some) => {
          const span = { first, count };
          const all = Array.from({ length: count }, (_, i) => first + i);
          const settled = some.filter((index) => all.includes(index)).sort((a, b) => a - b);
          const left = [...without(span, settled)].flatMap((s) =>
            Array.from({ length: s.count }, (_, i) => s.first + i),
          );
          expect(left).toEqual(all.filter((index) => !settled.includes(index)));
        },
      ),
    );
  });

  test("a span is cut where a failure lies", () => {
    expect(splitAt({ first: 1, count: 5 }, 3)).toEqual([
      { first: 1, count: 2 },
      { first: 3, count: 3 },
    ]);
    expect(splitAt({ first: 1, count: 5 }, 9)).toEqual([{ first: 1, count: 5 }, null]);
  });
});
