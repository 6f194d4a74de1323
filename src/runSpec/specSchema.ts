/**
 * The keys of a spec as users write them: what is accepted, and what each is for. Parsing is in `schema.ts`; what
 * `source` and `task` may say beyond their kind is in `sources/schemas.ts` and `tasks/schemas.ts`.
 */
import { z } from "zod";
import { parseRate } from "../core/limiter/rate.ts";
import {
  MAX_CHUNK_SIZE,
  MAX_PARALLELISM,
  MAX_WEIGHT,
  MIN_HOST_RATE_PER_SECOND,
  PART_IDLE_MS,
  RETRY_AFTER_MAX_MS,
  TOLERATE_FROM_ITEMS,
} from "../core/limits.ts";
import { ERROR_KINDS } from "../core/row.ts";
import { TARGET_NAME, TARGET_NAME_RULE } from "../core/target/targetSettings.ts";
import { about } from "../schema/about.ts";
import { line, oneOf, positive, rate, share, webAddress, wholeNumber } from "../schema/fields.ts";
import { sourceSchemas } from "../sources/schemas.ts";
import { taskSchemas } from "../tasks/schemas.ts";
import { reduceSchema } from "./reduceSchema.ts";
import { deadlineSchema, rampSchema, windowSchema } from "./whenSchema.ts";

/** A pause between two items that is longer would be a schedule. */
const MAX_INTERVAL_MS = 86_400_000;
/** The Run keeps the last outcomes in memory. */
const MAX_TOLERATE_OVER = 100_000;
/** Every lane of an invocation holds the rows of one part. */
const MAX_CHECKPOINT_ITEMS = 1000;
const MAX_CHECKPOINT_BYTES = 5_000_000;
const MAX_BURST = 1_000_000;
const MAX_TOKEN_BURST = 1_000_000_000;
const MAX_TRIES = 1000;
const MAX_NAME_CHARS = 200;
/** A smoke stage is a look at the first items, not a run of its own. */
const MAX_SMOKE_ITEMS = 10_000;
const MAX_SCHEMA_ADDRESS_CHARS = 2000;
const WEIGHT = `must be a number above 0, at most ${MAX_WEIGHT}`;

