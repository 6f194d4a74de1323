import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BackoffInput, backoffMs, heededMs } from "../../../src/core/limiter/backoff.ts";
import { RETRY_AFTER_MAX_MS } from "../../../src/core/limits.ts";
import { SPEC_DEFAULTS } from "../../../src/core/spec.ts";

const DEFAULTS: BackoffInput = {
  attempt: 1,
  baseDelayMs: 1000,
  maxDelayMs: 60_000,
  floorMs: null,
  random: 0,
};

/** The wait in milliseconds; the invariant of the module holds after each. */
function run(input: Partial<BackoffInput>): number {
  const whole = { ...DEFAULTS, ...input };
  const ms = backoffMs(whole);
  const cap = Math.min(whole.maxDelayMs, whole.baseDelayMs * 2 ** (whole.attempt - 1));
  expect(ms).toBeGreaterThanOrEqual(Math.max(cap / 2, whole.floorMs ?? 0));
  expect(ms).toBeLessThanOrEqual(Math.max(cap, whole.floorMs ?? 0));
  return ms;
}

describe("backoff", () => {
  test.each([
    [{ attempt: 1, random: 0 }, 500],
    [{ attempt: 1, random: 1 }, 1000],
    [{ attempt: 2, random: 0.5 }, 1500],
    [{ attempt: 5, random: 0 }, 8000],
    [{ attempt: 7, random: 1 }, 60_000],
    [{ attempt: 5000, random: 1 }, 60_000],
    [{ attempt: 1, floorMs: 2000 }, 2000],
    [{ attempt: 4, floorMs: 2000 }, 4000],
    [{ attempt: 1, floorMs: RETRY_AFTER_MAX_MS }, RETRY_AFTER_MAX_MS],
    [{ attempt: 1, baseDelayMs: 0 }, 0],
  ] as const)("%j waits %s", (input, expected) => {
    expect(run(input)).toBe(expected);
  });

  test("the wait lies between half the cap and the cap, and never below the floor", () => {
    const inputs = fc.record({
      attempt: fc.integer({ min: 1, max: 100 }),
      baseDelayMs: fc.integer({ min: 0, max: 100_000 }),
      maxDelayMs: fc.integer({ min: 0, max: 1_000_000 }),
      floorMs: fc.option(fc.integer({ min: 0, max: RETRY_AFTER_MAX_MS })),
      random: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(fc.property(inputs, (input) => void run(input)));
  });

  test("what a target asks for is heeded up to the ceiling, an hour where a run does not say", () => {
    const heard = { ...SPEC_DEFAULTS.retry, maxRetryAfterMs: 5000 };
    expect([null, 0, 4000, 5000, 86_400_000].map((ms) => heededMs(ms, heard))).toEqual([
      null,
      0,
      4000,
      5000,
      5000,
    ]);
    const { maxRetryAfterMs: _, ...older } = SPEC_DEFAULTS.retry;
    expect(heededMs(86_400_000, older)).toBe(3_600_000);
  });
});
