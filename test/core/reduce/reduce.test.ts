/** Reduce: exact, whatever the order in which rows and parts come; nothing a row can say breaks it. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { digits } from "../../../docs/examples/own-reducer/digits.ts";
import { parseJson, stringifyJson } from "../../../src/core/json.ts";
import { ownReducers } from "../../../src/core/reduce/ownReducers.ts";
import {
  mergeTotals,
  noTotals,
  reduceRows,
  shortTotals,
  showTotals,
} from "../../../src/core/reduce/reduce.ts";
import type { Reducer } from "../../../src/core/reduce/reducer.ts";
import type { Json, ReduceSpec } from "../../../src/core/spec.ts";

const DOCS = resolve(import.meta.dirname, "../../../docs");

const SPEC: ReduceSpec = {
  orders: "sum",
  seen: "count",
  first: "min",
  last: "max",
  plain: "mean",
  price: { mean: "orders" },
  states: "merge",
  largest: { top: 3, by: "orders" },
};

const row = (index: number, value: Json) => ({
  ok: true,
  line: `{"index":${index},"item":{"from":${index}},"ok":true,"attempts":1,"throttles":0,"value":${stringifyJson(value)}}`,
});
const failed = { ok: false, line: '{"index":9,"item":1,"ok":false,"error":{}}' };
const report = (spec: ReduceSpec, values: readonly Json[]) =>
  Object.fromEntries(
    Object.entries(
      showTotals(
        spec,
        reduceRows(
          spec,
          values.map((value, i) => row(i, value)),
        ),
      ),
    ).map(([field, { value }]) => [field, value]),
  );

describe("reduce", () => {
  test.each<[string, ReduceSpec, readonly Json[], Json]>([
    ["sums", { n: "sum" }, [{ n: 1 }, { n: 2.5 }, { n: -3 }], 0.5],
    ["sums tenths without error", { n: "sum" }, Array(10).fill({ n: 0.1 }), 1],
    ["sums text that is a number", { n: "sum" }, [{ n: "12.30" }, { n: 1 }], 13.3],
    [
      "keeps every digit beyond 2^53",
      { n: "sum" },
      [{ n: parseJson("9007199254740993") }, { n: 1 }],
      "9007199254740994",
    ],
    [
      "keeps every digit of a decimal",
      { n: "sum" },
      [{ n: "0.10000000000000000001" }],
      "0.10000000000000000001",
    ],
    ["sums nothing to 0", { n: "sum" }, [], 0],
    ["counts values that are there", { n: "count" }, [{ n: "a" }, { n: null }, {}, { n: 0 }], 2],
    ["finds the least number", { n: "min" }, [{ n: 10 }, { n: 9 }, { n: 11 }], 9],
    ["finds the last text", { n: "max" }, [{ n: "2026-01-02" }, { n: "2026-01-10" }], "2026-01-10"],
    ["has no extreme of nothing", { n: "min" }, [{}], null],
    [
      "weighs a mean",
      { p: { mean: "n" } },
      [
        { p: 10, n: 1 },
        { p: 20, n: 3 },
      ],
      17.5,
    ],
    ["has no mean of nothing", { p: "mean" }, [{}], null],
    [
      "merges maps",
      { m: "merge" },
      [{ m: { a: 1, b: 2 } }, { m: { b: 3, __proto__x: 1 } }],
      { a: 1, b: 5, __proto__x: 1 },
    ],
    ["looks into a pointer", { "/a/0/n": "sum" }, [{ a: [{ n: 4 }] }], 4],
  ])("%s", (_, spec, values, expected) => {
    expect(Object.values(report(spec, values))).toEqual([expected]);
  });

  test("names the rows with the largest field, of equal ones the first", () => {
    const values = [5, 9, 9, 1].map((n) => ({ n }));
    expect(report({ most: { top: 2, by: "n" } }, values)).toEqual({
      most: [
        { index: 1, by: 9, item: { from: 1 } },
        { index: 2, by: 9, item: { from: 2 } },
      ],
    });
  });

  test("passes over rows that failed, lack the field or hold something else, and says so", () => {
    const rows = [failed, row(3, { n: true }), row(4, {}), row(5, { n: 7 }), row(6, null)];
    expect(showTotals({ n: "sum" }, reduceRows({ n: "sum" }, rows)).n).toEqual({
      value: 7,
      values: 1,
      missing: 2,
      unusable: 1,
      note: "1 values cannot be used, the first at index 3",
    });
  });

  test("says that numbers and texts have no extreme, that a map is too large", () => {
    const mixed = showTotals({ n: "max" }, reduceRows({ n: "max" }, [row(0, { n: 1 }), row(1, { n: "b" })]));
    expect(mixed.n).toMatchObject({ value: null, note: "some values are numbers and some are text" });
    const wide = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`a${i}`, 1]));
    const others = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`b${i}`, 1]));
    const map = showTotals(
      { m: "merge" },
      reduceRows({ m: "merge" }, [row(0, { m: wide }), row(1, { m: others })]),
    );
    expect(map.m).toMatchObject({ value: null, note: "the map has more than 1000 keys" });
  });

  test("shows in a run's view what is one number or text", () => {
    const totals = reduceRows({ n: "sum", m: "merge" }, [row(0, { n: 2, m: { a: 1 } })]);
    expect(shortTotals({ n: "sum", m: "merge" }, totals)).toEqual({ n: 2 });
  });

  describe("of one's own", () => {
    const registry = ownReducers as Record<string, Reducer<Json>>;
    afterEach(() => {
      for (const name of ["digits", "wild"]) delete registry[name];
    });

    test("is a module and a line, as its page shows it", () => {
      const page = readFileSync(join(DOCS, "reduce.md"), "utf8");
      const file = readFileSync(join(DOCS, "examples/own-reducer/digits.ts"), "utf8");
      expect(page).toContain(
        file.replaceAll("../../../src/core/reduce/", "./").replaceAll("../../../src/core/", "../"),
      );
      registry.digits = digits;
      const values = [7, 12, 99, 1234, "x", null].map((n) => ({ n }));
      const spec: ReduceSpec = { lengths: { own: "digits", of: "n" } };
      const rows = values.map((value, i) => row(i, value));
      const parts = [rows.slice(0, 2), rows.slice(2)].map((part) => reduceRows(spec, part));
      expect(showTotals(spec, mergeTotals(spec, parts[1]!, parts[0]!)).lengths).toEqual({
        value: [1, 2, 0, 1],
        values: 4,
        missing: 1,
        unusable: 1,
        note: "1 values cannot be used, the first at index 4",
      });
    });

    test("that throws or grows without bound ends its field, never the run", () => {
      const spec: ReduceSpec = { n: { own: "wild" }, sum: "sum" };
      registry.wild = {
        ...digits,
        add: (_, value) => {
          if (value === 1) throw new Error("no ones");
          return { kind: "added", state: "x".repeat(200_000) };
        },
      };
      const [one, two] = [1, 2].map((n) => reduceRows(spec, [row(n, { n, sum: n })]));
      expect(showTotals(spec, one!).n).toMatchObject({ value: null, note: "the reducer failed: no ones" });
      expect(showTotals(spec, two!).n?.note).toBe("the total is longer than 100000 characters");
      expect(showTotals(spec, mergeTotals(spec, one!, two!))).toMatchObject({
        n: { value: null },
        sum: { value: 3 },
      });
    });
  });

  test("comes to the same whatever the order and the cutting into parts, also over the wire", () => {
    const number = fc.oneof(
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String),
    );
    const value = fc.oneof(number, fc.constant(null), fc.boolean(), fc.string());
    const values = fc.array(
      fc.record(
        {
          orders: value,
          seen: value,
          first: value,
          last: value,
          plain: value,
          price: value,
          states: fc.dictionary(fc.string(), number, { maxKeys: 4 }),
        },
        { requiredKeys: [] },
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(values, fc.infiniteStream(fc.nat()), (given, chance) => {
        const rows = given.map((one, i) => row(i, one as Json));
        const whole = reduceRows(SPEC, rows);
        const shuffled = rows
          .map((one) => ({ one, place: chance.next().value as number }))
          .sort((a, b) => a.place - b.place)
          .map(({ one }) => one);
        let pieced = noTotals(SPEC);
        for (let at = 0; at < shuffled.length; ) {
          const size = 1 + ((chance.next().value as number) % 3);
          const part = reduceRows(SPEC, shuffled.slice(at, at + size));
          const onTheWire = JSON.parse(JSON.stringify(part)) as typeof part;
          pieced = at % 2 === 0 ? mergeTotals(SPEC, pieced, onTheWire) : mergeTotals(SPEC, onTheWire, pieced);
          at += size;
        }
        expect(pieced).toEqual(whole);
      }),
    );
  });
});
