import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isExactNumber, parseJson, stringifyJson } from "../../src/core/json.ts";

describe("json", () => {
  it.each([
    '{"id":12345678901234567890}',
    "[9007199254740993,-9007199254740993]",
    "1e400",
    '{"a":[0,1.5,-2],"b":{"__proto__":1},"c":"1234567890123456789"}',
    "100000000000000000000000",
  ])("%s comes out with its own digits", (text) => {
    expect(stringifyJson(parseJson(text))).toBe(text);
  });

  it("holds only those numbers by their digits that a number would change", () => {
    const [small, large] = parseJson("[1234567890123456,12345678901234567]") as [unknown, unknown];
    expect([isExactNumber(small), isExactNumber(large)]).toEqual([false, true]);
  });

  it("reads every other value as JSON.parse does", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(JSON.parse(stringifyJson(parseJson(text)))).toEqual(JSON.parse(text));
      }),
    );
  });

  it("refuses what is not JSON", () => {
    for (const text of ["", "{", "nul", "12345678901234567890x"])
      expect(() => parseJson(text)).toThrow(SyntaxError);
  });
});
