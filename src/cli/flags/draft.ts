/**
 * The spec a command line asks for, before anything is started: flags alone, a file, or a file with flags over it.
 *
 * What a spec may say is decided in one place for everybody (`runSpec/schema.ts`); here its complaints get the names
 * the user typed: a flag where the value came from a flag, else the field of the file.
 */
import { readFileSync, statSync } from "node:fs";
import { MAX_SPEC_BYTES } from "../../core/limits.ts";
import type { Json } from "../../core/spec.ts";
import { parseDuration } from "../../core/time.ts";
import { parsePatch, parseSpec } from "../../runSpec/schema.ts";
import { type Invalid, type Problem, problemsOf } from "../../schema/complaint.ts";
import { UsageError } from "../exit.ts";
import { type LocalInput, localInput } from "../localInput.ts";
import { printable } from "../words/printable.ts";
import { expectFlag, smokeFlag, tolerateFlag } from "./answerFlags.ts";
import { type Flags, shown } from "./arguments.ts";
import { fieldName, flagFor, mayFollow } from "./fieldName.ts";
import { RUN_ID } from "./flags.ts";
import { admitForeignKinds } from "./foreignKinds.ts";
import { deadlineFlag, rampFlag, windowFlags, withRampFlag, withWindowFlags } from "./whenFlags.ts";

export interface Draft {
  /** Checked: `parseSpec` accepts it. As the user wrote it: defaults are the server's to fill. */
  readonly spec: JsonObject;
  readonly input: LocalInput | null;
  /** What the user calls a field of the spec. */
  nameOf(path: string): string;
}

type JsonObject = { readonly [key: string]: Json };

/**
 * The draft of `run` and `plan`. Throws UsageError with a line for each mistake, in flags and spec, and for those that
 * the flags were refused for before: it names flag or field and what is accepted.
 * `parse`: what checks the spec, where it is not yet one that runs; `instead`: what stands for a file of a spec
 * where none is named, and flags come over it.
 */
export function draftSpec(
  words: readonly string[],
  flags: Flags,
  parse: (spec: JsonObject) => { readonly kind: "ok" } | Invalid = parseSpec,
  instead: JsonObject | null = null,
): Draft {
  const [file] = words;
  const read = file === undefined ? instead : flags.noted(SPEC_FILE, () => readSpecFile(file));
  // Where the spec is not known, only what was typed can be judged.
  const isKnown = flags.wordsAreSure && !flags.refused.has(SPEC_FILE);
  const written = isKnown ? read : {};
  admitForeignKinds(written, flags);
  if (written === null) requireFlags(flags);
  const limit = flags.wholeNumber("limit", { least: 1, most: Number.MAX_SAFE_INTEGER });
  const local = flags.noted("input", () => localInput(objectOf(written?.source), file ?? null, flags, limit));
  const input = local?.input ?? null;
  const spec = withoutNulls({
    ...written,
    ...topFlags(flags),
    source: local?.source ?? limited(written?.source ?? null, limit, flags),
    task: withTaskFlags(objectOf(written?.task), flags, written !== null),
    quota: withQuotaFlags(objectOf(written?.quota), flags, isKnown),
    share: withFlag(objectOf(written?.share), "weight", wholeFlag(flags, "weight")),
    budget: withBudgetFlags(objectOf(written?.budget), flags),
    window: withWindowFlags(objectOf(written?.window), flags),
    ramp: withRampFlag(objectOf(written?.ramp), flags),
    tolerate: withFlag(objectOf(written?.tolerate), "failureRate", tolerateFlag(flags)),
    smoke: smokeFlag(objectOf(written?.smoke), wholeFlag(flags, "smoke")),
    retry: withRetryFlags(objectOf(written?.retry), flags),
  });
  const nameOf = (path: string) => fieldName(path, flags, file ?? null);
  refuseProblems(parse(spec), flags, { nameOf, isKnown });
  flags.throwRefused();
  return { spec, input, nameOf };
}

/** In the place of a flag's name: the file of the spec. */
const SPEC_FILE = "SPEC.json";

/**
 * Notes what is wrong with the fields that the flags made. Left out: what may only come of a flag refused before, and
 * where the rest of the spec is not known, whatever was not typed.
 */
function refuseProblems(
  parsed: { readonly kind: "ok" } | Invalid,
  flags: Flags,
  { nameOf, isKnown }: { readonly nameOf: (path: string) => string; readonly isKnown: boolean },
): void {
  const problems = parsed.kind === "invalid" ? problemsOf(parsed) : [];
  const { refused } = flags;
  for (const { path, message } of problems) {
    const flag = flagFor(path, flags);
    const isTyped = flag !== null && flags.has(flag);
    if (mayFollow(path, refused) || !(isKnown || isTyped)) continue;
    flags.refuse(path, `${nameOf(path)}: ${printable(message)}`);
  }
}