const quota = {
  requests: rate()
    .nullish()
    .meta(
      about(
        "Calls that all lanes together may make: a number with /s, /min or /h.",
        "1000/s",
        "Weir keeps the rate that it is given and cannot know one that it is not. Without it calls go as fast as the lanes make them.",
      ),
    ),
  burst: wholeNumber(1, MAX_BURST)
    .nullish()
    .meta(
      about(
        "Calls at once that the target tolerates.",
        100,
        "The smaller it is, the earlier a permit has to be used, and the more of them are wasted. Left out, the bound is that of the README: rate × 0.075 + 1.",
      ),
    ),
  perHost: rate()
    .refine((text) => isHostRate(text), { error: 'must be "1/min" or more: a slower host is for a schedule' })
    .nullish()
    .meta(
      about(
        "The same for each host name, on top of `requests`.",
        "1/s",
        "For lists of many sites: each of them is called at its own pace, and one that throttles rests alone.",
      ),
    ),
  tokens: rate()
    .nullish()
    .meta(
      about(
        "Tokens that all calls together may use; for tasks that count them (`llm`).",
        "60000/min",
        "A call reserves what it will probably use before it leaves, so the limit is kept and not found out.",
      ),
    ),
  tokenBurst: wholeNumber(1, MAX_TOKEN_BURST)
    .nullish()
    .meta(
      about(
        "The most tokens that one call may reserve, and that are let through at once. Left out: what a minute brings.",
        20000,
        "Endpoints count over a minute; one that counts over a second needs a smaller one.",
      ),
    ),
  target: z
    .string({ error: TARGET_NAME_RULE })
    .regex(TARGET_NAME, { error: TARGET_NAME_RULE })
    .nullish()
    .meta(
      about(
        "A named target (`weir target set`): its limits are shared with all other runs that name it, and with other programs. What stands beside it is a limit of this run alone.",
        "crm",
        "One limit for several runs, without anyone having to divide it: docs/targets.md.",
      ),
    ),
};
const shareOfTarget = {
  weight: z
    .number({ error: WEIGHT })
    .gt(0, { error: WEIGHT })
    .max(MAX_WEIGHT, { error: WEIGHT })
    .nullish()
    .meta(about("Twice the weight is twice the share, while both runs can use theirs. Left out: 1.", 2)),
};
const budget = {
  tokens: positive()
    .nullish()
    .meta(about("The run pauses before it uses more tokens; for tasks that count them.", 2_000_000)),
  calls: positive()
    .nullish()
    .meta(about("The run pauses before it makes more calls: retries and redirects count.", 10_000)),
  dollars: positive().nullish().meta(about("The run pauses before it costs more; needs `task.price`.", 5)),
};
const pacing = {
  minIntervalMs: wholeNumber(0, MAX_INTERVAL_MS)
    .nullish()
    .meta(
      about(
        "Least time between the starts of two items of one lane.",
        100,
        "For targets that ask clients to wait between calls, whatever the rate; the quota is the better limit where there is one.",
      ),
    ),
  jitterMs: wholeNumber(0, MAX_INTERVAL_MS)
    .nullish()
    .meta(
      about("A random part of up to this much on top of it.", 50, "Lanes that began together drift apart."),
    ),
};
const retry = {
  maxAttempts: wholeNumber(1, MAX_TRIES)
    .nullish()
    .meta(
      about(
        "Tries of an item, the first one included, that were not throttled; then it is a failed row.",
        5,
        "What fails five times in a row for its own sake seldom works the sixth time; 1 tries nothing again.",
      ),
    ),
  baseDelayMs: wholeNumber(0, RETRY_AFTER_MAX_MS)
    .nullish()
    .meta(
      about("The wait before the second try; it doubles with each further one, half of it random.", 1000),
    ),
  maxDelayMs: wholeNumber(0, RETRY_AFTER_MAX_MS)
    .nullish()
    .meta(about("No wait grows beyond this, unless the target asks for more.", 60_000)),
  maxThrottles: wholeNumber(0, MAX_TRIES)
    .nullish()
    .meta(
      about(
        "Throttled tries of an item before it is a failed row; never before the longest wait that the target announced to it is over, and, at 20 or more, never before it has waited for `maxRetryAfterMs` in all.",
        20,
        "A 429 says nothing about the item, so it spends no attempt, and a window of an hour loses no row; without a bound of its own an item that is always throttled would hold the run for ever.",
      ),
    ),
  maxRetryAfterMs: wholeNumber(0, RETRY_AFTER_MAX_MS)
    .nullish()
    .meta(
      about(
        "The longest that a wait which the target asks for (Retry-After, or the reset of its quota) is heeded; then the item asks again.",
        600_000,
        "Some servers ask for a day and answer again within the minute.",
      ),
    ),
  throttledMinDelayMs: wholeNumber(0, RETRY_AFTER_MAX_MS)
    .nullish()
    .meta(
      about(
        "An item waits at least so long after a throttled try, and with several of them the run does.",
        30_000,
        "For a lockout that is documented and not announced in the answer.",
      ),
    ),
  maxAgain: wholeNumber(0, MAX_TRIES)
    .nullish()
    .meta(
      about(
        'Tries of an item that may be answered "not ready, ask again" before it is a failed row.',
        20,
        "Such an answer is not a failure of the item, so it spends no attempt and has a bound of its own.",
      ),
    ),
};
const tolerate = {
  failureRate: share()
    .nullish()
    .meta(
      about(
        "Share of failed rows, of the last `over` items or of all where they are fewer, above which `then` happens; 1 switches it off.",
        0.5,
        "A wrong URL or a changed interface fails every item: the run stops after some hundreds of them and not after the last.",
      ),
    ),
  over: wholeNumber(TOLERATE_FROM_ITEMS, MAX_TOLERATE_OVER)
    .nullish()
    .meta(about(`Judged over so many of the last items, from ${TOLERATE_FROM_ITEMS} on.`, 1000)),
  then: oneOf(["pause", "fail"])
    .nullish()
    .meta(about("What happens: the run pauses and can be resumed, or it ends as failed.", "pause")),
};
const checkpoint = {
  items: wholeNumber(1, MAX_CHECKPOINT_ITEMS)
    .nullish()
    .meta(
      about(
        "Rows after which a lane commits.",
        100,
        "A crash repeats at most the calls since the last commit, and each commit is an object in storage: fewer rows cost more objects.",
      ),
    ),
  bytes: wholeNumber(1000, MAX_CHECKPOINT_BYTES)
    .nullish()
    .meta(about("Bytes of rows after which it does.", 1_000_000, "A lane holds them in memory until then.")),
  ms: wholeNumber(100, PART_IDLE_MS)
    .nullish()
    .meta(
      about(
        "Time after which it does, where it has some rows. While a run is young rows wait less, at first 2 s.",
        30_000,
      ),
    ),
};

