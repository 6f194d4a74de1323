/**
 * What a spec says that answers mean: a list of rules, of which the first that fits decides, before anything built in.
 *
 * A rule fits when all of its conditions hold: the status, a header, what stands at a pointer in the body, the body's
 * text, the URL that answered. What is to be matched is a pattern whose time is bounded (`pattern.ts`), because the
 * text comes from outside. A rule knows whether it looks at a value: where one call has many results, such rules look
 * at each result, and the others at the answer.
 */
import { isExactNumber, stringifyJson } from "../json.ts";
import { jsonAt, pointerSteps } from "../jsonPointer.ts";
import { RULE_TEXT_CHARS } from "../limits.ts";
import type { Json } from "../spec.ts";
import { type Statuses, statusesOf } from "../statuses.ts";
import { compilePattern, type Pattern } from "./pattern.ts";

export const MEANINGS = ["ok", "throttled", "again", "failed", "refused"] as const;
export type Meaning = (typeof MEANINGS)[number];

/** What is asked of one place; one of them is given, or none: something is to be there. */
export interface Wanted<Equal> {
  readonly equals?: Equal | undefined;
  readonly exists?: boolean | undefined;
  readonly matches?: string | undefined;
}

/** A rule as specs write it. */
export interface RuleText {
  readonly when: Wanted<Json> & {
    readonly status?: readonly (string | number)[] | undefined;
    readonly header?: (Wanted<string | number> & { readonly name: string }) | undefined;
    readonly pointer?: string | undefined;
    readonly text?: string | { readonly matches: string } | undefined;
    readonly url?: string | { readonly matches: string } | undefined;
  };
  readonly is: Meaning;
  readonly message?: string | undefined;
  readonly retryAfter?: string | undefined;
}

/** What a rule can look at. */
export interface AnswerFacts {
  readonly status: number;
  /** A header's text by its lower-case name; null where the answer has none. */
  readonly header: (name: string) => string | null;
  /** The URL that answered, the last one after redirects. */
  readonly url: string;
  /** The body as JSON; a body that is not JSON is one text; undefined where there is none. */
  readonly value: Json | undefined;
  readonly text: string;
}

export interface AnswerRule {
  readonly is: Meaning;
  /** Statuses that it names; null: any. */
  readonly statuses: Statuses | null;
  readonly looksAtValue: boolean;
  /** It needs the body: for a condition, or for what it takes out of it. */
  readonly needsBody: boolean;
  readonly holds: (answer: AnswerFacts) => boolean;
  /** Where in the body the message stands; null: nowhere. */
  readonly message: readonly string[] | null;
  /** Where in the body the time to wait stands; null: nowhere. */
  readonly retryAfter: readonly string[] | null;
  /** What was found, for a row without a message of the target's own; null: the status says it all. */
  readonly says: string | null;
}

export interface PlannedRules {
  readonly rules: readonly AnswerRule[];
  /** The first thing wrong with each rule that has something wrong with it; empty where all are in `rules`. */
  readonly complaints: readonly { readonly path: string; readonly message: string }[];
}

/** The rules with their patterns compiled. Paths of complaints begin with `at` and the rule's number. */
export function planRules(texts: readonly RuleText[], at: string): PlannedRules {
  const planned = texts.map(planRule);
  return {
    rules: planned.flatMap((one) => (one.kind === "ok" ? [one.rule] : [])),
    complaints: planned.flatMap((one, n) =>
      one.kind === "invalid" ? [{ path: `${at}.${n}.${one.path}`, message: one.message }] : [],
    ),
  };
}

/** The first rule that fits; null: none does. */
export function ruleFor(rules: readonly AnswerRule[], answer: AnswerFacts): AnswerRule | null {
  return rules.find((rule) => rule.holds(answer)) ?? null;
}

/** What stands where a rule finds its message, on one line; null where there is nothing to say. */
export function messageAt(path: readonly string[] | null, value: Json | undefined): string | null {
  const found = path === null || value === undefined ? undefined : jsonAt(value, path);
  if (found === undefined || found === null) return null;
  const text = textOf(found).replace(/\s+/g, " ").trim();
  return text === "" ? null : text;
}

/** The text of what stands where a rule finds the time to wait; null: nothing does. */
export function waitAt(path: readonly string[] | null, value: Json | undefined): string | null {
  const found = path === null || value === undefined ? undefined : jsonAt(value, path);
  return found === undefined || found === null ? null : textOf(found);
}

type PlannedRule =
  | { readonly kind: "ok"; readonly rule: AnswerRule }
  | { readonly kind: "invalid"; readonly path: string; readonly message: string };

interface Condition {
  readonly holds: (answer: AnswerFacts) => boolean;
  readonly says: string;
}

const CONDITIONS = 'accepted are "status", "header", "pointer", "text" and "url", one at least';

