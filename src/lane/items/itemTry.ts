/**
 * One try of one item: the call, what is told of it to the Run, and what becomes of the item.
 *
 * A try that was stopped, or whose secret is missing, has no outcome: the item stays where it was.
 */

import { restMs } from "../../core/answer/throttling.ts";
import {
  EXPIRIES_TO_FAIL_ITEM,
  FAULT_CHARS,
  HOST_REST_MS,
  REFUSAL_CHARS,
  TROUBLE_WITHIN_MS,
} from "../../core/limits.ts";
import type { ChunkWork, Fault, Refusal, Trouble } from "../../core/protocol.ts";
import { type Tries, triesOf } from "../../core/tries.ts";
import type { Item } from "../../sources/source.ts";
import { messageOf } from "../../tasks/faults.ts";
import { ItemNotDue, LaneStopped, SettingMissing, type TaskOutcome } from "../../tasks/task.ts";
import type { LaneHost } from "../laneHost.ts";
import type { Seat } from "../permits/seat.ts";
import type { OpenTask } from "../ports.ts";
import type { Progress } from "./progress.ts";
import type { Down, Settlement } from "./settlement.ts";
import { isDown, isUnreached, judge, type Verdict } from "./verdict.ts";

export interface TryContext {
  readonly host: LaneHost;
  readonly task: OpenTask;
  readonly seat: Seat;
  readonly progress: Progress;
  readonly settlement: Settlement;
  /** Ends with the lease. */
  readonly signal: AbortSignal;
  /** A lane was lost on the chunk: nobody knows which items it had called. */
  readonly mayHaveCalled: boolean;
  /** The chunk is the lane's own: it may put an item back and take another. */
  readonly isOwner: boolean;
}

/** Makes the row of an item that is not to be called; false when the item is to be called. */
export function settleUncalled(context: TryContext, work: ChunkWork, item: Item, tries: Tries): boolean {
  const refusal = refusalOf(work, item);
  if (refusal === null) return false;
  const error = { ...refusal, retryable: false };
  const { attempts, throttles } = tries;
  const settled = { attempts, throttles, result: { ok: false, error } } as const;
  context.settlement.settle(item, settled, context.task.mask);
  return true;
}

/** Why an item is not to be called; null when it is. */
export function refusalOf(work: ChunkWork, item: Item): { kind: "parse" | "task"; message: string } | null {
  if (item.invalid !== undefined) return { kind: "parse", message: item.invalid };
  if (work.condemned?.includes(item.ordinal) !== true) return null;
  return { kind: "task", message: `the lane died ${EXPIRIES_TO_FAIL_ITEM} times on this item` };
}

/** Calls once and settles or defers the item. False: there was no outcome, the lane cannot go on. */
export async function tryItem(context: TryContext, item: Item, tries: Tries): Promise<boolean> {
  const { task, seat, signal } = context;
  const mayBeUnderWay = context.mayHaveCalled || tries.unanswered === true;
  const outcome = await call<TaskOutcome>(context, {
    run: () => task.run({ item: item.value, index: item.index, permits: seat, signal, mayBeUnderWay }),
    failed: (failure) => failure,
    items: [item],
  });
  settleCall(context, outcome instanceof ItemNotDue ? null : outcome);
  if (outcome === null || signal.aborted) return false;
  if (outcome instanceof ItemNotDue) {
    const own = context.progress.waiting.get(item.ordinal) ?? tries;
    context.settlement.defer(item, own, context.host.clock.now() + outcome.inMs, "no");
    return true;
  }
  tell(context, [item], outcome);
  // What was given back to the item meanwhile counts.
  await conclude(context, item, context.progress.waiting.get(item.ordinal) ?? tries, outcome);
  return true;
}

/** A call that failed in a way that the task did not foresee. */
export type Failure = Extract<TaskOutcome, { readonly kind: "permanent" }>;

/** Null: no outcome, the items stay where they were. ItemNotDue: no outcome either, but the lane goes on. */
export async function call<T>(
  context: TryContext,
  of: {
    readonly run: () => Promise<T>;
    readonly failed: (failure: Failure) => T;
    readonly items: readonly Item[];
  },
): Promise<T | ItemNotDue | null> {
  const { host, seat, signal, progress, settlement } = context;
  seat.beginTry({
    hasWaited: of.items.some(({ ordinal }) => progress.waiting.has(ordinal)),
    isTried: of.items.some(({ ordinal }) => settlement.isTried(ordinal)),
    canSwap: context.isOwner,
  });
  try {
    return await of.run();
  } catch (fault) {
    if (fault instanceof LaneStopped || signal.aborted) return null;
    if (fault instanceof ItemNotDue) return fault;
    if (fault instanceof SettingMissing) {
      host.tally.block(fault.message);
      host.hurry(0);
      return null;
    }
    const called = seat.lastPermit !== null;
    return of.failed({ kind: "permanent", errorKind: "task", message: messageOf(fault), called });
  }
}