const smoke = {
  items: wholeNumber(1, MAX_SMOKE_ITEMS)
    .nullish()
    .meta(about("How many of the first items go alone. Their rows count like all others.", 20)),
  gate: oneOf(["auto", "manual"])
    .nullish()
    .meta(
      about(
        "`auto`: the run goes on by itself where few of them failed, else it awaits approval; `manual`: it always awaits approval (`weir approve RUN`, or the question on the terminal).",
        "manual",
        "A person sees in twenty rows what no rule says: that the answers are the wrong ones.",
      ),
    ),
  maxFailureRate: share()
    .nullish()
    .meta(about("Share of failed rows up to which the automatic gate opens.", 0.1)),
};

const onComplete = {
  url: webAddress().meta(
    about(
      "Gets one POST with the run's JSON when the run has ended, with at most five tries. The header `x-weir-signature-v2` is `sha256=` and the HMAC-SHA256 of `<x-weir-timestamp>.<body>` under the secret WEBHOOK (`WEIR_SECRET_WEBHOOK`); the timestamp is that of the try, in seconds since 1970. Refuse what is more than five minutes old or has a wrong signature. (`x-weir-signature` signs the body alone: whoever got hold of such a notice can send it again at any time.)",
      "https://example.com/done",
      "Signed, so that the receiver knows who speaks; it never delays the end.",
    ),
  ),
};

/** The spec of a run as users write it. What `source` and `task` hold besides `kind` depends on that kind. */
export const specSchema = z.strictObject({
  name: line(MAX_NAME_CHARS).nullish().meta(about("A name for the run, for people.", "enrich users")),
  source: z
    .looseObject({ kind: kindOf(sourceSchemas, about("Which source it is; its keys are below.", "input")) })
    .meta(about("Where the items come from; `kind` says how.", { kind: "input", name: "user_ids.txt" })),
  task: z
    .looseObject({ kind: kindOf(taskSchemas, about("Which task it is; its keys are below.", "http")) })
    .meta(
      about("What turns an item into a row; `kind` says how.", {
        kind: "http",
        url: "https://api.example.com/v1/users/{{item}}",
      }),
    ),
  chunkSize: wholeNumber(1, MAX_CHUNK_SIZE)
    .nullish()
    .meta(
      about(
        "Items that a lane takes at once.",
        1000,
        "A chunk costs some requests, whatever its size; but a run of few and slow items wants small ones, so that every lane has one.",
      ),
    ),
  maxParallelism: wholeNumber(1, MAX_PARALLELISM)
    .nullish()
    .meta(
      about(
        "Lanes: the most calls that are under way at once.",
        100,
        "A rate of 100/s at half a second a call needs 50 of them; `weir plan` and `why` say when there are too few.",
      ),
    ),
  quota: z
    .strictObject(quota)
    .nullish()
    .meta(
      about(
        "What the outside system allows; one of `requests`, `tokens` and `target` at least.",
        { requests: "1000/s", burst: 100 },
        "It holds for all lanes together, through retries, redirects and restarts.",
      ),
    ),
  share: z
    .strictObject(shareOfTarget)
    .nullish()
    .meta(about("How much of `quota.target` the run gets beside others that want it too.", { weight: 2 })),
  budget: z
    .strictObject(budget)
    .nullish()
    .meta(
      about(
        "What the run may cost at the target: it pauses before it passes a bound, and goes on when the bound is raised (`weir set`).",
        { calls: 10_000 },
      ),
    ),
  window: windowSchema,
  ramp: rampSchema,
  deadline: deadlineSchema,
  pacing: z
    .strictObject(pacing)
    .nullish()
    .meta(about("How a lane waits between its items, beside the quota.", { minIntervalMs: 100 })),
  retry: z
    .strictObject(retry)
    .nullish()
    .meta(about("How often an item is tried, and how long it waits in between.", { maxAttempts: 3 })),
  tolerate: z
    .strictObject(tolerate)
    .nullish()
    .meta(about("How many failed rows stop the run.", { failureRate: 0.2, then: "pause" })),
  checkpoint: z
    .strictObject(checkpoint)
    .nullish()
    .meta(
      about("When a lane commits its rows: as soon as one of these is reached.", { items: 10, ms: 5000 }),
    ),
  smoke: z
    .strictObject(smoke)
    .nullish()
    .meta(
      about(
        "The first items go alone, then a gate decides whether the others follow; `{}` takes the defaults.",
        { items: 20, gate: "manual" },
        "What is wrong with all items is seen at the first twenty and not after a million.",
      ),
    ),
  reduce: reduceSchema
    .nullish()
    .meta(
      about(
        'What of the rows\' values becomes the report: a field and its rule, one of `sum`, `count`, `min`, `max`, `mean`, `merge`, `{"mean": WEIGHT}`, `{"top": N, "by": FIELD}` and `{"own": NAME}`.',
        { orders: "sum", price: { mean: "orders" } },
        "Commutative rules alone, so that the report does not depend on the order of commits: docs/reduce.md.",
      ),
    ),
  onComplete: z
    .strictObject(onComplete)
    .nullish()
    .meta(about("Who is notified when the run has ended.", { url: "https://example.com/done" })),
  allowPrivate: z
    .boolean()
    .nullish()
    .meta(
      about(
        "Permits hosts that are not public where the host comes from an item or a redirect.",
        true,
        "A list from elsewhere must not reach into your own network; a host that is written in the spec is always permitted, at the port written there.",
      ),
    ),
  $schema: z
    .string()
    .max(MAX_SCHEMA_ADDRESS_CHARS)
    .nullish()
    .meta(
      about(
        "Where an editor finds this description; means nothing to the run.",
        "https://weir.example.com/spec.schema.json",
      ),
    ),
});