function planRule({ when, is, message, retryAfter }: RuleText): PlannedRule {
  const { status, header, pointer, text, url, equals, exists, matches } = when;
  if (
    status === undefined &&
    header === undefined &&
    pointer === undefined &&
    text === undefined &&
    url === undefined
  )
    return invalid("when", `names nothing, so it would fit every answer; ${CONDITIONS}`);
  if (pointer === undefined && (equals !== undefined || exists !== undefined || matches !== undefined))
    return invalid("when", 'needs "pointer": where in the body to look');
  const conditions: Condition[] = [];
  try {
    if (header !== undefined) conditions.push(headerCondition(header));
    if (pointer !== undefined) conditions.push(valueCondition(pointer, { equals, exists, matches }));
    if (text !== undefined) conditions.push(textCondition(text));
    if (url !== undefined) conditions.push(urlCondition(url));
  } catch (fault) {
    if (!(fault instanceof NotAccepted)) throw fault;
    return invalid(fault.path, fault.message);
  }
  const statuses = status === undefined ? null : statusesOf(status);
  const rule: AnswerRule = {
    is,
    statuses,
    looksAtValue: pointer !== undefined,
    needsBody: [pointer, text, message, retryAfter].some((part) => part !== undefined),
    holds: (answer) =>
      (statuses === null || statuses[answer.status] === true) &&
      conditions.every(({ holds }) => holds(answer)),
    message: message === undefined ? null : pointerSteps(message),
    retryAfter: retryAfter === undefined ? null : pointerSteps(retryAfter),
    says: conditions.length === 0 ? null : `the answer ${conditions.map(({ says }) => says).join(" and ")}`,
  };
  return { kind: "ok", rule };
}

function invalid(path: string, message: string): PlannedRule {
  return { kind: "invalid", path, message };
}

class NotAccepted extends Error {
  readonly path: string;
  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

function headerCondition({ name, equals, ...other }: NonNullable<RuleText["when"]["header"]>): Condition {
  const wanted = { ...other, equals: equals === undefined ? undefined : String(equals).trim() };
  const fits = test("when.header", wanted, (found) => found === wanted.equals);
  const lower = name.toLowerCase();
  return {
    holds: ({ header }) => fits.holds(header(lower)?.trim()),
    says: `${fits.says} in its header ${lower}`,
  };
}

function valueCondition(pointer: string, wanted: Wanted<Json>): Condition {
  const path = pointerSteps(pointer);
  const fits = test("when", wanted, (found) => isSame(found, wanted.equals as Json));
  const place = pointer === "" ? "at its root" : `at ${pointer}`;
  return {
    holds: ({ value }) => fits.holds(value === undefined ? undefined : jsonAt(value, path)),
    says: `${fits.says} ${place}`,
  };
}

function textCondition(text: NonNullable<RuleText["when"]["text"]>): Condition {
  const source = typeof text === "string" ? text : text.matches;
  const pattern = compiled("when.text", source);
  return {
    holds: (answer) => matchesStart(pattern, answer.text),
    says: `has ${JSON.stringify(source)} in its text`,
  };
}

function urlCondition(url: NonNullable<RuleText["when"]["url"]>): Condition {
  const source = typeof url === "string" ? url : url.matches;
  const pattern = compiled("when.url", source);
  return {
    holds: (answer) => pattern.matches(answer.url),
    says: `came from a URL with ${JSON.stringify(source)}`,
  };
}

/** What `equals`, `exists` or `matches` want of what was found. Null counts as nothing: APIs write it for "none". */
function test<Found extends Json>(
  path: string,
  { equals, exists, matches }: Wanted<Found>,
  isEqual: (found: Found) => boolean,
): { readonly holds: (found: Found | undefined) => boolean; readonly says: string } {
  const given = [equals, exists, matches].filter((part) => part !== undefined);
  if (given.length > 1) throw new NotAccepted(path, 'accepts one of "equals", "exists" and "matches"');
  if (equals !== undefined)
    return { holds: (found) => found !== undefined && isEqual(found), says: `has ${JSON.stringify(equals)}` };
  if (matches !== undefined) {
    const pattern = compiled(path, matches);
    return {
      holds: (found) => found !== undefined && found !== null && matchesStart(pattern, textOf(found)),
      says: `has ${JSON.stringify(matches)}`,
    };
  }
  const wanted = exists ?? true;
  return {
    holds: (found) => (found !== undefined && found !== null) === wanted,
    says: wanted ? "has something" : "has nothing",
  };
}

function compiled(path: string, source: string): Pattern {
  const parsed = compilePattern(source);
  if (parsed.kind === "invalid")
    throw new NotAccepted(path, `the pattern ${JSON.stringify(source)} ${parsed.message}`);
  return parsed.pattern;
}

function matchesStart(pattern: Pattern, text: string): boolean {
  return pattern.matches(text.length > RULE_TEXT_CHARS ? text.slice(0, RULE_TEXT_CHARS) : text);
}

function textOf(value: Json): string {
  return typeof value === "string" ? value : stringifyJson(value);
}

/** The same JSON value, in whatever order the keys of objects stand. */
function isSame(a: Json, b: Json): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null)
    return textual(a) === textual(b);
  if (isExactNumber(a) || isExactNumber(b) || Array.isArray(a) !== Array.isArray(b))
    return textual(a) === textual(b);
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  if (keys.length !== others.length) return false;
  return keys.every((key) => {
    const [one, other] = [jsonAt(a, [key]), jsonAt(b, [key])];
    return one !== undefined && other !== undefined && isSame(one, other);
  });
}

function textual(value: Json): string {
  return stringifyJson(value);
}