/** What the call used, for the quota and the budget; null: the try had no outcome. */
export function settleCall({ host, seat }: TryContext, outcome: TaskOutcome | null): void {
  const usage = outcome?.usage ?? null;
  if (usage !== null) host.tally.spend(usage);
  // An answer that refuses the call costs nothing; where none came, or none that says, it may have cost all.
  const isRefusal = outcome?.isFree === true || (outcome?.status !== undefined && outcome.status >= 400);
  seat.endTry({ usage, unreported: usage === null && !isRefusal }, outcome?.told);
}

/** Reports how the call ended, as far as it concerns more than its items. */
export function tell(context: TryContext, items: readonly Item[], outcome: TaskOutcome): void {
  const { host, seat, task } = context;
  const permit = seat.lastPermit;
  if (permit === null) return;
  if (permit.need?.isApart === true) {
    tellApart(host, seat.triedAtMs, permit.need.host, outcome, permit.probe);
    return;
  }
  const { epoch, probe } = permit;
  const kind = troubleKind(outcome);
  if (kind === null) host.tally.answer(probe, seat.triedAtMs, host.clock.now());
  else {
    const rest = outcome.kind === "throttled" ? restAfter(host, outcome) : { retryAfterMs: null };
    const refusal = refusalIn(outcome);
    host.tally.trouble({
      kind,
      index: items[0]?.index ?? 0,
      epoch,
      probe,
      ...rest,
      ...(kind === "throttled" && wasThrottled(context, items) && { again: true as const }),
      ...(kind === "throttled" && seat.lastIsClose && { close: true as const }),
      ...(kind === "down" && evidenceOf(context.settlement, items, isUnreached(outcome, wasReached(host)))),
      ...(refusal !== null && { refusal: { ...refusal, message: task.mask(refusal.message) } }),
    });
  }
  if (outcome.kind === "transient") host.tally.fault(faultOf(context, outcome));
  if (probe) host.hurry(0);
  else if (kind !== null && host.isCurrentEpoch(epoch)) host.hurry(TROUBLE_WITHIN_MS);
}

function wasThrottled({ progress }: TryContext, items: readonly Item[]): boolean {
  return items.some(({ ordinal }) => (progress.waiting.get(ordinal)?.throttles ?? 0) > 0);
}

/** Somebody was answered by the run's target, at some time. */
export function wasReached(host: Pick<LaneHost, "upMs">): boolean {
  return host.upMs() > Number.NEGATIVE_INFINITY;
}

/** What a call that ended down says of the target, beside that. */
export function evidenceOf(
  settlement: Settlement,
  items: readonly Pick<Item, "ordinal">[],
  isOutOfReach: boolean,
): Pick<Trouble, "unreached" | "suspect" | "first"> {
  return {
    ...(isOutOfReach && { unreached: true }),
    ...(items.every(({ ordinal }) => settlement.isSuspect(ordinal)) && { suspect: true }),
    ...(items.every(({ ordinal }) => !settlement.isTried(ordinal)) && { first: true }),
  };
}

function faultOf({ task }: TryContext, outcome: Extract<TaskOutcome, { kind: "transient" }>): Fault {
  const message = task.mask(outcome.message).slice(0, FAULT_CHARS);
  return outcome.status === undefined ? { message } : { message, status: outcome.status };
}

/** A host that stands for itself: who throttles is left alone, and nobody else hears of it. */
function tellApart(host: LaneHost, leftMs: number, name: string, outcome: TaskOutcome, probe: boolean): void {
  if (outcome.kind === "throttled") {
    host.tally.throttledApart(probe, leftMs, host.clock.now());
    host.restHost(name, restAfter(host, outcome).retryAfterMs ?? HOST_REST_MS);
  } else host.tally.answer(probe, leftMs, host.clock.now());
  if (probe) host.hurry(0);
}

