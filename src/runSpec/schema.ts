/**
 * The spec as it comes from outside: `unknown` in, a checked `Spec` with every default filled in out, or everything
 * that is wrong with it: for each field its path and one sentence about what is accepted.
 *
 * Unknown keys are refused by name. A key whose value is null means its default, so a stored spec can be sent again.
 * Which keys there are, and what they are for: `specSchema.ts`.
 */
import type { ErrorKind } from "../core/row.ts";
import type { PatchRun } from "../core/run/run.ts";
import {
  RAMP_DEFAULTS,
  type RampSpec,
  RETRY_TOLERATE,
  type SourceSpec,
  SPEC_DEFAULTS,
  type Spec,
  type TaskSpec,
  type TolerateSpec,
  WINDOW_DEFAULTS,
  type WindowSpec,
} from "../core/spec.ts";
import {
  complaintOf,
  type Invalid,
  invalidFor,
  join,
  type Problem,
  problemsOf,
} from "../schema/complaint.ts";
import { sourceSchemas } from "../sources/schemas.ts";
import { taskOf } from "../tasks/registry.ts";
import { taskSchemas } from "../tasks/schemas.ts";
import { fill, fillDefaults } from "./defaults.ts";
import { patchSchema, retrySchema, specSchema } from "./specSchema.ts";

type Result<Key extends string, Value> = ({ readonly kind: "ok" } & Readonly<Record<Key, Value>>) | Invalid;

/** Outside input as a spec. Checks what the spec says, not whether its input or its secrets are there. */
export function parseSpec(input: unknown): Result<"spec", Spec> {
  const outside = specSchema.safeParse(input);
  if (!outside.success && !isObject(input)) return complaintOf(outside.error, specSchema, input);
  const given: { readonly source?: unknown; readonly task?: unknown } = isObject(input) ? input : {};
  const source = parseSource(given.source);
  const task = parseTask(source.kind === "ok" ? withInherited(given.task, source.source) : given.task);
  // What does not hang together is looked for as well where source or task are wrong in themselves.
  const whole = outside.success ? outside.data : null;
  const spec =
    whole === null
      ? null
      : fillDefaults(
          whole,
          source.kind === "ok" ? source.source : (whole.source as SourceSpec),
          task.kind === "ok" ? task.task : (whole.task as TaskSpec),
        );
  const invalid = invalidFor([
    ...(outside.success ? [] : elsewhere(complaintOf(outside.error, specSchema, input))),
    ...(source.kind === "ok" ? [] : problemsOf(source)),
    ...(task.kind === "ok" ? [] : problemsOf(task)),
    ...(spec === null ? [] : [...complainAboutDelays(spec), ...complainAboutCosts(spec)]),
  ]);
  if (invalid !== null) return invalid;
  if (spec === null) throw new Error("a spec in which nothing is wrong was not parsed");
  return { kind: "ok", spec };
}

/** Source and task are parsed apart, and complain themselves. */
function elsewhere(invalid: Invalid): readonly Problem[] {
  return problemsOf(invalid).filter(({ path }) => !/^(?:source|task)(?:\.|$)/.test(path));
}

function complainAboutDelays({ retry }: Spec): readonly Problem[] {
  if (retry.maxDelayMs >= retry.baseDelayMs) return [];
  const message = `must be baseDelayMs (${retry.baseDelayMs}) or more, not ${retry.maxDelayMs}`;
  return [{ path: "retry.maxDelayMs", message }];
}

/** A quota without a rate, and bounds on what the task does not count. */
function complainAboutCosts({ quota, share, budget, task }: Spec): readonly Problem[] {
  const problems: Problem[] = [];
  const say = (path: string, message: string) => problems.push({ path, message });
  const isShared = quota?.target != null;
  if (quota !== null && quota.requests === null && quota.tokens == null && !isShared)
    say("quota.requests", "is missing; a quota limits requests, tokens or both, or names a target");
  if (share != null && !isShared)
    say("share.weight", "needs quota.target: it is a part of what others share");
  if (quota?.tokens == null && quota?.tokenBurst != null)
    say("quota.tokenBurst", "needs quota.tokens: it is a part of that limit");
  const module = taskOf(task.kind);
  if (module !== null && module.countsTokens !== true) {
    const kind = `the task ${task.kind} counts none; accepted with the task llm`;
    if (quota?.tokens != null) say("quota.tokens", `limits tokens, and ${kind}`);
    if (budget?.tokens != null) say("budget.tokens", `bounds tokens, and ${kind}`);
  }
  if (quota?.tokens != null && quota.perHost != null)
    say("quota.perHost", "does not go with quota.tokens: those calls are for one endpoint");
  if (budget?.dollars != null && task.price == null)
    say("budget.dollars", "needs task.price, which says what tokens cost");
  return problems;
}

