import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Dimension,
  emissionIntervalMs,
  emptyTat,
  type Reservation,
  type Reserved,
  reserve,
  retime,
  TICK_MS,
} from "../../../src/core/limiter/gcra.ts";

const START = 1_700_000_000_000;

interface Step {
  /** Milliseconds after `START`. */
  readonly at: number;
  readonly want?: number;
  readonly lead?: number;
  readonly notBefore?: number;
}

/** Issued instants of a limiter under a sequence of requests, relative to `START`, with the outcomes as text. */
function run(ratePerSecond: number, steps: readonly Step[], depthMs = 1500) {
  let dimension = requests(ratePerSecond);
  const instants: number[] = [];
  const outcomes = steps.map((step) => {
    const reserved = reserve([dimension], reservation(step, depthMs));
    if (reserved.kind === "granted") {
      instants.push(...instantsOf(reserved, step.at));
      expect(reserved.tats[0]!.tatMs).toBeGreaterThan(dimension.tatMs);
      dimension = { ...dimension, ...reserved.tats[0]! };
    }
    expectSpaced(instants, dimension.intervalMs);
    return show(reserved);
  });
  return { outcomes, instants };
}

/** Turns distances between steps into their times. */
function oneAfterAnother(steps: readonly Step[]): Step[] {
  let at = 0;
  return steps.map((step) => {
    at += step.at;
    return { ...step, at };
  });
}

function requests(ratePerSecond: number): Dimension {
  return { ...emptyTat(START), intervalMs: emissionIntervalMs(ratePerSecond), cost: 1, burst: null };
}

function reservation({ at, want = 1, lead = 0, notBefore }: Step, depthMs: number): Reservation {
  const notBeforeMs = notBefore === undefined ? null : START + notBefore;
  return { nowMs: START + at, leadMs: lead, count: want, depthMs, notBeforeMs };
}

function instantsOf(granted: Extract<Reserved, { kind: "granted" }>, nowMs: number): number[] {
  return Array.from({ length: granted.count }, (_, i) => nowMs + granted.firstInMs + i * granted.everyMs);
}

function expectSpaced(instants: readonly number[], intervalMs: number): void {
  for (const [i, instant] of instants.entries()) {
    if (i > 0) expect(instant - instants[i - 1]!).toBeGreaterThanOrEqual(intervalMs - 1e-6);
  }
}

function show(reserved: Reserved): string {
  if (reserved.kind === "granted") return `${reserved.count} from ${Math.round(reserved.firstInMs)}`;
  return reserved.kind === "deferred" ? `in ${Math.round(reserved.askAgainInMs)}` : "impossible";
}

