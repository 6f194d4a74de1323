/**
 * A wait as servers write it: seconds, a date, a moment since 1970, an ISO 8601 instant, a duration.
 *
 * A number that lies near the present, in seconds, milliseconds or finer, is a moment: as a number of seconds it would
 * be decades. Any other number is a duration. (Milliseconds sent as seconds cannot be told from seconds: whoever waits
 * has a ceiling.) A moment is read against the answer's own Date, because the target's clock wrote both; our clock is
 * used only where there is none. Invariant: the result is never negative, and what is not understood is null, never
 * a guess.
 */
import { parseHttpDate, utcMs, zoneMs } from "./httpDate.ts";

export interface Against {
  /** The answer's Date header; null where it has none. */
  readonly dateHeader: string | null;
  /** Wall time, milliseconds since 1970. */
  readonly nowMs: number;
}

/**
 * Milliseconds to wait from the moment of the answer, 0 or more; null when the text is not understood. `unitMs`: what
 * a bare number counts.
 */
export function readWait(value: string, against: Against, unitMs = 1000): number | null {
  const text = value
    .trim()
    .replace(/^"(.*)"$/, "$1")
    .trim();
  const fromMs = parseHttpDate(against.dateHeader?.trim() ?? "", against.nowMs) ?? against.nowMs;
  const single = readOne(text, fromMs, against.nowMs, unitMs);
  if (single !== null || !text.includes(", ")) return single;
  // A header that was sent twice arrives as one, its values separated by commas.
  const each = text.split(", ").map((part) => readOne(part.trim(), fromMs, against.nowMs, unitMs));
  return each.includes(null) ? null : Math.max(...each.map((ms) => ms ?? 0));
}

function readOne(text: string, fromMs: number, nowMs: number, unitMs: number): number | null {
  if (/^\d+(?:\.\d*)?$/.test(text)) {
    const momentMs = momentOf(Number(text), fromMs);
    return clamp(momentMs === null ? Number(text) * unitMs : momentMs - fromMs);
  }
  const atMs = parseHttpDate(text, nowMs) ?? isoInstantMs(text);
  if (atMs !== null) return clamp(atMs - fromMs);
  const ms = durationMs(text);
  return ms === null ? null : clamp(ms);
}

/** A number within this of the present is a moment. */
const NEAR_MS = 366 * 86_400_000;
/** Units in which moments are counted since 1970: s, ms, µs, ns. */
const EPOCH_UNITS_MS = [1000, 1, 1e-3, 1e-6];

function momentOf(n: number, fromMs: number): number | null {
  const atMs = EPOCH_UNITS_MS.map((unitMs) => n * unitMs).find((ms) => Math.abs(ms - fromMs) <= NEAR_MS);
  return atMs ?? null;
}

const ISO_INSTANT =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) ?(Z|UTC|GMT|[+-]\d\d:?\d\d)?$/i;

/** Without a zone it is UTC. */
function isoInstantMs(text: string): number | null {
  const [, year, month, day, time = "", zone = "Z"] = ISO_INSTANT.exec(text) ?? [];
  if (year === undefined) return null;
  const atMs = utcMs(Number(year), Number(month) - 1, Number(day), time.replace(",", "."));
  const aheadMs = zoneMs(zone);
  return atMs === null || aheadMs === null ? null : atMs - aheadMs;
}

function durationMs(text: string): number | null {
  return unitsMs(text) ?? isoDurationMs(text) ?? clockMs(text);
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const UNITS: readonly (readonly [pattern: RegExp, unitMs: number])[] = [
  [/^(?:ns|nanoseconds?)$/, 1e-6],
  [/^(?:us|\u00b5s|\u03bcs|microseconds?)$/, 1e-3],
  [/^(?:ms|msecs?|millis|milliseconds?)$/, 1],
  [/^(?:s|secs?|seconds?)$/, SECOND_MS],
  [/^(?:m|mins?|minutes?)$/, MINUTE_MS],
  [/^(?:h|hrs?|hours?)$/, HOUR_MS],
  [/^(?:d|days?)$/, DAY_MS],
];

const AMOUNT_AND_UNIT = "(\\d+(?:\\.\\d+)?)\\s*([a-zµμ]+)";
const BETWEEN = "(?:\\s*,?\\s*(?:and\\s+)?)";
const WITH_UNITS = new RegExp(`^(?:in )?${AMOUNT_AND_UNIT}(?:${BETWEEN}${AMOUNT_AND_UNIT})*$`);

/** "30s", "1m30s", "500ms", "120 seconds", "1 minute and 30 seconds". */
function unitsMs(text: string): number | null {
  const lower = text.toLowerCase();
  if (!WITH_UNITS.test(lower)) return null;
  let ms = 0;
  for (const [, amount, name = ""] of lower.replace(/^in /, "").matchAll(new RegExp(AMOUNT_AND_UNIT, "g"))) {
    const unitMs = UNITS.find(([pattern]) => pattern.test(name))?.[1];
    if (unitMs === undefined) return null;
    ms += Number(amount) * unitMs;
  }
  return ms;
}

const AMOUNT = "(\\d+(?:\\.\\d+)?)";
const ISO_DURATION = new RegExp(
  `^P(?=.)(?:${AMOUNT}W)?(?:${AMOUNT}D)?(?:T(?=.)(?:${AMOUNT}H)?(?:${AMOUNT}M)?(?:${AMOUNT}S)?)?$`,
  "i",
);

/** "PT30S", "PT1M30.5S", "P1D". */
function isoDurationMs(text: string): number | null {
  const parts = ISO_DURATION.exec(text);
  if (parts === null) return null;
  const units = [7 * DAY_MS, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS];
  return units.reduce((sum, unitMs, at) => sum + Number(parts[at + 1] ?? 0) * unitMs, 0);
}

/** "00:01:30", "1.02:00:00" with days in front. */
function clockMs(text: string): number | null {
  const [, days = "0", hours, minutes, seconds] =
    /^(?:(\d+)\.)?(\d\d?):(\d\d):(\d\d(?:\.\d+)?)$/.exec(text) ?? [];
  if (hours === undefined || Number(minutes) > 59 || Number(seconds) >= 60) return null;
  return (
    Number(days) * DAY_MS + Number(hours) * HOUR_MS + Number(minutes) * MINUTE_MS + Number(seconds) * 1000
  );
}

function clamp(ms: number): number {
  return Math.min(Math.max(0, Math.ceil(ms)), Number.MAX_SAFE_INTEGER);
}
