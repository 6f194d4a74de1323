/**
 * What a task threw, as an outcome. Three things pass through, because they are not outcomes of the item:
 * LaneStopped and ItemNotDue (no attempt, no row) and SettingMissing (the run pauses).
 */

import { MAX_ERROR_DETAIL_BYTES } from "../core/limits.ts";
import { cutUtf8, readable } from "../core/outsideText.ts";
import { TooDeep } from "../core/template/mask.ts";
import { CannotExpand } from "../core/template/template.ts";
import {
  AnswerUnreadable,
  CallFailed,
  CallRefused,
  CallTimedOut,
  CallTooDear,
  isNoOutcome,
  type TaskOutcome,
  TaskSilent,
} from "./task.ts";

/** `called`: whether a request had left in this try. Rethrows what is not an outcome. */
export function outcomeOfFault(fault: unknown, called: boolean): TaskOutcome {
  if (isNoOutcome(fault)) throw fault;
  if (fault instanceof CallTimedOut) return transient("timeout", fault.message);
  if (fault instanceof CallFailed) {
    const failed = transient("network", fault.message);
    return fault.isUnreached === false ? failed : { ...failed, isUnreached: fault.isUnreached };
  }
  if (fault instanceof AnswerUnreadable) {
    const { message, status } = fault;
    return { kind: "permanent", errorKind: "parse", message, status, called };
  }
  if (fault instanceof CallTooDear)
    return { kind: "permanent", errorKind: "budget", message: fault.message, called };
  const message = messageOf(fault);
  if (fault instanceof CallRefused) return { kind: "permanent", errorKind: "disallowed", message, called };
  // A hole in a template is the item's, and no code's.
  const stack = fault instanceof CannotExpand ? {} : stackOf(fault);
  return { kind: "permanent", errorKind: "task", message, called, ...stack };
}

/** Lines of a stack that lead to a task's own code; what called the task is the same for every item. */
const STACK_LINES = 6;

/** Where an error of a task came from, as the row's detail. */
function stackOf(fault: unknown): { readonly detail?: string } {
  // Said of an item or an answer, not of a program: where it was noticed is of no use to anybody.
  if (fault instanceof CannotExpand || fault instanceof TooDeep || fault instanceof TaskSilent) return {};
  try {
    const { stack } = fault as { readonly stack?: unknown };
    if (!(fault instanceof Error) || typeof stack !== "string") return {};
    const lines = readable(stack).split("\n", STACK_LINES);
    return { detail: cutUtf8(lines.map((line) => line.trimEnd()).join("\n"), MAX_ERROR_DETAIL_BYTES) };
  } catch {
    return {};
  }
}

function transient(errorKind: "timeout" | "network", message: string): Transient {
  return { kind: "transient", errorKind, message, retryAfterMs: null };
}

type Transient = Extract<TaskOutcome, { readonly kind: "transient" }>;

/** What went wrong with a connection, as stable text: rows are grouped by it. */
export function describeNetworkFault(fault: unknown): string {
  const cause = fault instanceof Error ? (fault.cause ?? fault) : fault;
  const code = (cause as { readonly code?: unknown } | null)?.code;
  const message = messageOf(cause).replace(/;? ?reference = \w+/, "");
  return typeof code === "string" && !message.includes(code) ? `${code}: ${message}` : message;
}

/** The message of an error, or the text of anything else that was thrown. Never throws. */
export function messageOf(fault: unknown): string {
  try {
    return String(textOf(fault));
  } catch {
    return "something was thrown that has no text";
  }
}

function textOf(fault: unknown): unknown {
  if (typeof fault === "object" && fault !== null && !(fault instanceof Error)) {
    const { message } = fault as { readonly message?: unknown };
    return typeof message === "string" ? message : JSON.stringify(fault);
  }
  if (!(fault instanceof Error)) return fault;
  // Several addresses of one name were tried: the first one's failure stands for all.
  if (fault instanceof AggregateError && fault.errors.length > 0) return messageOf(fault.errors[0]);
  return fault.message === "" ? fault.name : fault.message;
}
