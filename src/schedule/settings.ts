/**
 * A schedule as it comes from outside: `unknown` in, checked settings with every default out, or the path of the
 * first field that is wrong and one sentence. Its spec is checked as a run's would be, with an instant in the place
 * of every placeholder.
 */
import { z } from "zod";
import { MAX_CATCH_UP_MS, MAX_SCHEDULE_BYTES } from "../core/limits.ts";
import { OVERLAPS, SCHEDULE_DEFAULTS, type ScheduleSettings } from "../core/schedule/scheduleState.ts";
import type { Json } from "../core/spec.ts";
import { parseInstant } from "../core/time.ts";
import { parseSpec } from "../runSpec/schema.ts";
import { about } from "../schema/about.ts";
import { below, complaintOf, type Invalid, invalidFor, problemsOf } from "../schema/complaint.ts";
import { line, oneOf, wholeNumber } from "../schema/fields.ts";
import { parseCron } from "./cron.ts";
import { fillPlaceholders, usesWatermark } from "./placeholders.ts";

const MAX_NAME_CHARS = 200;
/** More failures in a row than this are nobody's policy. */
const MAX_PAUSE_AFTER = 1000;

/** An instant, as milliseconds. */
function instant() {
  const error = 'must be an instant such as "2026-01-01T00:00Z"';
  return z.string({ error }).refine((text) => parseInstant(text) !== null, { error });
}

const ZONE = 'must be the name of a time zone, as in "Europe/Berlin"';
const settings = {
  name: line(MAX_NAME_CHARS).nullish().meta(about("A name for the schedule, for people.", "nightly")),
  timeZone: z
    .string({ error: ZONE })
    .max(100, { error: ZONE })
    .nullish()
    .meta(about("The zone whose clock the expression means.", "Europe/Berlin")),
  overlap: oneOf(OVERLAPS)
    .nullish()
    .meta(
      about(
        "What becomes of a fire while a run is under way: it is left out, waits, cancels that run, or starts beside it.",
        "queue-one",
        "docs/schedules.md says each of them in full.",
      ),
    ),
  catchUpMs: wholeNumber(0, MAX_CATCH_UP_MS)
    .nullish()
    .meta(
      about(
        "How long ago a missed fire may have been to be made up for.",
        86_400_000,
        "Of several that were missed only the newest runs.",
      ),
    ),
  pauseAfterFailures: wholeNumber(0, MAX_PAUSE_AFTER)
    .nullish()
    .meta(about("Failed runs in a row that pause the schedule; 0: it is never paused for them.", 3)),
  advanceWithFailures: z
    .boolean()
    .nullish()
    .meta(about("True: the watermark advances also with a run that completed with failed rows.", true)),
  watermark: instant()
    .nullish()
    .meta(about("What `{{watermark}}` stands for in the next run.", "2026-01-01T00:00Z")),
};
const cron = z
  .string({ error: 'must be a cron expression of five fields, as in "30 2 * * 1-5"' })
  .meta(about("When it fires: minute, hour, day of the month, month, day of the week.", "30 2 * * 1-5"));
const spec = z.looseObject({}, { error: "must be the spec of a run" }).meta(
  about("The spec of its runs; `{{scheduledAt}}` and `{{watermark}}` may stand in any of its strings.", {
    source: { kind: "input", name: "ids.txt" },
    task: { kind: "http", url: "https://api.example.com/v1/users/{{item}}?since={{watermark}}" },
  }),
);

/** What creates a schedule. */
export const scheduleSchema = z.strictObject({ ...settings, cron, spec });
/** What changes one: only the keys that are there; null restores the default. */
export const scheduleChangeSchema = z.strictObject({
  ...settings,
  cron: cron.optional(),
  spec: spec.optional(),
});
/** What fires one: which instant its run is given. */
export const fireSchema = z.strictObject({
  at: instant()
    .optional()
    .meta(about("The instant that the run is given; left out, now.", "2026-02-01T00:00Z")),
});

type Parsed<Value> = ({ readonly kind: "ok" } & Value) | Invalid;

