/**
 * What a call for several items says of one of them: a result, judged as an answer of its own would be.
 *
 * Rules that look at a value look at the result. Where a result has a status of its own (a 207 means just that, RFC
 * 4918) it counts in the place of the call's, with the headers that stand beside it. The target did answer: whatever a
 * result says, it is not a sign that the target is down.
 */
import { type AnswerFacts, ruleFor } from "../../core/answer/answerRules.ts";
import { isExactNumber, stringifyJson } from "../../core/json.ts";
import { jsonAt } from "../../core/jsonPointer.ts";
import type { Json } from "../../core/spec.ts";
import type { TaskOutcome } from "../task.ts";
import { classOfStatus, type Head, statusLine } from "./httpAnswer.ts";
import type { BatchPlan } from "./httpBatchSettings.ts";
import type { HttpPlan } from "./httpSettings.ts";
import { outcomeOfRule } from "./ruledAnswer.ts";

/** The answer that has the results. */
export interface Answered {
  readonly response: Response;
  /** The URL that answered. */
  readonly url: string;
}

interface Judge {
  readonly plan: HttpPlan & { readonly batch: BatchPlan };
  readonly answered: Answered;
  readonly mask: (text: string) => string;
}

/** What became of the item of a result. */
export function outcomeOfResult(result: Json, { plan, answered, mask }: Judge): TaskOutcome {
  const own = ownStatus(result, plan.batch.statusAt, answered.response.status);
  const head = own === null ? answered.response : { status: own, statusText: "", headers: headersOf(result) };
  const facts = factsOf(result, head, answered.url);
  const isExpected = own === null || plan.expected[own] === true;
  // A result with a status of its own is an answer: every rule looks at it.
  const rules = own === null ? plan.rules.filter(({ looksAtValue }) => looksAtValue) : plan.rules;
  const rule = ruleFor(rules, facts);
  if (rule === null && !isExpected) {
    const outcome = classOfStatus(head, { text: facts.text, mask, nowMs: Date.now() });
    return outcome.kind === "transient" ? { ...outcome, isDown: false } : outcome;
  }
  if (rule === null || rule.is === "ok") return { kind: "ok", value: result, status: head.status };
  return outcomeOfRule(rule, facts, { line: statusLine(head), text: facts.text, isExpected, mask });
}

/** What the rules say of an expected answer whose results were not found; null: nothing. */
export function outcomeWithoutResults(
  value: Json,
  { plan, answered, mask }: Judge,
): Exclude<TaskOutcome, { readonly kind: "ok" }> | null {
  const facts = factsOf(value, answered.response, answered.url);
  const rule = ruleFor(
    plan.rules.filter(({ looksAtValue }) => looksAtValue),
    facts,
  );
  if (rule === null || rule.is === "ok") return null;
  const line = statusLine(answered.response);
  const outcome = outcomeOfRule(rule, facts, { line, text: facts.text, isExpected: true, mask });
  return outcome.kind === "ok" ? null : outcome;
}

function factsOf(value: Json, head: Head, url: string): AnswerFacts {
  const header = (name: string) => head.headers.get(name);
  return { status: head.status, header, url, value, text: stringifyJson(value) };
}

const MULTI_STATUS = 207;
/** Where parts of a 207 have their status. */
const USUAL_PLACES = ["status", "statusCode", "status_code", "code"] as const;

function ownStatus(result: Json, at: readonly string[] | null, callStatus: number): number | null {
  if (at !== null) return statusIn(jsonAt(result, at));
  if (callStatus !== MULTI_STATUS) return null;
  for (const place of USUAL_PLACES) {
    const status = statusIn(jsonAt(result, [place]));
    if (status !== null) return status;
  }
  return null;
}

/** 429, "429" and "HTTP/1.1 429 Too Many Requests" are statuses; anything else is data. */
function statusIn(value: Json | undefined): number | null {
  const text = typeof value === "number" ? String(value) : typeof value === "string" ? value : "";
  const status = /^(?:HTTP\/\d(?:\.\d)? )?([2-5]\d\d)(?: .*)?$/.exec(text)?.[1];
  return status === undefined ? null : Number(status);
}

/** The headers that stand in a result: an object, or a list of names and values. */
function headersOf(result: Json): Head["headers"] {
  const found = jsonAt(result, ["headers"]);
  const fields = new Map<string, string>();
  if (Array.isArray(found)) {
    for (const field of found as readonly Json[]) {
      note(fields, jsonAt(field, ["name"]), jsonAt(field, ["value"]));
    }
  } else if (typeof found === "object" && found !== null && !isExactNumber(found)) {
    for (const [name, value] of Object.entries(found as { readonly [key: string]: Json }))
      note(fields, name, value);
  }
  return { get: (name) => fields.get(name.toLowerCase()) ?? null };
}

function note(fields: Map<string, string>, name: Json | undefined, value: Json | undefined): void {
  if (typeof name !== "string" || (typeof value !== "string" && typeof value !== "number")) return;
  fields.set(name.toLowerCase(), String(value));
}
