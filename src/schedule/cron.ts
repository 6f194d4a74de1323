/**
 * When a cron expression is due in a time zone. The calendar is croner's; no timer of it is ever started.
 *
 * Where clocks change, an expression whose minute and hour are numbers, lists or ranges fires once for each time of
 * day it names: a time that the clock leaps over fires at the first instant after the leap, and one that comes twice
 * fires the first time. An expression with `*` or a step there goes by what the clock shows: nothing in the hour
 * that is left out, and in an hour that comes twice each of its instants, which are different ones.
 */
import { Cron } from "croner";
import { MISSED_COUNTED } from "../core/limits.ts";
import type { Due } from "../core/schedule/scheduleState.ts";
import { isTimeZone } from "../core/window/zone.ts";
import { type Invalid, problemsOf } from "../schema/complaint.ts";

export interface Calendar {
  /** What is due after `afterMs` and not after `untilMs`. */
  due(afterMs: number, untilMs: number): Omit<Due, "isKnown">;
  /** The next instants after `afterMs`, at most `count`. */
  next(afterMs: number, count: number): readonly number[];
}

const FIELDS = "minute hour day-of-month month day-of-week";
const ACCEPTED = `accepted are five fields, ${FIELDS}, as in "30 2 * * 1-5"`;
/** Text that is longer is not an expression that anybody could read. */
const MAX_CHARS = 200;

/** The calendar of an expression; refuses it, or the zone, with the reason. */
export function parseCron(
  cron: string,
  timeZone: string,
): { readonly kind: "ok"; readonly calendar: Calendar } | Invalid {
  if (!isTimeZone(timeZone)) {
    const message = 'is not known here; accepted are IANA names, as in "Europe/Berlin" or "UTC"';
    const zone = { path: "timeZone", message };
    const parsed = parseCron(cron, "UTC");
    return {
      kind: "invalid",
      ...zone,
      problems: [zone, ...(parsed.kind === "ok" ? [] : problemsOf(parsed))],
    };
  }
  const fields = cron.split(/\s+/).filter((field) => field !== "");
  if (cron.length > MAX_CHARS) return refuse(`is longer than ${MAX_CHARS} characters`);
  if (fields.length !== 5) return refuse(`has ${fields.length} field${fields.length === 1 ? "" : "s"}`);
  // croner reads `?` as the time of day at which it reads it.
  if (cron.includes("?")) return refuse('has a "?", which is not accepted: write "*"');
  try {
    const calendar = calendarOf(cron, timeZone);
    if (calendar.next(Date.now(), 1).length === 0)
      return refuse("never comes: no such day is in the calendar");
    return { kind: "ok", calendar };
  } catch (error) {
    return refuse(`is not valid: ${reason(error)}`);
  }
}

/** The calendar of an expression that `parseCron` has accepted. Throws for any other. */
export function calendarOf(cron: string, timeZone: string): Calendar {
  const calendar = new Cron(cron.trim().split(/\s+/).join(" "), {
    mode: "5-part",
    timezone: timeZone,
    fixedTimeRule: "no-wildcard",
    paused: true,
  });
  const next = (afterMs: number, count: number): readonly number[] =>
    calendar.nextRuns(count, new Date(afterMs)).map((date) => date.getTime());
  return {
    next,
    due(afterMs, untilMs) {
      // The reference itself is left out: the millisecond makes `untilMs` count.
      const [newest] = calendar.previousRuns(1, new Date(untilMs + 1));
      const newestMs = newest?.getTime() ?? null;
      if (newestMs === null || newestMs <= afterMs) return { newestMs: null, earlier: null };
      const earlier = next(afterMs, MISSED_COUNTED + 1).filter((ms) => ms < newestMs);
      if (earlier.length === 0) return { newestMs, earlier: null };
      const before = calendar.previousRuns(1, new Date(newestMs))[0]?.getTime() ?? newestMs;
      const isMore = earlier.length > MISSED_COUNTED;
      return {
        newestMs,
        earlier: { count: Math.min(earlier.length, MISSED_COUNTED), isMore, lastMs: before },
      };
    },
  };
}

function refuse(what: string): Invalid {
  return { kind: "invalid", path: "cron", message: `${what}; ${ACCEPTED}` };
}

/** croner's sentence without its class in front. */
function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^Cron\w*:\s*/, "").slice(0, MAX_CHARS);
}
