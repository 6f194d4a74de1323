import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { describeRate, formatRate, parseRate } from "../../../src/core/limiter/rate.ts";

describe("rate", () => {
  const accepted: [text: string, perSecond: number, formatted: string][] = [
    ["1000/s", 1000, "1000/s"],
    ["60/min", 1, "1/s"],
    ["90/min", 1.5, "1.5/s"],
    ["7/min", 7 / 60, "7/min"],
    ["5/h", 5 / 3600, "5/h"],
    [" 0.5 / s ", 0.5, "30/min"],
    [".25/s", 0.25, "15/min"],
    ["1000000/s", 1_000_000, "1000000/s"],
    ["0.041666666667/h", 1 / 86_400, "0.041666666667/h"],
  ];
  test.each(accepted)("%s is %d requests a second, written %s", (text, perSecond, formatted) => {
    const parsed = parseRate(text);
    expect(parsed.kind).toBe("ok");
    if (parsed.kind !== "ok") return;
    expect(parsed.perSecond).toBeCloseTo(perSecond, 12);
    expect(formatRate(parsed.perSecond)).toBe(formatted);
  });

  const refused = [
    "",
    "1000",
    "-5/s",
    "0/s",
    "0.0/min",
    "1e3/s",
    "5/d",
    "5/S",
    "1,000/s",
    "Infinity/s",
    "NaN/s",
    "5//s",
  ];
  test.each(refused)("%j is refused with what is accepted", (text) => {
    const parsed = parseRate(text);
    expect(parsed).toMatchObject({
      kind: "invalid",
      message: expect.stringContaining('"1000/s", "60/min" or "5/h"'),
    });
  });

  test.each([
    ["0.01/h", "one call a day"],
    ["1000001/s", "1000000/s or less"],
  ])("%s is out of bounds and the bound is named", (text, bound) => {
    expect(parseRate(text)).toMatchObject({ kind: "invalid", message: expect.stringContaining(bound) });
  });

  test("a long text is quoted only in part", () => {
    const parsed = parseRate("9".repeat(10_000));
    expect(parsed.kind === "invalid" && parsed.message.length < 150).toBe(true);
  });

  test("what is formatted is read back as the same rate", () => {
    const rates = fc.double({ min: 1 / 86_400, max: 1_000_000, noNaN: true });
    fc.assert(
      fc.property(rates, (rate) => {
        const parsed = parseRate(formatRate(rate));
        expect(parsed.kind === "ok" && Math.abs(parsed.perSecond / rate - 1)).toBeLessThan(1e-9);
      }),
    );
  });

  test.each([
    [1000, "1,000/s"],
    [12.345, "12.3/s"],
    [0.5, "30/min"],
    [5 / 3600, "5/h"],
  ])("%d is shown to people as %s", (rate, text) => {
    expect(describeRate(rate)).toBe(text);
  });
});