describe("gcra", () => {
  const table: [rule: string, rate: number, steps: Step[], outcomes: string[]][] = [
    ["the first permit is at once", 10, [{ at: 0 }], ["1 from 0"]],
    ["the next one is an interval later", 10, [{ at: 0 }, { at: 0 }], ["1 from 0", "1 from 100"]],
    [
      "a batch is evenly spaced and the next one follows it",
      10,
      [{ at: 0, want: 3 }, { at: 50 }],
      ["3 from 0", "1 from 250"],
    ],
    [
      "unspent instants are lost",
      10,
      [{ at: 0 }, { at: 5000, want: 2 }, { at: 5000 }],
      ["1 from 0", "2 from 0", "1 from 200"],
    ],
    [
      "the lead moves the first instant away",
      10,
      [
        { at: 0, lead: 200 },
        { at: 0, lead: 200 },
      ],
      ["1 from 200", "1 from 300"],
    ],
    ["no more is given than lies within the depth", 10, [{ at: 0, want: 100 }], ["15 from 0"]],
    [
      "a full schedule defers",
      10,
      [{ at: 0, want: 100 }, { at: 0 }, { at: 2 }],
      ["15 from 0", "in 2", "1 from 1500"],
    ],
    ["a slow rate is given one at a time", 1 / 60, [{ at: 0, want: 5 }, { at: 0 }], ["1 from 0", "in 58560"]],
    [
      "nothing is given before a pause ends",
      10,
      [{ at: 0, notBefore: 900 }, { at: 0 }],
      ["1 from 900", "1 from 1000"],
    ],
    ["a pause beyond the depth defers", 10, [{ at: 0, notBefore: 9000 }, { at: 0 }], ["in 7500", "1 from 0"]],
  ];
  test.each(table)("%s", (_, rate, steps, outcomes) => {
    expect(run(rate, steps).outcomes).toEqual(outcomes);
  });

  const steps = fc.array(
    fc.record({
      at: fc.integer({ min: 0, max: 400 }),
      want: fc.integer({ min: 1, max: 300 }),
      lead: fc.constantFrom(0, 200),
    }),
    { minLength: 1, maxLength: 40 },
  );
  const rates = fc.oneof(
    fc.double({ min: 1e-4, max: 1e6, noNaN: true }),
    fc.constantFrom(1, 7, 1000, 2990, 1e6),
  );

  test("any window holds at most rate × window + 1 instants", () => {
    fc.assert(
      fc.property(rates, steps, (rate, gaps) => {
        const { instants } = run(rate, oneAfterAnother(gaps));
        // Spacing is checked step by step in `run`; here the sum over the longest window, free of drift.
        const windowMs = (instants.at(-1) ?? 0) - (instants[0] ?? 0);
        expect(instants.length).toBeLessThanOrEqual((rate * windowMs) / 1000 + 1 + 1e-6);
      }),
    );
  });

  test("a refusal is refused at every instant before the told time and granted exactly at it", () => {
    fc.assert(
      fc.property(
        rates,
        fc.integer({ min: 1, max: 5 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (rate, want, part) => {
          const full = fill(requests(rate));
          const ask = (nowMs: number) =>
            reserve([full], { nowMs, leadMs: 0, count: want, depthMs: 1500, notBeforeMs: null });
          const refused = ask(START);
          if (refused.kind !== "deferred") return;
          const toldMs = START + refused.askAgainInMs;
          expect(ask(toldMs).kind).toBe("granted");
          const beforeMs = START + Math.floor((refused.askAgainInMs * part) / TICK_MS) * TICK_MS;
          if (beforeMs < toldMs) expect(ask(beforeMs).kind).toBe("deferred");
        },
      ),
    );
  });

  test("over a day of single requests as fast as they come the rate is used and not exceeded", () => {
    let dimension = requests(1000);
    const calls = 1_000_000;
    for (let i = 0; i < calls; i++) {
      const nowMs = dimension.tatMs;
      const reserved = reserve([dimension], { nowMs, leadMs: 0, count: 1, depthMs: 1500, notBeforeMs: null });
      dimension = {
        ...dimension,
        ...(reserved.kind === "granted" ? reserved.tats[0]! : emptyTat(Number.NaN)),
      };
    }
    const perSecond = (calls * 1000) / (dimension.tatMs - START);
    expect(perSecond).toBeLessThanOrEqual(1000 * 0.999);
    expect(perSecond).toBeGreaterThan(1000 * 0.998);
  });
});

function fill(dimension: Dimension): Dimension {
  const want = { nowMs: START, leadMs: 0, count: 1e9, depthMs: 1500, notBeforeMs: null };
  const reserved = reserve([dimension], want);
  return reserved.kind === "granted" ? { ...dimension, ...reserved.tats[0]! } : dimension;
}

describe("several dimensions", () => {
  const want: Reservation = { nowMs: START, leadMs: 0, count: 3, depthMs: 60_000, notBeforeMs: null };
  const tokens = (cost: number, burst: number | null): Dimension => ({
    ...emptyTat(START),
    intervalMs: 1,
    cost,
    burst,
  });

  test("a permit waits for the slowest of them and all move together", () => {
    const reserved = reserve([requests(10), { ...tokens(500, null), tatMs: START + 40 }], want);
    expect(reserved).toMatchObject({ kind: "granted", firstInMs: 40, everyMs: 500, count: 3 });
    const [forRequests, forTokens] = reserved.kind === "granted" ? reserved.tats : [];
    expect(forRequests!.tatMs - START).toBeCloseTo(1040 + 100.1, 1);
    expect(forTokens!.tatMs - START).toBe(1540);
  });

  test("a cost above what the burst can hold is impossible, and names the dimension", () => {
    expect(reserve([requests(10), tokens(501, 500)], want)).toEqual({ kind: "impossible", dimension: 1 });
    expect(reserve([requests(10), tokens(500, 500)], want).kind).toBe("granted");
  });
});

describe("a changed interval", () => {
  test("acts right behind the last issued instant", () => {
    const minute = reserve([requests(1 / 60)], {
      nowMs: START,
      leadMs: 0,
      count: 1,
      depthMs: 1500,
      notBeforeMs: null,
    });
    const tat = minute.kind === "granted" ? minute.tats[0]! : emptyTat(0);
    const faster = retime(tat, { fromMs: emissionIntervalMs(1 / 60), toMs: emissionIntervalMs(1000) });
    expect(faster.tatMs - START).toBeCloseTo(1.001, 3);
    const slower = retime(faster, { fromMs: emissionIntervalMs(1000), toMs: emissionIntervalMs(1 / 60) });
    // Never too early; the grid of the short gap makes it a little late.
    expect(slower.tatMs - START).toBeGreaterThanOrEqual(60_060);
    expect(slower.tatMs - START).toBeLessThan(60_100);
  });

  test("leaves a limiter from which nothing was issued where it is", () => {
    expect(retime(emptyTat(START), { fromMs: 60_000, toMs: 1 })).toEqual(emptyTat(START));
  });
});
