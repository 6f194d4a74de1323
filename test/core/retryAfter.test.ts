import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseHttpDate, parseRetryAfter } from "../../src/core/retryAfter.ts";

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
    "2 seconds",
    "2,3",
    "Sat, 31 Feb 2026 12:00:00 GMT",
    "Sat, 21 Foo 2026 12:00:00 GMT",
    "Sat, 21 Nov 2026 25:00:00 GMT",
    "2026-11-21T12:00:31Z",
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
