import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WindowSpec } from "../../../src/core/spec.ts";
import { doneAtMs, openMsBetween } from "../../../src/core/window/openTime.ts";
import { DAYS, openingAt, parseTimeOfDay } from "../../../src/core/window/window.ts";
import { isTimeZone, offsetMs } from "../../../src/core/window/zone.ts";

const MINUTE_MS = 60_000;
const NIGHT: WindowSpec = { from: "22:00", to: "06:00", timeZone: "Europe/Berlin", days: null };

const at = (text: string): number => Date.parse(text);
const text = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/** Whether the window is open by what a clock on the wall shows, read with other means than the product's. */
function isOpenByTheWall({ from, to, timeZone, days }: WindowSpec, ms: number): boolean {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).formatToParts(ms);
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? "";
  const shown = `${part("hour")}:${part("minute")}`;
  const today = part("weekday").toLowerCase();
  const week: readonly string[] = DAYS;
  const yesterday = week[(week.indexOf(today) + 6) % 7]!;
  const on = (day: string) => days === null || (days as readonly string[]).includes(day);
  if (from < to) return on(today) && shown >= from && shown < to;
  return (on(today) && shown >= from) || (on(yesterday) && shown < to);
}

/** Zones with every kind of change: an hour, half an hour, at midnight, a whole day, none, and one without hours. */
const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "Australia/Lord_Howe",
  "America/Santiago",
  "Africa/Cairo",
  "Africa/Casablanca",
  "Asia/Kathmandu",
  "Pacific/Apia",
] as const;

/** Instants near which clocks change. */
const CHANGES = [
  "2026-03-29T01:00Z",
  "2026-10-25T01:00Z",
  "2026-03-08T07:00Z",
  "2026-11-01T06:00Z",
  "2026-04-04T15:00Z",
  "2026-10-03T15:30Z",
  "2026-09-06T04:00Z",
  "2026-04-23T22:00Z",
  "2011-12-30T10:00Z",
  "2026-02-15T02:00Z",
].map(at);

