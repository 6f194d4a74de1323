import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ClockReading, isoOrNull, parseDuration, readClock, startClock } from "../../src/core/time.ts";

const START = 1_700_000_000_000;
const HOUR = 3_600_000;

/** The instants shown for a sequence of readings, relative to `START`; none may lie before the one before. */
function run(readings: readonly ClockReading[], stored = startClock(null, readings[0]!)): number[] {
  let clock = stored;
  return readings.map((reading) => {
    const next = readClock(clock, reading);
    expect(next.lastMs).toBeGreaterThanOrEqual(clock.lastMs);
    clock = next;
    return clock.lastMs - START;
  });
}

const wall = (ms: number): ClockReading => ({ wallMs: START + ms, monotonicMs: null });
const both = (wallMs: number, monotonicMs: number): ClockReading => ({ wallMs: START + wallMs, monotonicMs });

describe("the run's clock", () => {
  test.each([
    ["follows the wall clock", [0, 10, 10, 1000], [0, 10, 10, 1000]],
    ["waits out a small step back", [1000, 900, 950, 1001], [1000, 1000, 1000, 1001]],
    ["absorbs a step back of an hour and goes on at once", [0, -HOUR, 10 - HOUR], [0, 0, 10]],
    [
      "absorbs one step back after the other",
      [0, -HOUR, 5 - HOUR, -2 * HOUR, 7 - 2 * HOUR],
      [0, 0, 5, 5, 12],
    ],
  ])("%s", (_, readings, shown) => {
    expect(run(readings.map(wall))).toEqual(shown);
  });

  test("a wall clock that jitters does not make it run fast", () => {
    const jittering = Array.from({ length: 1000 }, (_, i) => wall(i + (i % 2 === 0 ? 20 : 0)));
    expect(run(jittering).at(-1)).toBeLessThanOrEqual(1020);
  });

  test.each([-HOUR, HOUR])(
    "with a monotonic reading a step of the wall clock by %d ms has no effect",
    (step) => {
      expect(run([both(0, 500), both(10, 510), both(20 + step, 520), both(40 + step, 540)])).toEqual([
        0, 10, 20, 40,
      ]);
    },
  );

  test.each([wall, (ms: number) => both(ms, ms)])(
    "a step forward counts only up to the limit given",
    (reading) => {
      const limited = (ms: number): ClockReading => ({ ...reading(ms), forwardLimitMs: 5000 });
      expect(run([limited(0), limited(HOUR), limited(HOUR + 10)])).toEqual([0, 5000, 5010]);
    },
  );

  test.each([
    ["continues with the wall clock where that is ahead", 50, 80, 80],
    ["continues at the stored instant where the wall clock fell behind", 50, -HOUR, 50],
  ])("after a restart it %s", (_, last, wallNow, shown) => {
    const stored = { offsetMs: 0, lastMs: START + last, monotonicMs: 123 };
    const clock = startClock(stored, both(wallNow, 7));
    expect(clock.lastMs - START).toBe(shown);
    expect(run([both(wallNow + 10, 17)], clock)).toEqual([shown + 10]);
  });

  test("it never goes back and never stands still for good, whatever the wall clock does", () => {
    const steps = fc.array(
      fc.oneof(fc.integer({ min: -1e8, max: 1e8 }), fc.integer({ min: -300, max: 300 })),
    );
    fc.assert(
      fc.property(steps, (jumps) => {
        const at = jumps.reduce((sum, jump) => sum + jump, 0);
        const readings = jumps.map((_, i) =>
          wall(jumps.slice(0, i + 1).reduce((sum, jump) => sum + jump, 0)),
        );
        const afterwards = [0, 300, 400].map((ms) => wall(at + ms));
        const shown = run([wall(0), ...readings, ...afterwards]);
        expect(shown.at(-1)! - shown.at(-3)!).toBeGreaterThan(0);
      }),
    );
  });
});

test("an instant is written in ISO 8601 UTC, none as null", () => {
  expect(isoOrNull(START)).toBe("2023-11-14T22:13:20.000Z");
  expect(isoOrNull(null)).toBeNull();
});

test.each([
  ["500ms", 500],
  ["30s", 30_000],
  ["1.5s", 1500],
  ["2m", 120_000],
  ["1h", HOUR],
  ["30", null],
  ["-1s", null],
  ["1d", null],
  ["", null],
])("the duration %j is %s ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});
