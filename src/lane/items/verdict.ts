/**
 * What becomes of an item after a try: its row, another try later, or wait and see.
 *
 * Invariants: a throttled try spends no attempt, nor does one that was answered "ask again"; each has its own bound; a
 * try that ended down while the circuit is open spends none either, unless its item is a suspect (`core/limiter/circuit.ts`) and
 * got a connection; an item that was tried often enough becomes a failed row and is never dropped.
 */

import { afterThrottledTry } from "../../core/answer/throttling.ts";
import { backoffMs, heededMs } from "../../core/limiter/backoff.ts";
import { BUSY_TRIES } from "../../core/limits.ts";
import type { ErrorKind } from "../../core/row.ts";
import { type RetrySpec, SPEC_DEFAULTS } from "../../core/spec.ts";
import { type Tries, triesOf } from "../../core/tries.ts";
import type { Usage } from "../../core/usage.ts";
import type { TaskOutcome } from "../../tasks/task.ts";
import type { Settled } from "../rows/rows.ts";

export type Verdict =
  | { readonly kind: "row"; readonly settled: Settled }
  | { readonly kind: "again"; readonly tries: Tries; readonly inMs: number }
  /** The last attempt ended down: a row only if the target is not down for everybody; else another try after `inMs`. */
  | { readonly kind: "unless-down"; readonly settled: Settled; readonly inMs: number }
  /** 401 or 403: a row only if the credentials work for others. */
  | { readonly kind: "unless-refused"; readonly settled: Settled };

/** Did the call reach nobody, or a target that is broken? Such calls open the circuit. */
export function isDown(outcome: TaskOutcome): boolean {
  if (outcome.kind !== "transient" || outcome.isDown === false) return false;
  if (outcome.status !== undefined) return outcome.status >= 500;
  return outcome.errorKind === "network" || outcome.errorKind === "timeout";
}

/**
 * Statuses with which Cloudflare says that it got no connection to the server behind it: down, timed out, unreachable,
 * no name (developers.cloudflare.com/support, "Error 521" to "Error 530").
 */
const NO_CONNECTION = new Set([521, 522, 523, 530]);

/** No connection was made: that is never the item's doing. `wasReached`: the run's target was, at some time. */
export function isUnreached(outcome: TaskOutcome, wasReached: boolean): boolean {
  if (outcome.kind !== "transient") return false;
  if (outcome.isUnreached === "name") return wasReached;
  return outcome.isUnreached === true || NO_CONNECTION.has(outcome.status ?? 0);
}

interface Judging {
  readonly retry: RetrySpec;
  /** The circuit is open, or the call was a probe. */
  readonly targetDown: boolean;
  /** The item failed before while others were answered. */
  readonly isSuspect: boolean;
  /** The run's target was reached at some time. */
  readonly wasReached: boolean;
  /** Other items that failed so were served in a later try; absent: that is not known. */
  readonly othersRecover?: boolean;
  /** 0…1. */
  readonly random: number;
}

export function judge(outcome: TaskOutcome, before: Tries, context: Judging): Verdict {
  switch (outcome.kind) {
    case "ok": {
      const { status, value, usage, url, headers } = outcome;
      const tries = { ...triesOf(before), attempts: before.attempts + 1 };
      return { kind: "row", settled: { status, url, headers, ...tries, usage, result: { ok: true, value } } };
    }
    case "throttled":
      return afterThrottle(outcome, before, context);
    case "transient":
      return afterTransient(outcome, before, context);
    case "again":
      return afterAgain(outcome, before, context);
    case "permanent": {
      const attempts = before.attempts + (outcome.called ? 1 : 0);
      const settled = failed(outcome.errorKind, outcome, { ...triesOf(before), attempts }, false);
      return { kind: outcome.refused === true ? "unless-refused" : "row", settled };
    }
    default:
      outcome satisfies never;
      throw new Error("unknown outcome");
  }
}

function afterThrottle(
  outcome: Extract<TaskOutcome, { kind: "throttled" }>,
  before: Tries,
  context: { readonly retry: RetrySpec; readonly random: number },
): Verdict {
  const after = afterThrottledTry(before, outcome.retryAfterMs, context);
  if (after.kind === "again") return after;
  return { kind: "row", settled: failed("throttled", outcome, after.tries, true) };
}

