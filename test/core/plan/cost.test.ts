import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CostInput, countedCost, estimateCost } from "../../../src/core/plan/cost.ts";
import { PRICES } from "../../../src/core/plan/prices.ts";

const twoMillion: CostInput = { items: 2_000_000, chunks: 2000, chunkSize: 1000, lanes: 20, seconds: 20_000 };

describe("cost", () => {
  it("puts two million calls at 100/s below half a dollar", () => {
    const { usd } = estimateCost(twoMillion);
    expect(usd).toBeGreaterThan(0.3);
    expect(usd).toBeLessThan(0.5);
  });

  it("is the sum of its lines", () => {
    const { usd, lines } = estimateCost(twoMillion);
    expect(Object.values(lines).reduce((sum, line) => sum + line, 0)).toBeCloseTo(usd, 12);
  });

  it("is flat per item: ten times the items cost at most ten times as much", () => {
    const sizes = fc.record({
      chunks: fc.integer({ min: 1, max: 2000 }),
      lanes: fc.integer({ min: 1, max: 500 }),
    });
    fc.assert(
      fc.property(sizes, ({ chunks, lanes }) => {
        const run = (times: number) =>
          estimateCost({
            items: chunks * 1000 * times,
            chunks: chunks * times,
            chunkSize: 1000,
            lanes,
            seconds: chunks * times,
          }).usd;
        expect(run(10)).toBeLessThanOrEqual(run(1) * 10);
      }),
    );
  });

  it("does not charge an empty run for calls", () => {
    const { lines } = estimateCost({ items: 0, chunks: 0, chunkSize: 1000, lanes: 1, seconds: 0 });
    expect(lines.cpuMs + lines.objectRowWritten + lines.d1RowWritten).toBe(0);
  });

  it("prices a run that was made by what it counted", () => {
    const none = { queue: 0, object: 0, rowsWritten: 0, r2ClassA: 0, r2ClassB: 0, d1RowsWritten: 0 };
    const nothing = { calls: 0, items: 0, seconds: 0 };
    expect(countedCost(none, nothing).usd).toBe(0);
    const { usd, lines } = countedCost({ ...none, r2ClassA: 1000, d1RowsWritten: 50 }, nothing);
    expect(lines.r2ClassA).toBeCloseTo(1000 * PRICES.r2ClassA, 12);
    expect(usd).toBeCloseTo(1000 * PRICES.r2ClassA + 50 * PRICES.d1RowWritten, 12);
  });
});
