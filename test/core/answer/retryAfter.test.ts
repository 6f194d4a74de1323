import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseHttpDate } from "../../../src/core/answer/httpDate.ts";
import { parseRetryAfter } from "../../../src/core/answer/retryAfter.ts";

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);
const DATE = "Sat, 21 Nov 2026 12:00:00 GMT";

function run(value: string | null, dateHeader: string | null = DATE): number | null {
  const ms = parseRetryAfter(value, { dateHeader, nowMs: NOW });
  if (ms !== null) expect(ms).toBeGreaterThanOrEqual(0);
  return ms;
}

describe("Retry-After", () => {
  test.each([
    ["2", 2000],
    ["0", 0],
    [" 120 ", 120_000],
    ["1.5", 1500],
    ["9".repeat(400), Number.MAX_SAFE_INTEGER],
    ["Sat, 21 Nov 2026 12:00:31 GMT", 31_000],
    ["Saturday, 21-Nov-26 12:00:31 GMT", 31_000],
    ["Sat Nov 21 12:00:31 2026", 31_000],
    ["Sat Nov  1 12:00:31 2026", 0],
    ["Sat, 21 Nov 2026 11:59:00 GMT", 0],
    ["Sat, 21 Nov 2026 12:00:31 UTC", 31_000],
    ["Sat, 21 Nov 2026 14:00:31 +0200", 31_000],
    ["21 Nov 2026 12:00:31 GMT", 31_000],
    ['"30"', 30_000],
    ["30, 60", 60_000],
    [`${NOW / 1000 + 7}`, 7000],
    [`${NOW / 1000 + 7.25}`, 7250],
    [`${NOW / 1000 - 7}`, 0],
    [`${NOW + 7500}`, 7500],
    [`${NOW + 86_400_000}`, 86_400_000],
    [`${(NOW + 7) * 1000}`, 7],
    ["86400", 86_400_000],
    ["30000", 30_000_000],
    ["2026-11-21T12:00:31Z", 31_000],
    ["2026-11-21T12:00:31.250Z", 31_250],
    ["2026-11-21T14:00:31+02:00", 31_000],
    ["2026-11-21T12:01Z", 60_000],
    ["2026-11-21 12:00:31", 31_000],
    ["30s", 30_000],
    ["1m30s", 90_000],
    ["1h2m3.5s", 3_723_500],
    ["500ms", 500],
    ["250µs", 1],
    ["2 seconds", 2000],
    ["120 Seconds", 120_000],
    ["1 minute and 30 seconds", 90_000],
    ["in 5 minutes", 300_000],
    ["1 day", 86_400_000],
    ["PT30S", 30_000],
    ["PT1M30.5S", 90_500],
    ["P1DT1H", 90_000_000],
    ["00:01:30", 90_000],
    ["1.00:00:05", 86_405_000],
  ])("%s means %d ms", (value, ms) => {
    expect(run(value)).toBe(ms);
  });

  const garbage = [
    null,
    "",
    "soon",
    "-1",
    "1e3",
    "0x10",
    "Infinity",
    "2,3",
    "2 sheep",
    "30s later",
    "PT",
    "P",
    "00:61:00",
    "2026-02-31T12:00:00Z",
    "2026-11-21T12:00:31+99:00",
    "30, soon",
    "Sat, 31 Feb 2026 12:00:00 GMT",
    "Sat, 21 Foo 2026 12:00:00 GMT",
    "Sat, 21 Nov 2026 25:00:00 GMT",
    "Sat, 00 Nov 2026 12:00:00 GMT",
  ];
  test.each(garbage)("%j says nothing", (value) => {
    expect(run(value)).toBeNull();
  });

  test("a date is read against the answer's own Date, whatever our clock says", () => {
    expect(run("Sun, 06 Nov 1994 08:49:57 GMT", "Sun, 06 Nov 1994 08:49:37 GMT")).toBe(20_000);
  });

  test.each([null, "", "yesterday"])("with the Date header %j it is read against our clock", (dateHeader) => {
    expect(run("Sat, 21 Nov 2026 12:00:05 GMT", dateHeader)).toBe(5000);
  });

  test("a year of two digits is never more than 50 years ahead", () => {
    expect(parseHttpDate("Sunday, 06-Nov-94 08:49:37 GMT", NOW)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
    expect(parseHttpDate("Friday, 06-Nov-76 08:49:37 GMT", NOW)).toBe(Date.UTC(2076, 10, 6, 8, 49, 37));
  });

  test("every HTTP-date of a whole second is read exactly", () => {
    const seconds = fc.integer({ min: 0, max: 4_000_000_000 });
    fc.assert(
      fc.property(seconds, (s) => {
        expect(parseHttpDate(new Date(s * 1000).toUTCString(), NOW)).toBe(s * 1000);
      }),
    );
  });

  test("no text brings anything but null or a wait", () => {
    fc.assert(fc.property(fc.string(), fc.string(), (value, date) => void run(value, date)));
  });
});
