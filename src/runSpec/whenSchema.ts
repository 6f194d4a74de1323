/** The keys of a spec that say when its calls may leave, and by when all is to be done. */
import { z } from "zod";
import { WINDOW_DEFAULTS } from "../core/spec.ts";
import { isDeadline } from "../core/window/deadline.ts";
import { DAYS, parseTimeOfDay } from "../core/window/window.ts";
import { isTimeZone } from "../core/window/zone.ts";
import { about } from "../schema/about.ts";
import { oneOf } from "../schema/fields.ts";

const ZONE = 'must be an IANA name of a time zone, as in "Europe/Berlin" or "UTC"';
const MAX_ZONE_CHARS = 100;
const MAX_DEADLINE_CHARS = 40;
const DAYS_ACCEPTED = `must be a list of days: ${DAYS.join(", ")}`;
const DEADLINE = 'must be an instant such as "2026-01-01T06:00Z", or a duration such as "90m" or "6h"';

function timeOfDay() {
  const error = 'must be a time of day from "00:00" to "24:00", as in "22:00"';
  return z.string({ error }).refine((text) => parseTimeOfDay(text) !== null, { error });
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
