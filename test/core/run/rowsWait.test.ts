/** Rows of a young run are seen soon, and what that costs does not grow with the run. */
import { describe, expect, test } from "vitest";
import { PART_IDLE_MS, PART_MS } from "../../../src/core/limits.ts";
import { waitMs } from "../../../src/core/run/rowsWait.ts";

describe("rows of a run", () => {
  test.each([
    ["at its start", 0, 1, 2000],
    ["in its first minute", 60_000, 10, 2000],
    ["with a hundred lanes", 10_000, 100, 2500],
    ["with a thousand lanes", 10_000, 1000, 25_000],
    ["after ten minutes", 600_000, 10, 15_000],
    ["after an hour", 3_600_000, 10, 90_000],
  ])("wait for their part %s", (_, activeMs, lanes, expected) => {
    expect(waitMs({ activeMs, lanes })).toBe(expected);
  });

  test("are cut early a bounded number of times a lane, however long the run goes", () => {
    let parts = 0;
    for (let activeMs = 0; waitMs({ activeMs, lanes: 1 }) < PART_MS; parts++) {
      activeMs += waitMs({ activeMs, lanes: 1 });
    }
    expect(parts).toBeLessThan(160);
    expect(waitMs({ activeMs: 24 * 3_600_000, lanes: 1 })).toBeGreaterThan(PART_IDLE_MS);
  });

  test("make no more than forty parts a second of all lanes together", () => {
    for (const lanes of [1, 50, 100, 500, 5000]) {
      expect((lanes * 1000) / waitMs({ activeMs: 0, lanes })).toBeLessThanOrEqual(40);
    }
  });
});