/** A line for each problem, by what the user calls the field. */
export function usageError(problems: readonly Problem[], nameOf: (path: string) => string): UsageError {
  const lines = problems.map(({ path, message }) => `${nameOf(path)}: ${printable(message)}`);
  return new UsageError(lines.join("\n"));
}

/** What flags like `--url` change in a task that is there already; null when none was given. Refuses by flag. */
export function draftTaskChange(flags: Flags): JsonObject | null {
  return withTaskFlags(null, flags, true);
}

/**
 * The change that flags like `--rate` ask for, as PATCH takes it; null when none was given. Throws UsageError with a
 * line for each mistake.
 */
export function draftPatch(flags: Flags): JsonObject | null {
  const rate = flags.get("rate");
  const burst = wholeFlag(flags, "burst");
  const perHost = flags.get("per-host") === "none" ? null : (flags.get("per-host") ?? undefined);
  const pacing = {
    minIntervalMs: durationFlag(flags, "min-interval"),
    jitterMs: durationFlag(flags, "jitter"),
  };
  const tokens = flags.get("tokens") ?? undefined;
  const requests = rate === "none" ? null : (rate ?? undefined);
  const quota = given({ requests, burst, perHost, tokens: tokens === "none" ? null : tokens });
  const retry = given({ maxRetryAfterMs: durationFlag(flags, "max-retry-after") });
  const patch = given({
    retry: Object.keys(retry).length > 0 ? retry : undefined,
    quota: Object.keys(quota).length > 0 ? quota : undefined,
    share: withFlag(null, "weight", wholeFlag(flags, "weight")) ?? undefined,
    budget: withBudgetFlags(null, flags) ?? undefined,
    maxParallelism: wholeFlag(flags, "parallel"),
    window: windowFlags(flags),
    ramp: rampFlag(flags),
    deadline: deadlineFlag(flags),
    tolerate: withFlag(null, "failureRate", tolerateFlag(flags)) ?? undefined,
    pacing: Object.values(pacing).some((value) => value !== undefined) ? given(pacing) : undefined,
  });
  const isEmpty = Object.keys(patch).length === 0;
  const nameOf = (path: string) => fieldName(path, flags, null);
  if (!isEmpty) refuseProblems(parsePatch(patch), flags, { nameOf, isKnown: true });
  flags.throwRefused();
  return isEmpty ? null : patch;
}

function withRetryFlags(written: JsonObject | null, flags: Flags): JsonObject | null {
  const tried = withFlag(written, "maxAttempts", wholeFlag(flags, "max-attempts"));
  return withFlag(tried, "maxRetryAfterMs", durationFlag(flags, "max-retry-after"));
}

function requireFlags(flags: Flags): void {
  if (!flags.has("input"))
    flags.refuse("input", "--input is missing: a file of items, one a line, or - for stdin");
  if (!flags.has("url"))
    flags.refuse("url", "--url is missing: where each item goes, as in https://host/{{item}}");
}

