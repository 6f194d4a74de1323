/** What a spec may say about the meaning of answers: the key `answers` of every task that speaks HTTP. */
import { z } from "zod";
import { MEANINGS } from "../../core/answer/answerRules.ts";
import { ANSWER_RULES_MOST, PATTERN_CHARS_MOST } from "../../core/limits.ts";
import type { Json } from "../../core/spec.ts";
import { about } from "../../schema/about.ts";
import { oneOf } from "../../schema/fields.ts";

/** Any JSON: outside text was parsed as JSON before it gets here. */
const json = z.unknown() as unknown as z.ZodType<Json>;

const POINTER = 'must be a JSON pointer such as "/status"';
/** A URL pointer into JSON (RFC 6901): "" is the whole value, "/a/0/b" a part of it. */
export const pointer = z.string({ error: POINTER }).regex(/^(?:\/.*)?$/s, { error: POINTER });

const STATUSES = 'must be a list of statuses such as ["2xx", "404"]';
const STATUS = 'must be a status such as "2xx" or "404"';
const status = z.union(
  [
    z.string().regex(/^(?:[2-5]xx|[2-5][0-9]{2})$/, { error: STATUS }),
    z.int({ error: STATUS }).min(200, { error: STATUS }).max(599, { error: STATUS }),
  ],
  { error: STATUS },
);
/** There are no more. */
const MAX_STATUSES = 500;
/** A list of statuses. */
export const statuses = z
  .array(status, { error: STATUSES })
  .min(1, { error: STATUSES })
  .max(MAX_STATUSES, { error: STATUSES });

const PATTERN = `must be a regular expression of at most ${PATTERN_CHARS_MOST} characters`;
const pattern = z.string({ error: PATTERN }).max(PATTERN_CHARS_MOST, { error: PATTERN });
const TEXT = 'must be a regular expression, or {"matches": a regular expression}';
const matching = z.union([pattern, z.strictObject({ matches: pattern })], { error: TEXT });
const HEADER = "must be the name of a header";

const wants = {
  exists: z
    .boolean()
    .optional()
    .meta(
      about("Something other than null is there; false: nothing is. Left out with the others: true.", true),
    ),
  matches: pattern
    .optional()
    .meta(
      about(
        "A regular expression that is to be found there; `(?i)` at its start ignores case.",
        "THROTTLED|SLOW",
        "Back-references and look-arounds are refused: what is left is matched in a time that no answer can stretch.",
      ),
    ),
};

const header = z.strictObject({
  name: z
    .string({ error: HEADER })
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/, { error: HEADER })
    .meta(about("The header's name, in any case.", "x-reason")),
  equals: z
    .union([z.string(), z.number()], { error: "must be text" })
    .optional()
    .meta(about("Its whole value.", "quota")),
  ...wants,
});

const when = z.strictObject({
  status: statuses.optional().meta(about("Statuses, as in `expect`.", ["403"])),
  header: header.optional().meta(about("A header of the answer.", { name: "x-reason", equals: "quota" })),
  pointer: pointer
    .optional()
    .meta(
      about(
        "Where in the body to look, with `equals`, `exists` or `matches`: a JSON pointer; a body that is not JSON is one text.",
        "/errors/0/extensions/code",
      ),
    ),
  equals: json.optional().meta(about("The value that is to stand there.", "THROTTLED")),
  ...wants,
  text: matching
    .optional()
    .meta(about("A regular expression that is to be found in the body's text.", "(?i)session has expired")),
  url: matching
    .optional()
    .meta(about("The same in the URL that answered, the last one after redirects.", "/login")),
});

const rule = z.strictObject({
  when: when.meta(
    about("What has to hold, all of it.", {
      status: ["200"],
      pointer: "/errors/0/extensions/code",
      equals: "THROTTLED",
    }),
  ),
  is: oneOf(MEANINGS).meta(
    about(
      "What such an answer is: `ok`; `throttled`, asked to slow down; `again`, not ready yet; `failed`, the item's own end; `refused`, the run pauses unless others are answered.",
      "throttled",
    ),
  ),
  message: pointer.optional().meta(about("Where in the body the row's message stands.", "/errors/0/message")),
  retryAfter: pointer
    .optional()
    .meta(about("Where in the body the time to wait stands: seconds, or what Retry-After may say.", "/wait")),
});

/** Rules, the first that fits decides. */
export const answers = z
  .array(rule, { error: "must be a list of rules" })
  .max(ANSWER_RULES_MOST, { error: `must be at most ${ANSWER_RULES_MOST} rules` })
  .default([])
  .meta(
    about(
      "What answers mean: the first rule whose `when` holds decides, before anything built in and whatever `expect` says: docs/answers.md.",
      [
        {
          when: { pointer: "/errors/0/extensions/code", equals: "THROTTLED" },
          is: "throttled",
        },
        { when: { pointer: "/errors", exists: true }, is: "failed", message: "/errors/0/message" },
      ],
      "Many interfaces say what happened in the body, or give a status a meaning of their own.",
    ),
  );
