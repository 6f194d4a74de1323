/** The referee's other limits, its latency, and the share that is drawn from its log. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { latencyOf } from "./latency.ts";
import { mostInWindow, usedShare } from "./neededBurst.ts";
import { MAX_LATENCY_MS } from "./targetOptions.ts";
import { AlignedLimit, SlidingLimit } from "./windowLimit.ts";

const ascending = fc
  .array(fc.integer({ min: 0, max: 40 }), { maxLength: 400 })
  .map((gaps) => gaps.map((_, i) => gaps.slice(0, i + 1).reduce((sum, gap) => sum + gap, 0)));
const perSecond = fc.integer({ min: 1, max: 30 });

describe("the sliding window", () => {
  test("never holds more than the limit, and refuses only when it does", () => {
    fc.assert(
      fc.property(ascending, perSecond, (times, limit) => {
        const sliding = new SlidingLimit({ window: "sliding", perSecond: limit });
        const accepted: number[] = [];
        for (const atMs of times) {
          const inWindow = accepted.filter((ms) => ms > atMs - 1000).length;
          const waitMs = sliding.admit(atMs);
          expect(waitMs === null).toBe(inWindow < limit);
          if (waitMs === null) accepted.push(atMs);
        }
        expect(mostInWindow(accepted, 1000)).toBeLessThanOrEqual(limit);
      }),
    );
  });

  test("says when one call would be accepted", () => {
    const sliding = new SlidingLimit({ window: "sliding", perSecond: 2 });
    expect([sliding.admit(0), sliding.admit(300), sliding.admit(400)]).toEqual([null, null, 600]);
    expect([sliding.admit(999), sliding.admit(1000)]).toEqual([1, null]);
  });
});

describe("the aligned window", () => {
  test("lets twice its limit go around a border, and no more than its limit in a calendar second", () => {
    const aligned = new AlignedLimit({ window: "aligned", perSecond: 3 });
    const at = [900, 950, 990, 995, 1000, 1001, 1002, 1003];
    expect(at.map((atMs) => aligned.admit(atMs))).toEqual([null, null, null, 5, null, null, null, 997]);
  });
});

describe("latency", () => {
  test("is log-normal around its median, slower in a brownout, and bounded", () => {
    const halves = () => 0.5;
    const lognormal = { latencyMs: { medianMs: 150, spread: 0 } };
    expect(latencyOf(lognormal, halves)).toBeCloseTo(150, 9);
    expect(latencyOf({ ...lognormal, slowedBy: 60 }, halves)).toBeCloseTo(9000, 9);
    expect(latencyOf({ ...lognormal, slowedBy: 6000 }, halves)).toBe(MAX_LATENCY_MS);
    expect(latencyOf({ latencyMs: [10, 30] }, halves)).toBe(20);
    expect(latencyOf({}, halves)).toBe(0);
  });
});

describe("the used share", () => {
  const evenly = (count: number, everyMs: number) => Array.from({ length: count }, (_, i) => i * everyMs);
  const ok = (times: readonly number[]) => times.map(() => 200);

  test("is one for an even sender at the rate, whatever the broken second at the end holds", () => {
    const times = [...evenly(3000, 1), 3000, 3000, 3000];
    expect(usedShare(times, ok(times), { ratePerSecond: 1000, warmUpMs: 0 })).toBeCloseTo(1, 9);
  });

  test("counts no refused call and nothing before the warm-up is over", () => {
    const times = evenly(3001, 1);
    const statuses = times.map((atMs) => (atMs >= 1000 && atMs % 2 === 0 ? 429 : 200));
    expect(usedShare(times, statuses, { ratePerSecond: 1000, warmUpMs: 1000 })).toBeCloseTo(0.5, 9);
  });

  test("is not a number when no whole second is left", () => {
    const times = evenly(10, 1);
    expect(usedShare(times, ok(times), { ratePerSecond: 1000, warmUpMs: 0 })).toBeNaN();
  });
});
