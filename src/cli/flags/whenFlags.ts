/** Flags that say when calls may leave, how they begin, and by when all is to be done, as the keys of a spec. */
import type { Json } from "../../core/spec.ts";
import { DAYS } from "../../core/window/window.ts";
import { type Flags, shown } from "./arguments.ts";

type JsonObject = { readonly [key: string]: Json };

/** What the flags change in a window: null takes it away, undefined: none of them was given. Refuses by flag. */
export function windowFlags(flags: Flags): JsonObject | null | undefined {
  const hours = hoursFlag(flags);
  if (hours === null) return null;
  const days = daysFlag(flags);
  const timeZone = flags.get("time-zone");
  const given = {
    ...hours,
    ...(timeZone !== null && { timeZone }),
    ...(days !== undefined && { days }),
  };
  return Object.keys(given).length === 0 ? undefined : given;
}

/** The window of a spec with the flags over it. */
export function withWindowFlags(written: JsonObject | null, flags: Flags): JsonObject | null {
  const given = windowFlags(flags);
  if (given === undefined || given === null) return given === null ? null : written;
  const saysHours = written !== null || "from" in given || "days" in given;
  if (!saysHours && !flags.refused.has("window") && !flags.refused.has("days"))
    flags.refuse("time-zone", "--time-zone needs --window or --days: it is their zone");
  return { ...written, ...given };
}

/** `--ramp`, `--ramp 20%` or `--ramp none` as `ramp`; null takes it away, undefined: it was not given. */
export function rampFlag(flags: Flags): JsonObject | null | undefined {
  const text = flags.get("ramp");
  if (text === null) return undefined;
  if (text === "none") return null;
  return text === "" ? {} : { from: text };
}

/** The ramp of a spec with the flag over it. */
export function withRampFlag(written: JsonObject | null, flags: Flags): JsonObject | null {
  const given = rampFlag(flags);
  return given === undefined ? written : given === null ? null : { ...written, ...given };
}

/** Null takes the deadline away; undefined: the flag was not given. */
export function deadlineFlag(flags: Flags): string | null | undefined {
  const text = flags.get("deadline");
  return text === null ? undefined : text === "none" ? null : text;
}

function hoursFlag(flags: Flags): JsonObject | null {
  const text = flags.get("window");
  if (text === null) return {};
  if (text === "none") return null;
  const [, from, to] = /^\s*(\d\d:\d\d)\s*-\s*(\d\d:\d\d)\s*$/.exec(text) ?? [];
  if (from !== undefined && to !== undefined) return { from, to };
  flags.refuse("window", `--window: ${shown(text)} are no hours; accepted: 22:00-06:00, or none`);
  return {};
}

/** "mon-fri,sun": days and stretches of them. */
function daysFlag(flags: Flags): Json | undefined {
  const text = flags.get("days");
  if (text === null) return undefined;
  const days = text.toLowerCase().split(",").flatMap(stretch);
  if (!days.includes(null)) return [...new Set(days)];
  flags.refuse("days", `--days: ${shown(text)} are no days; accepted: ${DAYS.join(", ")}, or mon-fri`);
  return undefined;
}

function stretch(text: string): readonly (string | null)[] {
  const names: readonly string[] = DAYS;
  const [first = "", last = first, ...more] = text.split("-").map((day) => day.trim());
  const [from, to] = [names.indexOf(first), names.indexOf(last)];
  if (from < 0 || to < 0 || more.length > 0) return [null];
  const length = ((to - from + names.length) % names.length) + 1;
  return Array.from({ length }, (_, at) => names[(from + at) % names.length]!);
}
