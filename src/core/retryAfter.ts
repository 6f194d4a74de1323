/**
 * Retry-After (RFC 9110, 10.2.3): seconds, or an HTTP-date in any of its three forms.
 *
 * A date is read against the answer's own Date header, because the target's clock wrote both; our clock is
 * used only where there is none. Invariant: the result is never negative, and garbage is null, never a guess.
 */

/**
 * Milliseconds to wait from the moment of the answer, 0 or more; null when nothing usable was said.
 * `nowMs` is wall time in milliseconds since 1970.
 */
export function parseRetryAfter(
  value: string | null,
  against: { readonly dateHeader: string | null; readonly nowMs: number },
): number | null {
  const text = value?.trim() ?? "";
  // Decimals are not in the RFC, but targets send them.
  if (/^\d+(\.\d+)?$/.test(text)) return clamp(Number(text) * 1000);
  const atMs = parseHttpDate(text, against.nowMs);
  if (atMs === null) return null;
  const fromMs = parseHttpDate(against.dateHeader?.trim() ?? "", against.nowMs) ?? against.nowMs;
  return clamp(atMs - fromMs);
}

/** Milliseconds since 1970 of an IMF-fixdate, RFC 850 or asctime date; null for anything else. */
export function parseHttpDate(text: string, nowMs: number): number | null {
  const imf = IMF.exec(text);
  if (imf) return instant(imf[3], imf[2], imf[1], imf[4]);
  const rfc850 = RFC850.exec(text);
  if (rfc850) return instant(fullYear(Number(rfc850[3]), nowMs), rfc850[2], rfc850[1], rfc850[4]);
  const asctime = ASCTIME.exec(text);
  if (asctime) return instant(asctime[4], asctime[1], asctime[2], asctime[3]);
  return null;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const TIME = "(\\d\\d:\\d\\d:\\d\\d)";
const MONTH = "([A-Z][a-z]{2})";
const IMF = new RegExp(`^[A-Z][a-z]{2}, (\\d\\d) ${MONTH} (\\d{4}) ${TIME} GMT$`);
const RFC850 = new RegExp(`^[A-Z][a-z]{5,8}, (\\d\\d)-${MONTH}-(\\d\\d) ${TIME} GMT$`);
const ASCTIME = new RegExp(`^[A-Z][a-z]{2} ${MONTH} ([ \\d]\\d) ${TIME} (\\d{4})$`);

function instant(
  year: string | number | undefined,
  month: string | undefined,
  day: string | undefined,
  time: string | undefined,
): number | null {
  const monthIndex = MONTHS.indexOf(month ?? "");
  const [hours = 99, minutes = 99, seconds = 99] = (time ?? "").split(":").map(Number);
  // 60 is a leap second, which the calendar below reads as the next minute.
  if (monthIndex < 0 || hours > 23 || minutes > 59 || seconds > 60) return null;
  const atMs = Date.UTC(Number(year), monthIndex, Number(day), hours, minutes, seconds);
  return Number(day) >= 1 &&
    new Date(Date.UTC(Number(year), monthIndex, Number(day))).getUTCMonth() === monthIndex
    ? atMs
    : null;
}

/** Two digits: a date more than 50 years ahead is meant to be the past one with the same digits. */
function fullYear(twoDigits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + twoDigits;
  return year > thisYear + 50 ? year - 100 : year;
}

function clamp(ms: number): number {
  return Math.min(Math.max(0, Math.ceil(ms)), Number.MAX_SAFE_INTEGER);
}
