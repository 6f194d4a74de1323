import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exactNumber, stringifyJson } from "../../src/core/json.ts";
import { whyNotJson } from "../../src/core/jsonValue.ts";
import type { Json } from "../../src/core/spec.ts";

class Point {
  readonly x = 1;
}
const cycle: { a: unknown[] } = { a: [] };
cycle.a.push(cycle);
const shared = { x: 1 };
function deep(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = { a: value };
  return value;
}

describe("a value is JSON", () => {
  it.each([
    ["null", null],
    ["undefined, which is left out", { a: undefined }],
    ["a date, by its toJSON", { at: new Date(0) }],
    ["a plain instance", new Point()],
    ["the same object twice", [shared, shared, { shared }]],
    ["a number held by its digits", [exactNumber("12345678901234567890")]],
    ["an object without a prototype", Object.assign(Object.create(null), { a: 1 })],
    ["any depth", deep(100_000)],
  ])("where it is %s", (_, value) => {
    expect(whyNotJson(value)).toBeNull();
  });

  it.each<[unknown, string]>([
    [1n, "has a BigInt"],
    [{ a: [0, 2n] }, "has a BigInt at /a/1"],
    [{ "a/b~": Number.NaN }, "has NaN at /a~1b~0"],
    [[Number.POSITIVE_INFINITY], "has Infinity at /0"],
    [() => 1, "has a function"],
    [[Symbol("s")], "has a symbol at /0"],
    [new Map([["a", 1]]), "has a Map"],
    [{ seen: new Set() }, "has a Set at /seen"],
    [{ bytes: new Uint8Array(2) }, "has an Uint8Array at /bytes"],
    [new ArrayBuffer(1), "has an ArrayBuffer"],
    [{ fault: new Error("no") }, "has an Error at /fault"],
    [[/x/], "has a RegExp at /0"],
    [{ later: Promise.resolve(1) }, "has a Promise at /later"],
    [new Response("x"), "has a Response"],
    [cycle, "contains itself at /a/0"],
  ])("not where it is %o", (value, why) => {
    expect(whyNotJson(value)).toBe(why);
  });

  it("whenever it comes from JSON", () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => whyNotJson(JSON.parse(JSON.stringify(value))) === null));
  });

  it("only if JSON can write it", () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
      withNullPrototype: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        if (whyNotJson(value) !== null) return;
        const text = stringifyJson((value ?? null) as Json);
        expect(typeof text).toBe("string");
        expect(() => JSON.parse(text)).not.toThrow();
      }),
      { numRuns: 500 },
    );
  });
});
