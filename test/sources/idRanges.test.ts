/** Ranges of ids: none overlaps, nothing is left out, whatever the ids. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { balancedFacts, evenFacts, evenRanges, type IdFacts, idRange } from "../../src/sources/idRanges.ts";

const all = (facts: IdFacts) => Array.from({ length: facts.ranges }, (_, n) => idRange(facts, n));

/** Every range ends where the next begins, from `min` to just above `max`. */
function expectWhole(facts: IdFacts, min: bigint, max: bigint): void {
  const ranges = all(facts);
  expect(ranges[0]?.from).toBe(min);
  expect(ranges.at(-1)?.to).toBe(max + 1n);
  for (const [n, { from, to }] of ranges.entries()) {
    expect(from <= to).toBe(true);
    if (n > 0) expect(from).toBe(ranges[n - 1]?.to);
  }
}

describe("ranges of ids", () => {
  test("are of equal width where that divides the ids", () => {
    expect(evenRanges(1n, 2_000_000n, 25_000)).toBe(80n);
    const ranges = all(evenFacts(1n, 2_000_000n, 80));
    expect(ranges[0]).toEqual({ from: 1n, to: 25_001n });
    expect(ranges[79]).toEqual({ from: 1_975_001n, to: 2_000_001n });
    expect(new Set(ranges.map(({ from, to }) => to - from))).toEqual(new Set([25_000n]));
  });

  test("follow a sample to where the rows are", () => {
    const sample = [100n, 200n, 300n, 1_000_000n];
    const facts = balancedFacts({ min: 1n, max: 2_000_000n, rows: 500, rowsPerRange: 100, sample });
    expect(all(facts).map(({ from }) => from)).toEqual([1n, 100n, 200n, 300n, 1_000_000n]);
  });

  test("are one where there is one id", () => {
    expect(all(balancedFacts({ min: 5n, max: 5n, rows: 9, rowsPerRange: 1, sample: [5n] }))).toEqual([
      { from: 5n, to: 6n },
    ]);
  });

  test("hold every id between the lowest and the highest exactly once, and no more than was asked for", () => {
    const id = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 2n });
    const wide = fc.record({ a: id, b: id, sample: fc.array(id, { maxLength: 20 }), rows: fc.nat(5000) });
    fc.assert(
      fc.property(wide, fc.integer({ min: 1, max: 500 }), ({ a, b, sample, rows }, rowsPerRange) => {
        const [min, max] = a < b ? [a, b] : [b, a];
        expectWhole(balancedFacts({ min, max, rows, rowsPerRange, sample }), min, max);
      }),
    );
    const narrow = fc.record({ min: id, ids: fc.bigInt({ min: 0n, max: 3000n }) });
    fc.assert(
      fc.property(narrow, fc.integer({ min: 1, max: 500 }), ({ min, ids }, perRange) => {
        const max = min + ids;
        const facts = evenFacts(min, max, Number(evenRanges(min, max, perRange)));
        expectWhole(facts, min, max);
        expect(all(facts).every(({ from, to }) => to - from <= BigInt(perRange))).toBe(true);
      }),
    );
  });
});