const time = fc
  .integer({ min: 0, max: 1439 })
  .map(
    (minute) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`,
  );
const window = fc
  .record({
    from: time,
    to: fc.oneof(time, fc.constant("24:00")),
    timeZone: fc.constantFrom(...ZONES),
    days: fc.option(fc.subarray([...DAYS], { minLength: 1 })),
  })
  .filter(({ from, to }) => from !== to);
const instant = fc
  .record({
    near: fc.oneof(fc.constantFrom(...CHANGES), fc.integer({ min: 0, max: at("2038-01-01T00:00Z") })),
    offMinutes: fc.integer({ min: -2880, max: 2880 }),
    offMs: fc.integer({ min: 0, max: MINUTE_MS - 1 }),
  })
  .map(({ near, offMinutes, offMs }) => near + offMinutes * MINUTE_MS + offMs);

describe("a window", () => {
  it("is open exactly while the clock of its zone shows a time within it", () => {
    fc.assert(
      fc.property(window, instant, (spec, ms) => {
        expect(openingAt(spec, ms).isOpen).toBe(isOpenByTheWall(spec, ms));
      }),
      { numRuns: 1000 },
    );
  });

  it("changes at the instant that it says, and not before", () => {
    fc.assert(
      fc.property(window, instant, (spec, ms) => {
        const { isOpen, changesAtMs } = openingAt(spec, ms);
        // Every minute of the stretch, up to two days of it; the clocks of all these zones change on whole minutes.
        const endMs = Math.min(changesAtMs ?? Number.POSITIVE_INFINITY, ms + 2 * 1440 * MINUTE_MS);
        const firstMs = Math.ceil(ms / MINUTE_MS) * MINUTE_MS;
        for (let minute = firstMs; minute < endMs; minute += 7 * MINUTE_MS)
          expect(isOpenByTheWall(spec, minute), text(minute) ?? "").toBe(isOpen);
        if (changesAtMs === null) return;
        expect(changesAtMs).toBeGreaterThan(ms);
        expect(isOpenByTheWall(spec, changesAtMs), text(changesAtMs) ?? "").toBe(!isOpen);
        if (changesAtMs - 1 >= ms) expect(isOpenByTheWall(spec, changesAtMs - 1)).toBe(isOpen);
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    ["in winter", "2026-01-15T12:00Z", { isOpen: false, changesAtMs: "2026-01-15T21:00:00.000Z" }],
    ["in summer", "2026-07-15T12:00Z", { isOpen: false, changesAtMs: "2026-07-15T20:00:00.000Z" }],
    ["after midnight", "2026-01-15T02:00Z", { isOpen: true, changesAtMs: "2026-01-15T05:00:00.000Z" }],
    [
      "in the night that loses an hour",
      "2026-03-28T23:00Z",
      { isOpen: true, changesAtMs: "2026-03-29T04:00:00.000Z" },
    ],
    [
      "in the night that gains one",
      "2026-10-24T23:00Z",
      { isOpen: true, changesAtMs: "2026-10-25T05:00:00.000Z" },
    ],
  ])("over midnight in Berlin, %s", (_, from, { isOpen, changesAtMs }) => {
    const opening = openingAt(NIGHT, at(from));
    expect([opening.isOpen, text(opening.changesAtMs)]).toEqual([isOpen, changesAtMs]);
  });

  it("that begins in the hour that is left out opens after it", () => {
    const early: WindowSpec = { ...NIGHT, from: "02:30", to: "04:00" };
    expect(text(openingAt(early, at("2026-03-29T00:00Z")).changesAtMs)).toBe("2026-03-29T01:00:00.000Z");
    const gone: WindowSpec = { ...NIGHT, from: "02:00", to: "03:00" };
    expect(text(openingAt(gone, at("2026-03-29T00:30Z")).changesAtMs)).toBe("2026-03-30T00:00:00.000Z");
  });

  it("of an hour that comes twice is open twice", () => {
    const twice: WindowSpec = { ...NIGHT, from: "02:00", to: "02:30" };
    const changes: (string | null)[] = [];
    let ms = at("2026-10-24T23:00Z");
    for (let n = 0; n < 4; n++) {
      ms = openingAt(twice, ms).changesAtMs ?? Number.NaN;
      changes.push(text(ms));
    }
    expect(changes).toEqual([
      "2026-10-25T00:00:00.000Z",
      "2026-10-25T00:30:00.000Z",
      "2026-10-25T01:00:00.000Z",
      "2026-10-25T01:30:00.000Z",
    ]);
  });

  it("belongs to the day on which it begins", () => {
    const weekdays: WindowSpec = { ...NIGHT, days: ["mon", "tue", "wed", "thu", "fri"] };
    const saturdayNight = openingAt(weekdays, at("2026-01-17T02:00Z"));
    expect([saturdayNight.isOpen, text(saturdayNight.changesAtMs)]).toEqual([
      true,
      "2026-01-17T05:00:00.000Z",
    ]);
    expect(text(openingAt(weekdays, at("2026-01-17T06:00Z")).changesAtMs)).toBe("2026-01-19T21:00:00.000Z");
  });

  it("of all hours never closes, and one of whole days closes at midnight", () => {
    const always: WindowSpec = { from: "00:00", to: "24:00", timeZone: "Europe/Berlin", days: null };
    expect(openingAt(always, at("2026-03-29T00:30Z"))).toEqual({ isOpen: true, changesAtMs: null });
    const weekend: WindowSpec = { ...always, days: ["sat", "sun"] };
    expect(text(openingAt(weekend, at("2026-01-17T12:00Z")).changesAtMs)).toBe("2026-01-18T23:00:00.000Z");
  });
});

describe("open time", () => {
  it("is done when so much of it has passed: one is the other's inverse", () => {
    fc.assert(
      fc.property(window, instant, fc.integer({ min: 1, max: 3 * 86_400_000 }), (spec, ms, workMs) => {
        const doneMs = doneAtMs(spec, ms, workMs);
        if (doneMs === null) return;
        expect(openMsBetween(spec, ms, doneMs)).toBe(workMs);
        expect(openMsBetween(spec, ms, doneMs - 1)).toBe(workMs - 1);
      }),
      { numRuns: 100 },
    );
  });

  it("is all time without a window, and none backwards", () => {
    expect(doneAtMs(null, 5, 10)).toBe(15);
    expect(openMsBetween(null, 5, 15)).toBe(10);
    expect(openMsBetween(null, 15, 5)).toBe(0);
    expect(openMsBetween(NIGHT, at("2026-01-15T02:00Z"), at("2026-01-14T02:00Z"))).toBe(0);
  });

  it("goes over the day between two nights", () => {
    expect(text(doneAtMs(NIGHT, at("2026-01-15T04:00Z"), 2 * 3_600_000))).toBe("2026-01-15T22:00:00.000Z");
  });
});

describe("a time of day", () => {
  it.each([
    ["00:00", 0],
    ["06:30", 390],
    ["24:00", 1440],
    ["24:01", null],
    ["12:60", null],
    ["6:30", null],
    ["", null],
  ])("%s", (written, minute) => expect(parseTimeOfDay(written)).toBe(minute));
});

describe("a time zone", () => {
  it.each([
    ["Europe/Berlin", true],
    ["UTC", true],
    ["+02:00", false],
    ["Europe/Atlantis", false],
    ["", false],
  ])("%s", (name, isOne) => expect(isTimeZone(name)).toBe(isOne));

  it("has the offset of its clock, also one of seconds and one of before 1970", () => {
    expect(offsetMs("Asia/Kathmandu", 0)).toBe(5.5 * 3_600_000);
    expect(offsetMs("America/New_York", at("2026-07-01T00:00Z"))).toBe(-4 * 3_600_000);
    expect(offsetMs("Europe/Berlin", at("1880-01-01T00:00Z"))).toBe((53 * 60 + 28) * 1000);
  });
});
