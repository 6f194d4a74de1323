import { describe, expect, test } from "vitest";
import { burstExcess, graceMs, worstBurst } from "../../../src/core/limiter/burst.ts";

describe("burst", () => {
  test.each([
    [null, null, 40, null, null],
    [null, 5, 40, null, null],
    [1000, null, 40, 66, null],
    [1000, 100, 40, 66, null],
    [1000, 76, 40, 66, null],
    [1000, 60, 34, 60, null],
    [1000, 31, 5, 31, null],
    [1000, 30, 5, 31, "at 1,000/s up to 31 requests can arrive together, more than the quota's burst of 30"],
    [1000, 1, 5, 31, "at 1,000/s up to 31 requests can arrive together, more than the quota's burst of 1"],
    [1, 1, 5, 1, null],
    [1 / 60, 1, 5, 1, null],
  ])(
    "at %s/s with a burst of %s the grace is %d ms and the worst burst %s",
    (rate, burst, grace, worst, excess) => {
      const settings = { ratePerSecond: rate, burst };
      expect(graceMs(settings)).toBe(grace);
      expect(worstBurst(settings)).toBe(worst);
      expect(burstExcess(settings)).toBe(excess);
      if (burst !== null && worst !== null && excess === null)
        expect(worst).toBeLessThanOrEqual(Math.max(burst, 1));
    },
  );
});
