/**
 * What a task of one's own returned, as an outcome: `unknown` in, because it may return anything.
 *
 * Invariant: what comes out can be judged, masked and written as a row. What cannot is a failed row of kind `task`
 * that says what the task did: it would do the same at every other try.
 */

import { parseJson, stringifyJson } from "../core/json.ts";
import { whyNotJson } from "../core/jsonValue.ts";
import { MAX_ERROR_DETAIL_BYTES } from "../core/limits.ts";
import { cutUtf8, readable } from "../core/outsideText.ts";
import { ERROR_KINDS, type ErrorKind } from "../core/row.ts";
import { counted } from "../core/sentence.ts";
import type { Json } from "../core/spec.ts";
import type { Usage } from "../core/usage.ts";
import type { BatchOutcome, TaskOutcome } from "./task.ts";

type Failure = Extract<TaskOutcome, { readonly kind: "permanent" }>;
type Fields = { readonly [key: string]: unknown };

const KINDS = ["ok", "throttled", "transient", "again", "permanent"] as const;

/** `called`: a request has left in this try. */
export interface Returned {
  readonly called: boolean;
}

/** The outcome of one try of one item. */
export function outcomeOf(returned: unknown, of: Returned): TaskOutcome {
  if (!isObject(returned)) return broken(`the task returned ${named(returned)}, not an outcome`, of);
  const kind = KINDS.find((one) => one === returned.kind);
  if (kind === undefined)
    return broken(
      `the task returned an outcome of kind ${named(returned.kind)}; there are ${KINDS.join(", ")}`,
      of,
    );
  return kind === "ok" ? okOf(returned, of) : notOkOf(kind, returned, of);
}

/** The outcome of one call for `items` items. */
export function batchOutcomeOf(returned: unknown, items: number, of: Returned): BatchOutcome {
  const whole = (message: string) => ({ kind: "whole", outcome: broken(message, of) }) as const;
  if (!isObject(returned)) return whole(`the task returned ${named(returned)}, not an outcome of its items`);
  if (returned.kind === "whole") {
    const outcome = outcomeOf(returned.outcome, of);
    return outcome.kind === "ok"
      ? whole("the task gave one value for all items")
      : { kind: "whole", outcome };
  }
  const { outcomes } = returned;
  if (returned.kind !== "each" || !Array.isArray(outcomes))
    return whole(`the task returned an outcome of kind ${named(returned.kind)}; there are each, whole`);
  if (outcomes.length !== items)
    return whole(`the task gave ${counted(outcomes.length, "outcome")} for ${counted(items, "item")}`);
  return { kind: "each", outcomes: outcomes.map((one: unknown) => outcomeOf(one, of)) };
}

function okOf(returned: Fields, of: Returned): TaskOutcome {
  const why = whyNotJson(returned.value);
  if (why !== null) return broken(`the task's value is not JSON: it ${why}`, of);
  const value = plain((returned.value ?? null) as Json);
  return { kind: "ok", value, ...statusOf(returned), ...spentOf(returned) };
}

/**
 * The value as its JSON says it: what `toJSON` makes of it is masked too, and whoever keeps the object changes no row.
 * No value is null: a row says something in any case.
 */
function plain(value: Json): Json {
  return typeof value === "object" && value !== null ? parseJson(stringifyJson(value)) : value;
}

function notOkOf(kind: Exclude<(typeof KINDS)[number], "ok">, returned: Fields, of: Returned): TaskOutcome {
  const { status: _, usage: __, told: ___, detail: ____, ...rest } = returned;
  const message =
    typeof returned.message === "string" ? returned.message : `the task said ${kind}, and not why`;
  const said = { ...rest, message, ...statusOf(returned), ...spentOf(returned), ...detailOf(returned) };
  switch (kind) {
    case "throttled":
    case "again":
      return { ...said, kind, retryAfterMs: waitOf(returned) };
    case "transient":
      return { ...said, kind, errorKind: errorKindOf(returned), retryAfterMs: waitOf(returned) };
    case "permanent": {
      const called = typeof returned.called === "boolean" ? returned.called : of.called;
      return { ...said, kind, errorKind: errorKindOf(returned), called };
    }
    default:
      return kind satisfies never;
  }
}

function broken(message: string, { called }: Returned): Failure {
  return { kind: "permanent", errorKind: "task", message, called };
}

/** A wait that is not a number would be waited for without an end. */
function waitOf({ retryAfterMs }: Fields): number | null {
  return typeof retryAfterMs === "number" && Number.isFinite(retryAfterMs) ? Math.max(0, retryAfterMs) : null;
}

function errorKindOf({ errorKind }: Fields): ErrorKind {
  return ERROR_KINDS.find((kind) => kind === errorKind) ?? "task";
}

function statusOf({ status }: Fields): { readonly status?: number } {
  return Number.isInteger(status) ? { status: status as number } : {};
}

function spentOf({ usage, told }: Fields): Pick<TaskOutcome, "usage" | "told"> {
  const counted = isObject(usage) && isCount(usage.inputTokens) && isCount(usage.outputTokens);
  return {
    ...(counted ? { usage: usage as unknown as Usage } : {}),
    ...(isObject(told) ? { told: told as unknown as NonNullable<TaskOutcome["told"]> } : {}),
  };
}

function detailOf({ detail }: Fields): { readonly detail?: string } {
  return typeof detail === "string" ? { detail: cutUtf8(readable(detail), MAX_ERROR_DETAIL_BYTES) } : {};
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

/** What was returned, in a word. */
function named(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (value === null || value === undefined || typeof value === "number" || typeof value === "boolean")
    return String(value);
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