/** How long the target is left alone, and which header asks for it. */
function restAfter(host: LaneHost, { retryAfterMs, askedBy }: Extract<TaskOutcome, { kind: "throttled" }>) {
  const ms = restMs(retryAfterMs, host.settings().spec.retry);
  return { retryAfterMs: ms, ...(askedBy !== undefined && { askedBy }) };
}

function troubleKind(outcome: TaskOutcome): "throttled" | "down" | "refused" | null {
  if (outcome.kind === "throttled") return "throttled";
  if (isDown(outcome)) return "down";
  return outcome.kind === "permanent" && outcome.refused === true ? "refused" : null;
}

function refusalIn(outcome: TaskOutcome): Refusal | null {
  if (outcome.kind !== "permanent" || outcome.refused !== true) return null;
  const message = outcome.message.slice(0, REFUSAL_CHARS);
  return outcome.because === undefined ? { message } : { message, because: outcome.because };
}

/** What every verdict needs of its surroundings; the random part is one for all that are judged with it. */
export function judgingOf(host: LaneHost) {
  return {
    retry: host.settings().spec.retry,
    wasReached: wasReached(host),
    othersRecover: host.tally.areRecovering,
    random: host.clock.random(),
  };
}

async function conclude(context: TryContext, item: Item, tries: Tries, outcome: TaskOutcome): Promise<void> {
  const { host, settlement, seat, task } = context;
  const targetDown = host.isTargetDown() || seat.lastPermit?.probe === true;
  const isSuspect = settlement.isSuspect(item.ordinal);
  if (outcome.kind === "ok" && tries.unanswered === true) host.tally.recovered();
  const verdict = judge(outcome, tries, { ...judgingOf(host), targetDown, isSuspect });
  switch (verdict.kind) {
    case "row":
      settlement.settle(item, verdict.settled, task.mask);
      return;
    case "again": {
      const dueMs = host.clock.now() + verdict.inMs;
      settlement.defer(item, verdict.tries, dueMs, downOf(outcome, tries, verdict.tries));
      return;
    }
    case "unless-down":
      await settleUnlessDown(context, { item, tries, outcome }, verdict);
      return;
    case "unless-refused":
      // A key that was revoked is refused to every lane: each finds out once, not again and again.
      await settlement.holdBack(item, tries, verdict.settled);
      return;
    default:
      verdict satisfies never;
  }
}

/** The last attempt ended down: the Run says whether the target is down for everybody. */
async function settleUnlessDown(context: TryContext, last: LastTry, verdict: UnlessDown): Promise<void> {
  const failedAtMs = context.host.clock.now();
  await context.host.nextAnswer(0);
  if (!context.signal.aborted) settleOrWait(context, { ...last, failedAtMs }, verdict);
}

/** What the end of a last attempt concerns. */
interface SettlingContext extends Pick<TryContext, "settlement" | "progress"> {
  readonly host: Pick<LaneHost, "isTargetDown" | "upMs" | "settings" | "clock">;
  readonly task: Pick<OpenTask, "mask">;
}

/** The last attempt of an item, which ended down. */
export interface LastTry {
  readonly item: Item;
  readonly tries: Tries;
  readonly outcome: TaskOutcome;
}

export type UnlessDown = Extract<Verdict, { readonly kind: "unless-down" }>;

/** The row of an item whose last attempt ended down, or another try while the target is down for everybody. */
export function settleOrWait(
  context: SettlingContext,
  { item, tries, outcome, failedAtMs }: LastTry & { readonly failedAtMs: number },
  { settled, inMs }: UnlessDown,
): void {
  const { host, settlement, progress, task } = context;
  const isDown = host.isTargetDown();
  if (!isDown && !(isUnreached(outcome, wasReached(host)) && host.upMs() <= failedAtMs)) {
    settlement.settle(item, settled, task.mask);
    return;
  }
  // What a refund gave back to the waiting item counts.
  const { attempts } = progress.waiting.get(item.ordinal) ?? tries;
  const waitMs = isDown ? host.settings().spec.retry.baseDelayMs : inMs;
  const again = { ...triesOf(tries), attempts, unanswered: true as const };
  settlement.defer(item, again, host.clock.now() + waitMs, "given-back");
}

/** Whether a try that is followed by another ended down, and what that cost. */
export function downOf(outcome: TaskOutcome, before: Tries, after: Tries): Down {
  if (!isDown(outcome)) return "no";
  return after.attempts > before.attempts ? "spent" : "given-back";
}
