import { describe, expect, test } from "vitest";
import { errorWaitMs } from "../../../src/core/answer/errorWait.ts";
import type { Json } from "../../../src/core/spec.ts";

const NOW = Date.UTC(2026, 10, 28);

const run = (error: Json): number | null => errorWaitMs(error, NOW);

describe("the wait that an error asks for", () => {
  test.each<[Json, number | null]>([
    [
      { metadata: { headers: { "X-RateLimit-Reset": String(NOW + 5000), "X-RateLimit-Remaining": "0" } } },
      5000,
    ],
    [{ metadata: { headers: { "Retry-After": "3" } } }, 3000],
    [{ retry_after: 2.5 }, 2500],
    [{ retry_after_ms: 250 }, 250],
    [{ metadata: { retry_after_seconds: 4 } }, 4000],
    [{ details: [{ reason: "x" }, { retryDelay: "34.5s" }] }, 34_500],
    [{ message: "Please try again in 6m0s." }, 360_000],
    [{ message: "Please retry after 20 seconds" }, 20_000],
    [{ message: "try again in 350ms" }, 350],
    [{ message: "try again later" }, null],
    [{ message: "try again in a moment" }, null],
    [{ retry_after: "soon" }, null],
    ["slow down", null],
    [{}, null],
  ])("%j", (error, ms) => {
    expect(run(error)).toBe(ms);
  });
});