function readSpecFile(file: string): JsonObject {
  if (RUN_ID.test(file))
    throw new UsageError(`${file} is a run, not a spec; go on with it: weir run --resume ${file}`);
  let text: string;
  try {
    const { size } = statSync(file);
    if (size > MAX_SPEC_BYTES) throw new Error(`it is larger than ${MAX_SPEC_BYTES} bytes`);
    // Editors of Windows put a byte order mark in front.
    text = readFileSync(file, "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    throw new UsageError(`the spec ${shown(file)} cannot be read: ${reason(error)}`);
  }
  try {
    const spec: unknown = JSON.parse(text);
    if (typeof spec === "object" && spec !== null && !Array.isArray(spec)) return spec as JsonObject;
  } catch (error) {
    throw new UsageError(notJson(file, text, error));
  }
  throw new UsageError(`the spec ${shown(file)} is not a JSON object`);
}

/** A list of items given in the place of the spec is the likeliest reason. */
function notJson(file: string, text: string, error: unknown): string {
  const hint = text.trimStart().startsWith("{") ? "" : `; if it is a list of items: --input ${shown(file)}`;
  return `the spec ${shown(file)} is not JSON: ${printable(reason(error))}${hint}`;
}

function topFlags(flags: Flags): JsonObject {
  return given({
    name: flags.get("name") ?? undefined,
    maxParallelism: wholeFlag(flags, "parallel"),
    chunkSize: wholeFlag(flags, "chunk"),
    deadline: deadlineFlag(flags),
  });
}

function withTaskFlags(task: JsonObject | null, flags: Flags, hasFile: boolean): JsonObject | null {
  const headers = flags.all("header").flatMap((text) => headerFlag(text, flags));
  const changes = given({
    url: flags.get("url") ?? undefined,
    method: flags.get("method")?.toUpperCase(),
    headers:
      headers.length === 0 ? undefined : { ...objectOf(task?.headers), ...Object.fromEntries(headers) },
    body: bodyFlag(flags),
    timeoutMs: durationFlag(flags, "timeout"),
    expect: expectFlag(flags),
    value: flags.get("value") ?? undefined,
    batch: wholeFlag(flags, "batch"),
  });
  if (Object.keys(changes).length === 0) return task;
  return { ...(hasFile ? task : { kind: "http" }), ...changes };
}

function headerFlag(text: string, flags: Flags): readonly (readonly [name: string, value: string])[] {
  const colon = text.indexOf(":");
  if (colon > 0) return [[text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim()]];
  flags.refuse("header", `--header: ${shown(text)} is not a header; accepted: 'name: value'`);
  return [];
}

/** JSON is taken as JSON, so that items land inside its strings; anything else is text. */
function bodyFlag(flags: Flags): Json | undefined {
  const text = flags.get("data");
  if (text === null) return undefined;
  try {
    const body: Json = JSON.parse(text);
    return typeof body === "object" ? body : text;
  } catch {
    return text;
  }
}

/** `isKnown`: false where the spec may have a quota that nobody could read. */
function withQuotaFlags(quota: JsonObject | null, flags: Flags, isKnown: boolean): JsonObject | null {
  const shared = withFlag(quota, "target", flags.get("target") ?? undefined);
  const rated = withFlag(shared, "requests", flags.get("rate") ?? undefined);
  const lacksRate = rated === null && isKnown && !flags.refused.has("rate");
  const burst = wholeFlag(flags, "burst");
  if (burst !== undefined && lacksRate)
    flags.refuse("burst", "--burst needs --rate: a burst is part of a quota");
  const perHost = flags.get("per-host") ?? undefined;
  if (perHost !== undefined && lacksRate)
    flags.refuse("per-host", "--per-host needs --rate: it is part of a quota");
  const withBurst = withFlag(rated, "burst", burst);
  return withFlag(withFlag(withBurst, "perHost", perHost), "tokens", flags.get("tokens") ?? undefined);
}

function withBudgetFlags(budget: JsonObject | null, flags: Flags): JsonObject | null {
  const changes = given({
    tokens: wholeFlag(flags, "budget-tokens"),
    calls: wholeFlag(flags, "budget-calls"),
    dollars: wholeFlag(flags, "budget-dollars"),
  });
  return Object.keys(changes).length === 0 ? budget : { ...budget, ...changes };
}

function withFlag(object: JsonObject | null, key: string, value: Json | undefined): JsonObject | null {
  return value === undefined ? object : { ...object, [key]: value };
}

/** What the schema says about the range is better than what could be said here: only the form is refused. */
function wholeFlag(flags: Flags, name: string): number | undefined {
  const text = flags.get(name);
  if (text === null) return undefined;
  if (/^[+-]?\d{1,15}(\.\d+)?$/.test(text)) return Number(text);
  flags.refuse(name, `--${name}: ${shown(text)} is not a whole number; accepted: digits alone, as in 1000`);
  return undefined;
}

function durationFlag(flags: Flags, name: string): number | undefined {
  const text = flags.get(name);
  if (text === null) return undefined;
  const ms = parseDuration(text);
  if (ms !== null) return Math.round(ms);
  flags.refuse(name, `--${name}: ${shown(text)} is not a time; accepted: 500ms, 30s, 2m or 1h`);
  return undefined;
}

/** `--limit` on sources that hold their items in the spec. */
function limited(source: Json, limit: number | null, flags: Flags): Json {
  const object = objectOf(source);
  if (limit === null || object === null) return source;
  if (object.kind === "items" && Array.isArray(object.items)) {
    return { ...object, items: object.items.slice(0, limit) };
  }
  const { from = 0, to, step = 1 } = object;
  if (
    object.kind === "range" &&
    typeof from === "number" &&
    typeof to === "number" &&
    typeof step === "number"
  ) {
    const end = from + limit * step;
    return { ...object, to: step > 0 ? Math.min(to, end) : Math.max(to, end) };
  }
  flags.refuse("limit", `--limit: not for a source of kind ${shown(String(object.kind))}`);
  return source;
}

function objectOf(value: Json | undefined): JsonObject | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

/** The keys that were given. */
function given(object: { readonly [key: string]: Json | undefined }): JsonObject {
  return Object.fromEntries(
    Object.entries(object).filter((entry): entry is [string, Json] => entry[1] !== undefined),
  );
}

/** A part of the spec that nobody wrote is left out; what the file says is kept as it is. */
function withoutNulls(object: { readonly [key: string]: Json }): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
