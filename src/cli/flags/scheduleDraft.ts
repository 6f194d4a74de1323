/** What the flags of `weir schedule` ask for, as the API takes it; its complaints come back by the flag's name. */
import { SCHEDULE_DEFAULTS } from "../../core/schedule/scheduleState.ts";
import { parseDuration, parseInstant } from "../../core/time.ts";
import { parseSpec } from "../../runSpec/schema.ts";
import { parseCron } from "../../schedule/cron.ts";
import { fillPlaceholders } from "../../schedule/placeholders.ts";
import { scheduleChangeSchema } from "../../schedule/settings.ts";
import { complaintOf, problemsOf } from "../../schema/complaint.ts";
import { ApiError } from "../client.ts";
import { printable } from "../words/printable.ts";
import { type Flags, shown } from "./arguments.ts";
import { type Draft, draftSpec, usageError } from "./draft.ts";

/** Stands where no expression is given, so that the zone can be judged alone. */
const EVERY_DAY = "0 0 * * *";

/** A spec with placeholders, checked with an instant in their place. Throws UsageError. */
export function draftScheduledSpec(words: readonly string[], flags: Flags): Draft {
  const now = Date.now();
  return draftSpec(words, flags, (spec) =>
    parseSpec(fillPlaceholders(spec, { scheduledAtMs: now, watermarkMs: now })),
  );
}

/** The settings among the flags; "none" takes a name or a watermark away. What is wrong is refused by flag. */
export function draftRules(flags: Flags): { readonly [key: string]: unknown } {
  const given = {
    name: flags.textOrNone("name"),
    cron: flags.get("cron") ?? undefined,
    timeZone: flags.get("zone") ?? undefined,
    overlap: flags.get("overlap") ?? undefined,
    catchUpMs: catchUp(flags),
    pauseAfterFailures:
      flags.wholeNumber("pause-after", { least: 0, most: Number.MAX_SAFE_INTEGER }) ?? undefined,
    advanceWithFailures: yesOrNo(flags, "advance-with-failures"),
    watermark: flags.textOrNone("watermark"),
  };
  const rules = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const parsed = scheduleChangeSchema.safeParse(rules);
  const ofFields = parsed.success ? [] : problemsOf(complaintOf(parsed.error, scheduleChangeSchema, rules));
  const calendar = parseCron(given.cron ?? EVERY_DAY, given.timeZone ?? SCHEDULE_DEFAULTS.timeZone);
  for (const { path, message } of [
    ...ofFields,
    ...(calendar.kind === "invalid" ? problemsOf(calendar) : []),
  ]) {
    const flag = FLAG_OF[path];
    if (flag !== undefined) flags.refuse(flag.slice("--".length), `${flag}: ${printable(message)}`);
  }
  return rules;
}

/** The instant of a flag, as it was typed; undefined when it was not given, or refused. */
export function instantFlag(flags: Flags, name: string): string | undefined {
  const text = flags.get(name);
  if (text === null) return undefined;
  if (parseInstant(text) !== null) return text;
  flags.refuse(name, `--${name}: ${shown(text)} is not an instant; accepted: 2026-01-01T00:00Z`);
  return undefined;
}

/** A complaint of the API in the words the user typed. `draft`: where the spec came from, if one was given. */
export async function askAboutSchedule<T>(draft: Draft | null, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 400 || error.path === null) throw error;
    throw usageError(error.problems, (path) => {
      const isOfSpec = draft !== null && (path === "spec" || path.startsWith("spec."));
      return isOfSpec ? draft.nameOf(path.slice("spec.".length)) : (FLAG_OF[path] ?? path);
    });
  }
}

const FLAG_OF: Readonly<Record<string, string>> = {
  name: "--name",
  cron: "--cron",
  timeZone: "--zone",
  overlap: "--overlap",
  catchUpMs: "--catch-up",
  pauseAfterFailures: "--pause-after",
  advanceWithFailures: "--advance-with-failures",
  watermark: "--watermark",
};

function catchUp(flags: Flags): number | undefined {
  const text = flags.get("catch-up");
  if (text === null) return undefined;
  const ms = text === "0" ? 0 : parseDuration(text);
  if (ms !== null) return Math.round(ms);
  flags.refuse("catch-up", `--catch-up: ${shown(text)} is not a time; accepted: 30m, 1h, 0`);
  return undefined;
}

function yesOrNo(flags: Flags, name: string): boolean | undefined {
  const text = flags.get(name);
  if (text === null) return undefined;
  if (text === "yes" || text === "no") return text === "yes";
  flags.refuse(name, `--${name}: ${shown(text)}; accepted: yes or no`);
  return undefined;
}