function afterTransient(
  outcome: Extract<TaskOutcome, { kind: "transient" }>,
  before: Tries,
  context: Judging,
): Verdict {
  const saysOfTarget = isDown(outcome) && (!context.isSuspect || isUnreached(outcome, context.wasReached));
  const attempts = before.attempts + (saysOfTarget && context.targetDown ? 0 : 1);
  const useless = (before.useless ?? 0) + (outcome.answersMost === undefined ? 0 : 1);
  const tries = {
    ...triesOf(before),
    attempts,
    ...(useless > 0 && { useless }),
    ...(isUnanswered(outcome) && { unanswered: true as const }),
  };
  if (attempts >= context.retry.maxAttempts && isOnlyBusy(outcome, before, context)) {
    const throttles = before.throttles + 1;
    const spared = { ...tries, attempts: before.attempts, throttles };
    return { kind: "again", tries: spared, inMs: waitMs(outcome, throttles, context) };
  }
  const settled = failed(outcome.errorKind, outcome, tries, true);
  const inMs = waitMs(outcome, Math.max(1, tries.attempts), context);
  const isEnough = outcome.answersMost !== undefined && useless >= outcome.answersMost;
  if (tries.attempts < context.retry.maxAttempts && !isEnough) return { kind: "again", tries, inMs };
  return saysOfTarget ? { kind: "unless-down", settled, inMs } : { kind: "row", settled };
}

/**
 * A 503 that says nothing, from a target that serves others who had one: an overloaded one drops a share of its calls,
 * and by five tries alone a share of the items would be lost. The last attempt is spared, so often and no more.
 */
function isOnlyBusy(
  { status }: Extract<TaskOutcome, { kind: "transient" }>,
  { throttles }: Tries,
  { othersRecover, targetDown, retry }: Judging,
): boolean {
  if (status !== 503 || othersRecover !== true || targetDown) return false;
  return throttles < Math.min(BUSY_TRIES, retry.maxThrottles - 1);
}

/** Not ready: the item asks again, the wait doubling, so often and not for ever. */
function afterAgain(
  outcome: Extract<TaskOutcome, { kind: "again" }>,
  before: Tries,
  context: { readonly retry: RetrySpec; readonly random: number },
): Verdict {
  const { retry } = context;
  const agains = (before.agains ?? 0) + 1;
  const tries = { ...triesOf(before), agains };
  const most = retry.maxAgain ?? SPEC_DEFAULTS.retry.maxAgain;
  if (agains < most) return { kind: "again", tries, inMs: waitMs(outcome, agains, context) };
  const asked = agains === 1 ? "asked once" : `asked ${agains} times`;
  const message = `${outcome.message}: not ready, ${asked} (retry.maxAgain is ${most})`;
  // The last of the asks is the attempt that failed.
  const spent = { ...tries, attempts: before.attempts + 1 };
  return { kind: "row", settled: failed("http", { ...outcome, message }, spent, true) };
}

/** `tried`: so often, 1 or more. */
function waitMs(
  outcome: { readonly retryAfterMs: number | null },
  tried: number,
  { retry, random }: { readonly retry: RetrySpec; readonly random: number },
): number {
  const { baseDelayMs, maxDelayMs } = retry;
  return backoffMs({
    attempt: tried,
    baseDelayMs,
    maxDelayMs,
    floorMs: heededMs(outcome.retryAfterMs, retry),
    random,
  });
}

/** The call may have had its effect, or have it yet: nobody answered for it, or who did was broken. */
function isUnanswered(outcome: Extract<TaskOutcome, { kind: "transient" }>): boolean {
  if (outcome.status !== undefined) return outcome.status >= 500;
  return outcome.errorKind === "network" || outcome.errorKind === "timeout";
}

function failed(
  kind: ErrorKind,
  outcome: {
    readonly message: string;
    readonly status?: number;
    readonly usage?: Usage;
    readonly detail?: string;
    readonly url?: string;
    readonly headers?: { readonly [name: string]: string };
  },
  tries: Tries,
  retryable: boolean,
): Settled {
  const { message, detail } = outcome;
  const error = { kind, message, retryable, ...(detail === undefined ? {} : { detail }) };
  const { status, url, headers, usage } = outcome;
  return { status, url, headers, ...tries, usage, result: { ok: false, error } };
}