/** What PATCH may change in a run: merged key by key, null restores the default. */
export const patchSchema = z.strictObject({
  quota: specSchema.shape.quota,
  share: specSchema.shape.share,
  budget: specSchema.shape.budget,
  maxParallelism: specSchema.shape.maxParallelism,
  window: specSchema.shape.window,
  ramp: specSchema.shape.ramp,
  deadline: specSchema.shape.deadline,
  pacing: specSchema.shape.pacing,
  retry: specSchema.shape.retry,
  tolerate: specSchema.shape.tolerate,
});

/**
 * What a retry may say: only failures of these kinds, changes to the task (JSON Merge Patch), and what share of
 * failures it tolerates; without that any.
 */
export const retrySchema = z.strictObject({
  kinds: z
    .array(oneOf(ERROR_KINDS))
    .min(1)
    .max(ERROR_KINDS.length)
    .optional()
    .meta(about("Only failures of these kinds; left out, all that is still failed.", ["timeout", "network"])),
  task: z
    .looseObject({})
    .optional()
    .meta(
      about("Changes to the parent's task, for the retry alone: merged key by key, null takes a key away.", {
        timeoutMs: 120_000,
      }),
    ),
  tolerate: z
    .strictObject(tolerate)
    .nullish()
    .meta(
      about(
        "How many failed rows stop the retry; left out, none do.",
        { failureRate: 0.2 },
        "What a retry takes has failed before: that some of it fails again is expected.",
      ),
    ),
});

function isHostRate(text: string): boolean {
  const rate = parseRate(text);
  return rate.kind === "ok" && rate.perSecond >= MIN_HOST_RATE_PER_SECOND;
}

/** One of the kinds that there are when a spec is parsed: those of a project's own come after this schema was made. */
function kindOf(registry: Readonly<Record<string, unknown>>, said: ReturnType<typeof about>) {
  const error = () => `must be one of ${Object.keys(registry).join(", ")}`;
  return z
    .string({ error })
    .refine((kind) => registry[kind] !== undefined, { error })
    .meta(said);
}

export type SpecInput = z.infer<typeof specSchema>;
