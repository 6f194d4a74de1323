/**
 * HTTP-dates (RFC 9110, 5.6.7): IMF-fixdate, RFC 850 and asctime, and the ways in which servers come near them: a zone
 * in figures, no weekday, a day of one digit.
 */

/** Milliseconds since 1970 of an HTTP-date in any of its forms; null for anything else. */
export function parseHttpDate(text: string, nowMs: number): number | null {
  const imf = IMF.exec(text);
  if (imf) return instant({ year: imf[3], month: imf[2], day: imf[1], time: imf[4], zone: imf[5] });
  const rfc850 = RFC850.exec(text);
  if (rfc850) {
    const year = fullYear(Number(rfc850[3]), nowMs);
    return instant({ year, month: rfc850[2], day: rfc850[1], time: rfc850[4], zone: rfc850[5] });
  }
  const asctime = ASCTIME.exec(text);
  if (asctime)
    return instant({ year: asctime[4], month: asctime[1], day: asctime[2], time: asctime[3], zone: "GMT" });
  return null;
}

/** Milliseconds that a zone is ahead of UTC; null for what is not one. "GMT", "Z", "+02:00", "-0700". */
export function zoneMs(zone: string): number | null {
  if (/^(?:GMT|UTC|UT|Z)$/i.test(zone)) return 0;
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone) ?? [];
  if (sign === undefined || Number(hours) > 14 || Number(minutes) > 59) return null;
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

/** Milliseconds since 1970 of a calendar date and a time of day in UTC; null when there is no such day or time. */
export function utcMs(year: number, monthIndex: number, day: number, time: string): number | null {
  const [hours = 99, minutes = 99, seconds = 0] = time.split(":").map(Number);
  // 60 is a leap second, which the calendar below reads as the next minute.
  if (hours > 23 || minutes > 59 || seconds >= 61) return null;
  if (monthIndex < 0 || day < 1 || new Date(Date.UTC(year, monthIndex, day)).getUTCMonth() !== monthIndex) {
    return null;
  }
  return Date.UTC(year, monthIndex, day, hours, minutes) + Math.round(seconds * 1000);
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const TIME = "(\\d\\d:\\d\\d:\\d\\d)";
const MONTH = "([A-Z][a-z]{2})";
const ZONE = "(GMT|UTC|UT|Z|[+-]\\d\\d:?\\d\\d)";
const IMF = new RegExp(`^(?:[A-Z][a-z]{2}, ?)?(\\d\\d?) ${MONTH} (\\d{4}) ${TIME} ${ZONE}$`, "i");
const RFC850 = new RegExp(`^[A-Z][a-z]{5,8}, (\\d\\d)-${MONTH}-(\\d\\d) ${TIME} ${ZONE}$`, "i");
const ASCTIME = new RegExp(`^[A-Z][a-z]{2} ${MONTH} ([ \\d]\\d) ${TIME} (\\d{4})$`, "i");

function instant(date: {
  readonly year: string | number | undefined;
  readonly month: string | undefined;
  readonly day: string | undefined;
  readonly time: string | undefined;
  readonly zone: string | undefined;
}): number | null {
  const monthIndex = MONTHS.indexOf((date.month ?? "").toLowerCase());
  const atMs = utcMs(Number(date.year), monthIndex, Number(date.day), date.time ?? "");
  const aheadMs = zoneMs(date.zone ?? "");
  return atMs === null || aheadMs === null ? null : atMs - aheadMs;
}

/** Two digits: a date more than 50 years ahead is meant to be the past one with the same digits. */
function fullYear(twoDigits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + twoDigits;
  return year > thisYear + 50 ? year - 100 : year;
}
