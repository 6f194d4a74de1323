import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { afterThrottledTry, restMs } from "../../../src/core/answer/throttling.ts";
import { THROTTLED_TRIES_MOST } from "../../../src/core/limits.ts";
import { type RetrySpec, SPEC_DEFAULTS } from "../../../src/core/spec.ts";
import { NO_TRIES, type Tries } from "../../../src/core/tries.ts";

const HOUR_MS = 3_600_000;

/** An item that is throttled at every try: when it is given up, and after how many tries. */
function run(
  change: Partial<RetrySpec>,
  announced: Announced,
  random = 0,
): { readonly afterMs: number; readonly throttles: number; readonly tries: Tries } {
  const retry = { ...SPEC_DEFAULTS.retry, ...change };
  let tries: Tries = NO_TRIES;
  for (let elapsedMs = 0; ; ) {
    const after = afterThrottledTry(tries, announced(elapsedMs), { retry, random });
    tries = after.tries;
    expect(tries.attempts).toBe(0);
    expect(tries.throttles).toBeLessThanOrEqual(Math.max(THROTTLED_TRIES_MOST, retry.maxThrottles));
    if (after.kind === "given-up") return { afterMs: elapsedMs, throttles: tries.throttles, tries };
    elapsedMs += after.inMs;
  }
}

/** What a server says that counts down to the end of its window. */
const until = (endMs: number) => (elapsedMs: number) => Math.max(0, endMs - elapsedMs);
const silent = () => null;

type Announced = (elapsedMs: number) => number | null;

describe("a throttled item", () => {
  test.each<[string, Partial<RetrySpec>, Announced, number]>([
    ["15 minutes without a word", {}, silent, 0],
    ["15 minutes without a word, all waits long", {}, silent, 1],
    ["an hour, asked for second by second", {}, () => 1000, 0],
    ["20 throttled tries or more", { maxThrottles: 50 }, silent, 0],
  ])("is not given up within an hour: %s", (_name, change, announced, random) => {
    expect(run(change, announced, random).afterMs).toBeGreaterThanOrEqual(HOUR_MS);
  });

  test.each([
    ["5 s", 3, 5000, HOUR_MS],
    ["20 minutes", 5, 1_200_000, HOUR_MS],
    ["20 minutes, asked again every 10 s", 3, 1_200_000, 10_000],
    ["a day, asked again every hour", 20, 86_400_000, HOUR_MS],
    ["a day, asked again every 10 minutes", 1, 86_400_000, 600_000],
  ])(
    "outlasts a window that was announced, whatever maxThrottles is: %s",
    (_name, maxThrottles, endMs, heeded) => {
      const { afterMs } = run({ maxThrottles, maxRetryAfterMs: heeded }, until(endMs));
      expect(afterMs).toBeGreaterThanOrEqual(endMs);
    },
  );

  test.each<[string, Partial<RetrySpec>, readonly [least: number, most: number]]>([
    ["an hour and a wait", {}, [60, 61]],
    ["7 to 14 minutes", { maxRetryAfterMs: 60_000 }, [7, 14.1]],
    ["2 to 4 minutes", { maxThrottles: 10 }, [2, 4.1]],
  ])("that nothing is announced to keeps its run for %s", (_name, change, [least, most]) => {
    for (const random of [0, 0.5, 1]) {
      const minutes = run(change, silent, random).afterMs / 60_000;
      expect(minutes).toBeGreaterThanOrEqual(least);
      expect(minutes).toBeLessThanOrEqual(most);
    }
  });

  test("is given up early where maxThrottles is small and nothing was announced", () => {
    expect(run({ maxThrottles: 3 }, silent)).toMatchObject({ afterMs: 1500, throttles: 3 });
    expect(run({ maxThrottles: 0 }, silent)).toMatchObject({ afterMs: 0, throttles: 1 });
    expect(run({ maxThrottles: 2 }, () => 1000)).toMatchObject({ afterMs: 1000, throttles: 2 });
  });

  test("asks again after the ceiling, and waits at least as long as a lockout lasts", () => {
    const retry = { ...SPEC_DEFAULTS.retry, maxRetryAfterMs: 4000, throttledMinDelayMs: 3000 };
    expect([null, 0, 3500, 86_400_000].map((ms) => restMs(ms, retry))).toEqual([3000, 3000, 3500, 4000]);
    expect(restMs(null, SPEC_DEFAULTS.retry)).toBeNull();
    const after = afterThrottledTry(NO_TRIES, null, { retry, random: 1 });
    expect(after).toMatchObject({ kind: "again", inMs: 3000 });
  });

  test("carries what it has waited and what was announced", () => {
    const { tries } = run({ maxThrottles: 2, maxRetryAfterMs: 7000 }, () => 9000);
    expect(tries).toEqual({ attempts: 0, throttles: 3, throttledForMs: 14_000, announcedMs: 9000 });
  });

  test("is given up at last, whatever is announced and however short the waits", () => {
    const spec = fc.record({
      maxThrottles: fc.integer({ min: 0, max: 300 }),
      baseDelayMs: fc.integer({ min: 0, max: 2000 }),
      maxDelayMs: fc.integer({ min: 2000, max: 60_000 }),
      maxRetryAfterMs: fc.integer({ min: 0, max: 86_400_000 }),
      throttledMinDelayMs: fc.integer({ min: 0, max: 60_000 }),
    });
    const announced = fc.array(fc.option(fc.integer({ min: 0, max: 1e12 })), { minLength: 1 });
    fc.assert(
      fc.property(spec, announced, (change, asked) => {
        let at = 0;
        run(change, () => asked[at++ % asked.length] ?? null);
      }),
    );
  });
});