/** The `task` of a spec, its kind included, with its module's defaults. Paths begin with "task". */
export function parseTask(input: unknown): Result<"task", TaskSpec> {
  const { task: schema } = specSchema.shape;
  const outside = schema.safeParse(input);
  if (!outside.success) return complaintOf(outside.error, schema, input, "task");
  const task = taskOf(outside.data.kind);
  const taskSchema = taskSchemas[outside.data.kind];
  if (task === null || taskSchema === undefined)
    return { kind: "invalid", path: "task.kind", message: "is unknown" };
  const settings = taskSchema.safeParse(withoutNulls(outside.data));
  if (!settings.success) return complaintOf(settings.error, taskSchema, input, "task");
  const complaints = [task.check(settings.data) ?? []].flat();
  const invalid = invalidFor(complaints.map(({ path, message }) => ({ path: join("task", path), message })));
  return invalid ?? { kind: "ok", task: settings.data as TaskSpec };
}

/** What a task takes over from the source: an object's store need not be written down twice. */
function withInherited(task: unknown, source: SourceSpec): unknown {
  if (!isObject(task) || typeof task.kind !== "string") return task;
  const keys = taskOf(task.kind)?.inherits ?? [];
  const inherited = keys.filter((key) => task[key] == null && source[key] != null);
  return { ...task, ...Object.fromEntries(inherited.map((key) => [key, source[key]])) };
}

function parseSource(input: unknown): Result<"source", SourceSpec> {
  const { source: kinds } = specSchema.shape;
  const outside = kinds.safeParse(input);
  if (!outside.success) return complaintOf(outside.error, kinds, input, "source");
  const schema = sourceSchemas[outside.data.kind];
  if (schema === undefined) return { kind: "invalid", path: "source.kind", message: "is unknown" };
  const settings = schema.safeParse(withoutNulls(outside.data));
  if (!settings.success) return complaintOf(settings.error, schema, outside.data, "source");
  return { kind: "ok", source: settings.data };
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A setting that is null is one that was not given. */
function withoutNulls(settings: object): object {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null));
}

/** The body of PATCH. A null inside `pacing`, `retry` or `tolerate` restores that key's default. */
export function parsePatch(input: unknown): Result<"patch", PatchRun> {
  const outside = patchSchema.safeParse(input);
  if (!outside.success) return complaintOf(outside.error, patchSchema, input);
  const { quota, share, budget, maxParallelism, window, ramp, deadline, pacing, retry, tolerate } =
    outside.data;
  const patch = {
    share: share && (share.weight == null ? null : { weight: share.weight }),
    quota: quota && (withoutUndefined(quota) as NonNullable<PatchRun["quota"]>),
    budget: budget && (withoutUndefined(budget) as NonNullable<PatchRun["budget"]>),
    maxParallelism,
    window: window && restoreNulls<WindowSpec>(WINDOW_DEFAULTS, window),
    ramp: ramp && restoreNulls<RampSpec>(RAMP_DEFAULTS, ramp),
    deadline,
    pacing: pacing && restoreNulls(SPEC_DEFAULTS.pacing, pacing),
    retry: retry && restoreNulls(SPEC_DEFAULTS.retry, retry),
    tolerate: tolerate && restoreNulls(SPEC_DEFAULTS.tolerate, tolerate),
  };
  return { kind: "ok", patch: withoutUndefined(patch) as PatchRun };
}

export interface RetryChange {
  readonly kinds?: readonly ErrorKind[];
  readonly task?: Readonly<Record<string, unknown>>;
  readonly tolerate: TolerateSpec;
}

/** The body of a retry. */
export function parseRetry(input: unknown): Result<"retry", RetryChange> {
  const outside = retrySchema.safeParse(input);
  if (!outside.success) return complaintOf(outside.error, retrySchema, input);
  const { kinds, task } = outside.data;
  // Who names a window or what then happens wants it to happen: at the share of any other run.
  const tolerate = outside.data.tolerate
    ? fill(SPEC_DEFAULTS.tolerate, outside.data.tolerate)
    : RETRY_TOLERATE;
  return { kind: "ok", retry: { ...(kinds && { kinds }), ...(task && { task }), tolerate } };
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}

/** The keys that were given, and the defaults of those that were given as null. */
function restoreNulls<T extends object>(
  defaults: T,
  given: { readonly [Key in keyof T]?: unknown },
): Partial<T> {
  const entries = Object.entries(withoutUndefined(given)).map(([key, value]) => [
    key,
    value ?? defaults[key as keyof T],
  ]);
  return Object.fromEntries(entries) as Partial<T>;
}
