/**
 * A target as it comes from outside: `unknown` in, checked settings with every default out, or the path of each field
 * that is wrong and one sentence.
 */
import { z } from "zod";
import {
  MAX_PARALLELISM,
  MAX_RESERVE,
  PERMITS_PER_REQUEST,
  PERMITS_WAIT_MAX_MS,
  RETRY_AFTER_MAX_MS,
} from "../core/limits.ts";
import type { PermitsAsk } from "../core/target/targetProtocol.ts";
import { TARGET_DEFAULTS, type TargetSettings } from "../core/target/targetSettings.ts";
import { about } from "../schema/about.ts";
import { complaintOf, type Invalid } from "../schema/complaint.ts";
import { rate, wholeNumber } from "../schema/fields.ts";

const MAX_BURST = 1_000_000;
const RESERVE = `must be a number from 0 to ${MAX_RESERVE}`;

const limits = {
  requests: rate()
    .nullish()
    .meta(about("Calls that all its users together may make: a number with /s, /min or /h.", "1000/s")),
  burst: wholeNumber(1, MAX_BURST)
    .nullish()
    .meta(
      about(
        "Calls at once that the outside system tolerates.",
        50,
        "The smaller it is, the earlier a permit has to be used, and the more of them are wasted.",
      ),
    ),
  tokens: rate()
    .nullish()
    .meta(about("Tokens that all its users together may use, where their tasks count them.", "60000/min")),
  maxParallelism: wholeNumber(1, MAX_PARALLELISM)
    .nullish()
    .meta(about("Calls that may be under way at once, those of all runs together.", 200)),
  reserve: z
    .number({ error: RESERVE })
    .min(0, { error: RESERVE })
    .max(MAX_RESERVE, { error: RESERVE })
    .nullish()
    .meta(
      about(
        "Share of every limit that is kept for programs that are not Weir; what they do not ask for goes to the runs.",
        0.1,
        "They get permits by `POST /v1/targets/{name}/permits`.",
      ),
    ),
};

/** What makes a target, whole: a key that is left out has its default. */
export const targetSchema = z.strictObject(limits);
/** What changes one: only the keys that are there; null restores the default. */
export const targetChangeSchema = z.strictObject(limits);

/** What a program asks for. */
export const permitsSchema = z.strictObject({
  count: wholeNumber(0, PERMITS_PER_REQUEST)
    .optional()
    .meta(about("Permits wanted, default 1; 0 only reports.", 10)),
  waitMs: wholeNumber(0, PERMITS_WAIT_MAX_MS)
    .optional()
    .meta(about("No permit lies further ahead than this, default 0: only such as may be used now.", 1000)),
  throttled: wholeNumber(0, 1_000_000)
    .optional()
    .meta(about("Calls that were answered 429 since the program last asked: they slow everybody.", 2)),
  retryAfterMs: wholeNumber(0, RETRY_AFTER_MAX_MS)
    .nullish()
    .meta(about("The longest wait that those answers asked for: nobody calls before it is over.", 1000)),
  epoch: wholeNumber(0, Number.MAX_SAFE_INTEGER)
    .nullish()
    .meta(
      about(
        "The `epoch` that came with the permits of those calls.",
        3,
        "One round of 429s lowers the limit once: those under an older epoch have lowered it already.",
      ),
    ),
});

type Parsed<Key extends string, Value> = ({ readonly kind: "ok" } & Readonly<Record<Key, Value>>) | Invalid;

/** The body of a PUT. */
export function parseTarget(input: unknown): Parsed<"settings", TargetSettings> {
  const outside = targetSchema.safeParse(input);
  if (!outside.success) return complaintOf(outside.error, targetSchema, input);
  return checked(fill(TARGET_DEFAULTS, outside.data));
}

/** The body of a PATCH, merged into what the target is. */
export function parseTargetChange(
  input: unknown,
  before: TargetSettings,
): Parsed<"settings", TargetSettings> {
  const outside = targetChangeSchema.safeParse(input);
  if (!outside.success) return complaintOf(outside.error, targetChangeSchema, input);
  return checked(fill(TARGET_DEFAULTS, { ...before, ...withoutUndefined(outside.data) }));
}

/** The body of a request for permits. */
export function parsePermits(input: unknown): Parsed<"ask", PermitsAsk> {
  const outside = permitsSchema.safeParse(input);
  if (!outside.success) return complaintOf(outside.error, permitsSchema, input);
  const { count = 1, waitMs = 0, throttled = 0, retryAfterMs, epoch } = outside.data;
  return {
    kind: "ok",
    ask: { count, waitMs, throttled, retryAfterMs: retryAfterMs ?? null, epoch: epoch ?? null },
  };
}

function checked(settings: TargetSettings): Parsed<"settings", TargetSettings> {
  const { requests, tokens, maxParallelism, burst } = settings;
  if (requests === null && tokens === null && maxParallelism === null) {
    const message = "is missing; a target limits requests, tokens or maxParallelism, one of them at least";
    return { kind: "invalid", path: "requests", message };
  }
  if (burst !== null && requests === null)
    return { kind: "invalid", path: "burst", message: "needs requests: it is a part of that limit" };
  return { kind: "ok", settings };
}

function fill(
  defaults: TargetSettings,
  given: { readonly [Key in keyof TargetSettings]?: unknown },
): TargetSettings {
  const said = Object.entries(given).filter(([, value]) => value !== null && value !== undefined);
  return { ...defaults, ...Object.fromEntries(said) };
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}