/** The body of a creation. */
export function parseSchedule(
  input: unknown,
  nowMs: number,
): Parsed<{ readonly settings: ScheduleSettings; readonly watermarkMs: number | null }> {
  const outside = scheduleSchema.safeParse(input);
  if (!outside.success) return complaintOf(outside.error, scheduleSchema, input);
  const { watermark, ...given } = outside.data;
  const whole = fill(given);
  const watermarkMs = parseInstant(watermark ?? "");
  return complaintAbout(whole, watermarkMs, nowMs) ?? { kind: "ok", settings: whole, watermarkMs };
}

/**
 * The body of a change, merged into what the schedule is. `watermarkMs` is undefined where the change says nothing
 * about it.
 */
export function parseScheduleChange(
  input: unknown,
  before: { readonly settings: ScheduleSettings; readonly watermarkMs: number | null },
  nowMs: number,
): Parsed<{ readonly settings: ScheduleSettings; readonly watermarkMs: number | null | undefined }> {
  const outside = scheduleChangeSchema.safeParse(input);
  if (!outside.success) return complaintOf(outside.error, scheduleChangeSchema, input);
  const { watermark, ...given } = outside.data;
  const whole = fill({ ...before.settings, ...withoutUndefined(given) });
  const watermarkMs = watermark === undefined ? undefined : parseInstant(watermark ?? "");
  const now = watermarkMs === undefined ? before.watermarkMs : watermarkMs;
  return complaintAbout(whole, now, nowMs) ?? { kind: "ok", settings: whole, watermarkMs };
}

/** The body of a fire; `atMs` undefined: now. */
export function parseFire(input: unknown, nowMs: number): Parsed<{ readonly atMs: number | undefined }> {
  const outside = fireSchema.safeParse(input);
  if (!outside.success) return complaintOf(outside.error, fireSchema, input);
  const atMs = parseInstant(outside.data.at ?? "") ?? undefined;
  if (atMs === undefined || atMs <= nowMs) return { kind: "ok", atMs };
  const now = new Date(nowMs).toISOString();
  const message = `must not lie in the future: it is ${now}, and a run covers what was there when it started`;
  return { kind: "invalid", path: "at", message };
}

/** A schedule's spec, checked as the run's that it will be. Paths begin with "spec". */
export function checkScheduledSpec(
  spec: Json,
  values: Parameters<typeof fillPlaceholders>[1],
): Invalid | null {
  const bytes = JSON.stringify(spec).length;
  if (bytes > MAX_SCHEDULE_BYTES) {
    const message = `has ${bytes} characters; a schedule's may have ${MAX_SCHEDULE_BYTES}: name an input instead`;
    return { kind: "invalid", path: "spec", message };
  }
  const parsed = parseSpec(fillPlaceholders(spec, values));
  return parsed.kind === "ok" ? null : below("spec", parsed);
}

function complaintAbout(
  { cron, timeZone, spec }: ScheduleSettings,
  watermarkMs: number | null,
  nowMs: number,
): Invalid | null {
  const calendar = parseCron(cron, timeZone);
  const isMissing = watermarkMs === null && usesWatermark(spec);
  const message =
    'is missing: the spec says {{watermark}}; give the instant its first run begins from, as in "2026-01-01T00:00Z"';
  // Where the watermark is missing, the spec is checked with an instant in its place.
  const values = { scheduledAtMs: nowMs, watermarkMs: watermarkMs ?? nowMs };
  const ofSpec = checkScheduledSpec(spec, values);
  return invalidFor([
    ...(calendar.kind === "invalid" ? problemsOf(calendar) : []),
    ...(isMissing ? [{ path: "watermark", message }] : []),
    ...(ofSpec === null ? [] : problemsOf(ofSpec)),
  ]);
}

function fill(
  given: {
    readonly [Key in keyof ScheduleSettings]?: unknown;
  },
): ScheduleSettings {
  const nothing = { name: null, ...SCHEDULE_DEFAULTS };
  const said = Object.entries(given).filter(([, value]) => value !== null && value !== undefined);
  return { ...nothing, ...Object.fromEntries(said) } as ScheduleSettings;
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}
