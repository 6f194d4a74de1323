/** Permits that lie apart: which places they take, and that no place is ever given out twice. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Booking,
  book,
  createCalendar,
  forgetPlaces,
  hasPlaces,
} from "../../../src/core/limiter/calendar.ts";
import { emissionIntervalMs, emptyTat, reserve, type Tat } from "../../../src/core/limiter/gcra.ts";

const START = 1_700_000_000_000;
const DEPTH_MS = 1500;

/** A line of instants and its calendar; times are relative to `START`. */
class Line {
  readonly calendar = createCalendar();
  readonly issued: number[] = [];
  tat: Tat = emptyTat(START);
  /** 100 a second, without the headroom: 10 ms a slot. */
  intervalMs = 10;

  /** Instants given, null for none. */
  book(at: number, count: number, spacingMs = this.intervalMs, leadMs = 0): readonly number[] | null {
    return this.#book(at, { count, spacingMs, leadMs, takesPlaces: true });
  }

  /** Instants for who knows only of evenly spaced ones. */
  bookEvenly(at: number, count: number, leadMs = 0): readonly number[] | null {
    return this.#book(at, { count, spacingMs: this.intervalMs, leadMs, takesPlaces: false });
  }

  #book(at: number, wanted: Pick<Booking, "count" | "spacingMs" | "leadMs" | "takesPlaces">) {
    const want = { nowMs: START + at, depthMs: DEPTH_MS, intervalMs: this.intervalMs, ...wanted };
    const booked = book(this.calendar, this.tat, want);
    if (booked === null) return null;
    expect(booked.tat.tatMs).toBeGreaterThanOrEqual(this.tat.tatMs);
    this.tat = booked.tat;
    return this.#give(booked.inMs.map((inMs) => at + inMs));
  }

  /** Permits from elsewhere, behind the TAT. */
  reserve(at: number, count: number): readonly number[] {
    const dimension = { ...this.tat, intervalMs: this.intervalMs, cost: 1, burst: null };
    const want = { nowMs: START + at, leadMs: 0, count, depthMs: DEPTH_MS, notBeforeMs: null };
    const reserved = reserve([dimension], want);
    if (reserved.kind !== "granted") return [];
    this.tat = reserved.tats[0]!;
    const { firstInMs, everyMs } = reserved;
    return this.#give(Array.from({ length: reserved.count }, (_, i) => at + firstInMs + i * everyMs));
  }

  get hasPlaces(): boolean {
    return hasPlaces(this.calendar, this.tat, this.intervalMs);
  }

  #give(instants: readonly number[]): readonly number[] {
    this.issued.push(...instants);
    return instants;
  }
}

describe("a calendar", () => {
  it("gives instants that lie apart, and those between them to others", () => {
    const line = new Line();
    expect(line.book(0, 3, 30)).toEqual([0, 30, 60]);
    expect(line.book(0, 3, 30)).toEqual([10, 40, 70]);
    expect(line.book(0, 4)).toEqual([20, 50, 80, 90]);
    expect(line.hasPlaces).toBe(false);
  });

  it("takes the first free place far enough behind the one before", () => {
    const line = new Line();
    line.book(0, 3, 30);
    expect(line.book(0, 3, 20)).toEqual([10, 40, 70]);
    expect(line.book(0, 2, 20)).toEqual([20, 50]);
  });

  it("gives who knows only of evenly spaced ones what lies behind all others, and keeps its places", () => {
    const line = new Line();
    line.book(0, 3, 30);
    expect(line.bookEvenly(0, 3)).toEqual([70, 80, 90]);
    expect(line.bookEvenly(0, 2, 120)).toEqual([120, 130]);
    expect(line.book(0, 7)).toEqual([10, 20, 40, 50, 100, 110, 140]);
  });

  it("gives nothing closer than the lead", () => {
    const line = new Line();
    line.book(0, 3, 30);
    expect(line.book(0, 2, 10, 35)).toEqual([40, 50]);
  });

  it("gives no place whose time is over", () => {
    const line = new Line();
    line.book(0, 3, 30);
    expect(line.book(45, 2)).toEqual([50, 70]);
  });

  it("gives as many as lie within the depth, and none when none does", () => {
    const line = new Line();
    expect(line.book(0, 5, 700)).toEqual([0, 700, 1400]);
    line.book(0, 1000);
    expect(line.book(0, 1)).toBeNull();
    expect(line.issued).toHaveLength(151);
  });

  it("begins anew where nothing was asked for meanwhile: no place is kept for later", () => {
    const line = new Line();
    line.book(0, 2, 100);
    expect(line.book(5000, 3, 20)).toEqual([5000, 5020, 5040]);
  });

  it.each<[string, (line: Line) => void]>([
    ["another rate", (line) => (line.intervalMs = 20)],
    ["permits from elsewhere", (line) => line.reserve(0, 1)],
    ["a leap of the clock", (line) => forgetPlaces(line.calendar)],
  ])("forgets its places after %s, and goes on behind the TAT", (_, happens) => {
    const line = new Line();
    line.book(0, 2, 100);
    expect(line.hasPlaces).toBe(true);
    happens(line);
    expect(line.hasPlaces).toBe(false);
    expect(line.book(0, 1, 10)![0]).toBeGreaterThanOrEqual(110);
  });

  it("never lets two instants lie closer than an interval, whoever asks for what, and its TAT is behind them all", () => {
    const step = fc.record({
      afterMs: fc.integer({ min: 0, max: 400 }),
      count: fc.integer({ min: 1, max: 20 }),
      spacingMs: fc.double({ min: 0, max: 300, noNaN: true }),
      leadMs: fc.integer({ min: 0, max: 200 }),
      kind: fc.constantFrom("book", "book", "even", "reserve"),
    });
    const rate = fc.double({ min: 1, max: 5000, noNaN: true });
    fc.assert(
      fc.property(rate, fc.array(step, { maxLength: 40 }), (perSecond, steps) => {
        const line = new Line();
        line.intervalMs = emissionIntervalMs(perSecond);
        let at = 0;
        for (const { afterMs, count, spacingMs, leadMs, kind } of steps) {
          at += afterMs;
          if (kind === "reserve") line.reserve(at, count);
          else if (kind === "even") {
            const given = line.bookEvenly(at, count, leadMs) ?? [];
            const [first = 0] = given;
            for (const [i, instant] of given.entries())
              expect(instant).toBeCloseTo(first + i * line.intervalMs, 3);
          } else {
            const given = line.book(at, count, spacingMs, leadMs) ?? [];
            for (const [i, instant] of given.entries()) {
              expect(instant).toBeGreaterThanOrEqual(at + leadMs - 1e-3);
              expect(instant).toBeLessThanOrEqual(at + DEPTH_MS + 1e-3);
              if (i > 0) expect(instant - given[i - 1]!).toBeGreaterThanOrEqual(spacingMs - 1e-3);
            }
          }
        }
        const sorted = line.issued.toSorted((a, b) => a - b);
        for (const [i, instant] of sorted.entries()) {
          if (i > 0) expect(instant - sorted[i - 1]!).toBeGreaterThanOrEqual(line.intervalMs - 1e-3);
        }
        const last = sorted.at(-1);
        if (last !== undefined)
          expect(line.tat.tatMs).toBeGreaterThanOrEqual(START + last + line.intervalMs - 1e-3);
      }),
    );
  });
});
