/** The keys of a spec that say when its calls may leave, how they begin, and by when all is to be done. */
import { z } from "zod";
import { parsePercent } from "../core/limiter/ramp.ts";
import { RAMP_MOST_MS } from "../core/limits.ts";
import { WINDOW_DEFAULTS } from "../core/spec.ts";
import { isDeadline } from "../core/window/deadline.ts";
import { DAYS, parseTimeOfDay } from "../core/window/window.ts";
import { isTimeZone } from "../core/window/zone.ts";
import { about } from "../schema/about.ts";
import { oneOf, share, wholeNumber } from "../schema/fields.ts";

const ZONE = 'must be an IANA name of a time zone, as in "Europe/Berlin" or "UTC"';
const MAX_ZONE_CHARS = 100;
const MAX_DEADLINE_CHARS = 40;
const DAYS_ACCEPTED = `must be a list of days: ${DAYS.join(", ")}`;
const DEADLINE = 'must be an instant such as "2026-01-01T06:00Z", or a duration such as "90m" or "6h"';

function timeOfDay() {
  const error = 'must be a time of day from "00:00" to "24:00", as in "22:00"';
  return z.string({ error }).refine((text) => parseTimeOfDay(text) !== null, { error });
}

const PERCENT = 'must be a share such as "50%", above 0% and up to 100%';
const GROWTH = "must be a number from 1 to 100";

function percent() {
  return z.string({ error: PERCENT }).refine((text) => parsePercent(text) !== null, { error: PERCENT });
}

const keys = {
  from: timeOfDay()
    .nullish()
    .meta(about("When it opens, by the zone's clock. Later than `to`: it goes over midnight.", "22:00")),
  to: timeOfDay().nullish().meta(about("When it closes.", "06:00")),
  timeZone: z
    .string({ error: ZONE })
    .max(MAX_ZONE_CHARS, { error: ZONE })
    .refine(isTimeZone, { error: ZONE })
    .nullish()
    .meta(about("The zone whose clock is meant.", "Europe/Berlin")),
  days: z
    .array(oneOf(DAYS), { error: DAYS_ACCEPTED })
    .min(1, { error: DAYS_ACCEPTED })
    .max(DAYS.length, { error: DAYS_ACCEPTED })
    .nullish()
    .meta(
      about(
        "Days on which it opens; left out, every day.",
        ["mon", "tue", "wed", "thu", "fri"],
        "The hours after midnight belong to the day before: Friday's window from 22:00 to 06:00 ends on Saturday.",
      ),
    ),
};

export const windowSchema = z
  .strictObject(keys)
  .refine((given) => (given.from ?? WINDOW_DEFAULTS.from) !== (given.to ?? WINDOW_DEFAULTS.to), {
    path: ["to"],
    error: "must differ from window.from: a window of all hours is none",
  })
  .nullish()
  .meta(
    about(
      "The hours in which calls may leave; outside it the run waits, and what is under way is finished.",
      { from: "22:00", to: "06:00", timeZone: "Europe/Berlin", days: ["mon", "tue"] },
      "Where clocks change, it goes by what the zone's clock shows: docs/hours.md.",
    ),
  );

export const deadlineSchema = z
  .string({ error: DEADLINE })
  .max(MAX_DEADLINE_CHARS, { error: DEADLINE })
  .refine(isDeadline, { error: DEADLINE })
  .nullish()
  .meta(
    about(
      "When all is to be done: an instant, or a duration from the run's creation. A run that will miss it says so and by how much.",
      "2026-01-01T06:00Z",
      "It changes no limit: `weir plan` says which rate or lanes it takes.",
    ),
  );

const rampKeys = {
  from: percent().nullish().meta(about("The share of rate and lanes that it begins with.", "50%")),
  step: percent().nullish().meta(about("What each step adds, or takes back.", "10%")),
  everyMs: wholeNumber(1000, RAMP_MOST_MS)
    .nullish()
    .meta(
      about(
        "How long a step is watched before the next one; twice as long after one that was not clean.",
        30_000,
        "Long enough for what goes wrong to be seen: some hundreds of calls, and the target's own delays.",
      ),
    ),
  maxFailureRate: share()
    .nullish()
    .meta(
      about(
        "Share of calls that may be throttled, refused or end without an answer in a clean interval.",
        0.01,
        "A 404 is an answer.",
      ),
    ),
  maxLatencyGrowth: z
    .number({ error: GROWTH })
    .min(1, { error: GROWTH })
    .max(100, { error: GROWTH })
    .nullish()
    .meta(
      about(
        "How many times the mean duration of a call may be that of the quickest clean interval.",
        1.5,
        "A target that is near its limit answers later before it answers with errors.",
      ),
    ),
};

export const rampSchema = z
  .strictObject(rampKeys)
  .nullish()
  .meta(
    about(
      "Begins below the limits and raises rate and lanes in steps, each after an interval without trouble; `{}` takes the defaults.",
      { from: "50%", step: "10%", everyMs: 30_000 },
      "For a target whose limits are known on paper only: docs/ramp.md.",
    ),
  );
