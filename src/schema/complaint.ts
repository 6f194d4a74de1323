/**
 * What is wrong with outside input, all of it: each as the path of one field and one sentence.
 * A sentence never repeats text of the input, which may be a credential; numbers it does.
 */
import type { z } from "zod";
import { PROBLEMS_SHOWN } from "../core/limits.ts";

/** One field, and what is wrong with it. */
export interface Problem {
  /** Keys joined by dots, such as "quota.requests"; "" for the whole. */
  readonly path: string;
  readonly message: string;
}

/** Path and message are those of the first problem. */
export interface Invalid extends Problem {
  readonly kind: "invalid";
  /** All of them, at most `PROBLEMS_SHOWN`; absent where there is only the one. */
  readonly problems?: readonly Problem[];
}

/** Everything that is wrong, the first one first. */
export function problemsOf(invalid: Invalid): readonly Problem[] {
  const { path, message } = invalid;
  return invalid.problems ?? [{ path, message }];
}

/** Null where nothing is wrong. */
export function invalidFor(problems: readonly Problem[]): Invalid | null {
  const [first, ...others] = problems.slice(0, PROBLEMS_SHOWN);
  if (first === undefined) return null;
  const { path, message } = first;
  return { kind: "invalid", path, message, ...(others.length === 0 ? {} : { problems: [first, ...others] }) };
}

/** The same problems, of a value that stands at `above` in the whole. */
export function below(above: string, invalid: Invalid): Invalid {
  const problems = problemsOf(invalid).map(({ path, message }) => ({ path: join(above, path), message }));
  return invalidFor(problems) ?? invalid;
}

/** The complaints of a failed parse; `above` is the path of the parsed value in the whole input. */
export function complaintOf(error: z.ZodError, schema: z.ZodType, input: unknown, above = ""): Invalid {
  const problems = error.issues.flatMap((issue) => problemsOfIssue(issue, schema, input, above));
  return invalidFor(problems) ?? { kind: "invalid", path: above, message: "is not accepted" };
}

function problemsOfIssue(
  issue: z.core.$ZodIssue,
  schema: z.ZodType,
  input: unknown,
  above: string,
): readonly Problem[] {
  const steps = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const accepted = keysAt(schema, steps);
    const message = `is unknown${accepted.length > 0 ? `; accepted are ${accepted.join(", ")}` : ""}`;
    return issue.keys.map((key) => ({ path: join(above, ...steps, key), message }));
  }
  return [{ path: join(above, ...steps), message: sentence(issue, at(input, steps)) }];
}

/** "a.b" from its steps; empty ones are left out. */
export function join(...steps: readonly string[]): string {
  return steps.filter((step) => step !== "").join(".");
}

function sentence(issue: z.core.$ZodIssue, value: unknown): string {
  const message = inOurWords(issue);
  if (value === undefined) return `is missing: it ${message}`;
  return typeof value === "number" && message.startsWith("must be") ? `${message}, not ${value}` : message;
}

/** zod's own words where a schema brings none. */
function inOurWords(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type" && issue.message.startsWith("Invalid input")) {
    return `must be ${ARTICLES[issue.expected] ?? issue.expected}`;
  }
  if (issue.code === "invalid_value" && issue.message.startsWith("Invalid")) {
    return `must be one of ${issue.values.map(String).join(", ")}`;
  }
  if (issue.code === "too_small" && issue.message.startsWith("Too small")) {
    return `must be at least ${issue.minimum}${issue.origin === "number" ? "" : " long"}`;
  }
  if (issue.code === "too_big" && issue.message.startsWith("Too big")) {
    return `must be at most ${issue.maximum}${issue.origin === "number" ? "" : " long"}`;
  }
  return issue.message;
}

const ARTICLES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

function at(input: unknown, steps: readonly string[]): unknown {
  let value = input;
  for (const step of steps) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[step];
  }
  return value;
}

/** The keys that an object schema knows, found by walking along the path; none where it is not an object. */
function keysAt(schema: z.ZodType, steps: readonly string[]): string[] {
  let inner = shapeOf(schema);
  for (const step of steps) inner = inner?.[step] === undefined ? null : shapeOf(inner[step]);
  return Object.keys(inner ?? {});
}

function shapeOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> | null {
  const unwrappable = schema as { readonly shape?: Record<string, z.ZodType>; unwrap?(): z.ZodType };
  if (unwrappable.shape !== undefined) return unwrappable.shape;
  return unwrappable.unwrap === undefined ? null : shapeOf(unwrappable.unwrap());
}
