import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseInstant } from "../../src/core/time.ts";
import { calendarOf, parseCron } from "../../src/schedule/cron.ts";
import { fillPlaceholders, usesWatermark } from "../../src/schedule/placeholders.ts";

const iso = (ms: number) => new Date(ms).toISOString().slice(0, 16);
const after = (cron: string, zone: string, from: string, count: number) =>
  calendarOf(cron, zone).next(Date.parse(from), count).map(iso);

describe("a cron expression", () => {
  test.each([
    ["of UTC", "30 2 * * *", "UTC", "2026-03-28T12:00Z", ["2026-03-29T02:30", "2026-03-30T02:30"]],
    [
      "leapt over fires right after the leap",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-03-28T12:00Z",
      ["2026-03-29T01:00", "2026-03-30T00:30"],
    ],
    [
      "that comes twice fires the first time",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-10-24T12:00Z",
      ["2026-10-25T00:30", "2026-10-26T01:30"],
    ],
    [
      "with lists of hours counts as a time of day",
      "30 2,14 * * *",
      "Europe/Berlin",
      "2026-03-28T20:00Z",
      ["2026-03-29T01:00", "2026-03-29T12:30"],
    ],
    [
      "with * goes by every instant of an hour that comes twice",
      "30 * * * *",
      "Europe/Berlin",
      "2026-10-25T00:00Z",
      ["2026-10-25T00:30", "2026-10-25T01:30"],
    ],
    [
      "of weekdays",
      "0 9 * * 1-5",
      "America/New_York",
      "2026-01-02T20:00Z",
      ["2026-01-05T14:00", "2026-01-06T14:00"],
    ],
  ])("%s", (_, cron, zone, from, expected) => {
    expect(after(cron, zone, from, expected.length)).toEqual(expected);
  });

  test("is due looking back exactly where it comes looking forward", () => {
    const crons = ["*/7 * * * *", "30 2 * * *", "0 */3 * * *", "15 1-3 * * *", "0 12 1 * *", "0 0 * * 0"];
    const zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];
    const world = fc.record({
      cron: fc.constantFrom(...crons),
      zone: fc.constantFrom(...zones),
      fromMs: fc.integer({ min: Date.UTC(2025, 0), max: Date.UTC(2027, 0) }),
      hours: fc.integer({ min: 1, max: 60 }),
    });
    fc.assert(
      fc.property(world, ({ cron, zone, fromMs, hours }) => {
        const calendar = calendarOf(cron, zone);
        const untilMs = fromMs + hours * 3_600_000;
        const all = calendar.next(fromMs, 600).filter((ms) => ms <= untilMs);
        expect(new Set(all).size).toBe(all.length);
        const { newestMs, earlier } = calendar.due(fromMs, untilMs);
        expect(newestMs).toBe(all.at(-1) ?? null);
        expect(earlier?.count ?? 0).toBe(Math.min(100, Math.max(0, all.length - 1)));
        if (earlier !== null) expect(earlier.lastMs).toBe(all.at(-2));
        if (newestMs !== null) expect(calendar.due(newestMs, newestMs).newestMs).toBeNull();
        if (newestMs !== null) expect(calendar.due(newestMs - 1, newestMs).newestMs).toBe(newestMs);
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    ["", "UTC", "cron", /has 0 fields; accepted are five/],
    ["0 0 3 * * *", "UTC", "cron", /has 6 fields/],
    ["0 25 * * *", "UTC", "cron", /Invalid value for hour: 25/],
    ["? * * * *", "UTC", "cron", /"\?"/],
    ["0 0 30 2 *", "UTC", "cron", /never comes/],
    ["0 3 * * *", "CEST", "timeZone", /IANA/],
    ["0 3 * * *", "", "timeZone", /IANA/],
  ])("%j in %j is refused with the reason", (cron, zone, path, message) => {
    expect(parseCron(cron, zone)).toMatchObject({
      kind: "invalid",
      path,
      message: expect.stringMatching(message),
    });
  });
});

describe("placeholders", () => {
  const values = { scheduledAtMs: Date.UTC(2026, 0, 2), watermarkMs: Date.UTC(2026, 0, 1) };
  test("are replaced once, in strings alone; everything else stays", () => {
    const spec = {
      "{{watermark}}": 1,
      a: ["x{{ scheduledAt }}y", { b: "{{watermark}}{{item}}{{secret:K}}" }],
      n: null,
    };
    expect(fillPlaceholders(spec, values)).toEqual({
      "{{watermark}}": 1,
      a: ["x2026-01-02T00:00:00.000Zy", { b: "2026-01-01T00:00:00.000Z{{item}}{{secret:K}}" }],
      n: null,
    });
  });
  test("that nobody gave a value stay", () => {
    expect(fillPlaceholders("{{watermark}}", { ...values, watermarkMs: null })).toBe("{{watermark}}");
    expect([usesWatermark("{{ watermark }}"), usesWatermark({ a: "{{scheduledAt}}" })]).toEqual([
      true,
      false,
    ]);
  });
});

describe("an instant", () => {
  test.each([
    ["2026-01-01T00:00Z", "2026-01-01T00:00"],
    ["2026-01-01", "2026-01-01T00:00"],
    ["2026-01-01T02:30:15.5+02:00", "2026-01-01T00:30"],
  ])("%s is %s", (text, expected) => expect(iso(parseInstant(text) ?? 0)).toBe(expected));
  test.each([["2026-01-01T00:00"], ["yesterday"], ["2026-02-30"], ["2026-13-01"], [""], ["1767225600000"]])(
    "%j is none",
    (text) => expect(parseInstant(text)).toBeNull(),
  );
});
