/**
 * Calls that carry several items: which items go out together, one call for them, and what becomes of each.
 *
 * A group lies within one chunk and is worked off in ascending order. A call that is refused as a whole spends no
 * attempt, because it says nothing of any one item: its items go out again in halves, at once, until the refused one
 * stands alone. A throttled or transient call is the same for all its items: they wait for the same moment and go out
 * together again. A try that was stopped leaves its items, and those not called yet, where they were.
 */
import { afterRefusal, type Groups } from "../../core/batch.ts";
import { stringifyJson } from "../../core/json.ts";
import { BATCH_CHARS } from "../../core/limits.ts";
import { NO_TRIES, type Tries } from "../../core/tries.ts";
import type { Item } from "../../sources/source.ts";
import { type BatchOutcome, ItemNotDue, type TaskOutcome } from "../../tasks/task.ts";
import type { OpenTask } from "../ports.ts";
import type { Insisted } from "./insist.ts";
import {
  call,
  downOf,
  judgingOf,
  type LastTry,
  settleCall,
  settleOrWait,
  type TryContext,
  tell,
} from "./itemTry.ts";
import type { Reader } from "./reader.ts";
import { judge, type Verdict } from "./verdict.ts";

/** An item and how often it was tried before. */
export interface Due {
  readonly item: Item;
  readonly tries: Tries;
}

type Batch = NonNullable<OpenTask["batch"]>;

/** The group that goes out together: `first`, and what else may be called now. Throws SourceError. */
export async function gather(
  first: Due,
  context: TryContext,
  from: {
    readonly reader: Reader;
    readonly most: number;
    readonly isCallable: (item: Item) => boolean;
  },
): Promise<Insisted<readonly Due[]>> {
  const isWaiting = first.item.ordinal < context.progress.cursor;
  return isWaiting ? gatherWaiting(first, context, from) : gatherNext(first, from);
}

/** Items from the cursor on. One that is not to be called ends the group: it gets its row next. */
async function gatherNext(
  first: Due,
  { reader, most, isCallable }: Parameters<typeof gather>[2],
): Promise<Insisted<readonly Due[]>> {
  const group = [first];
  let chars = charsOf(first.item);
  while (group.length < most) {
    const found = await reader.peek(group.length);
    if (found.kind !== "ok") return found;
    const item = found.value;
    if (item === null || !isCallable(item)) break;
    chars += charsOf(item);
    if (chars > BATCH_CHARS) break;
    group.push({ item, tries: NO_TRIES });
  }
  return { kind: "ok", value: group };
}

/** Items that wait and are due. */
async function gatherWaiting(
  first: Due,
  { host, progress }: TryContext,
  { reader, most, isCallable }: Parameters<typeof gather>[2],
): Promise<Insisted<readonly Due[]>> {
  const nowMs = host.clock.now();
  const { ordinal } = first.item;
  const others = [...progress.waiting.values()]
    .filter((waiting) => waiting.dueMs <= nowMs && waiting.ordinal !== ordinal)
    .sort((a, b) => a.ordinal - b.ordinal)
    .slice(0, most - 1);
  const found = await reader.againAll(others);
  if (found.kind !== "ok") return found;
  const group = [first];
  let chars = charsOf(first.item);
  for (const item of found.value) {
    const waiting = progress.waiting.get(item.ordinal);
    chars += charsOf(item);
    if (waiting === undefined || !isCallable(item) || chars > BATCH_CHARS) continue;
    group.push({ item, tries: waiting });
  }
  return { kind: "ok", value: group.sort((a, b) => a.item.ordinal - b.item.ordinal) };
}

function charsOf({ value }: Item): number {
  return typeof value === "string" ? value.length : stringifyJson(value).length;
}

/**
 * Calls the group until every item of it has its row or waits. `mayCall` is asked before every call. False: the
 * lane cannot go on.
 */
export async function tryBatch(
  context: TryContext,
  batch: Batch,
  group: readonly Due[],
  mayCall: () => Promise<boolean>,
): Promise<boolean> {
  let groups: Groups<Due> = [group];
  for (;;) {
    const [next, ...rest] = groups;
    if (next === undefined) return true;
    if (!(await mayCall())) return false;
    const outcome = await callAll(context, batch, next);
    const whole = outcome === null || outcome instanceof ItemNotDue ? null : wholeOf(outcome);
    settleCall(context, whole);
    if (outcome === null || context.signal.aborted) return false;
    if (outcome instanceof ItemNotDue) {
      const dueMs = context.host.clock.now() + outcome.inMs;
      const { waiting } = context.progress;
      for (const { item, tries } of next)
        context.settlement.defer(item, waiting.get(item.ordinal) ?? tries, dueMs, "no");
      groups = rest;
      continue;
    }
    const called = next.map(({ item }) => item);
    tell(context, called, sharedBy(outcome));
    if (isRefused(outcome) && next.length > 1) {
      groups = afterRefusal(next, rest);
      continue;
    }
    await concludeAll(context, next, outcome);
    groups = rest;
  }
}

/** Stands for a call that was answered: what its items' own outcomes are concerns nobody else. */
const ANSWERED: TaskOutcome = { kind: "ok", value: null };

function wholeOf(outcome: BatchOutcome): TaskOutcome {
  return outcome.kind === "whole" ? outcome.outcome : ANSWERED;
}

/** What a call says of more than its items: what all of them were answered, where that is to slow down or to go away. */
function sharedBy(outcome: BatchOutcome): TaskOutcome {
  if (outcome.kind === "whole") return outcome.outcome;
  const [first] = outcome.outcomes;
  const isShared = (is: (one: TaskOutcome) => boolean) => outcome.outcomes.every(is);
  if (first === undefined) return ANSWERED;
  const isRefusal = (one: TaskOutcome) => one.kind === "permanent" && one.refused === true;
  return isShared(({ kind }) => kind === "throttled") || isShared(isRefusal) ? first : ANSWERED;
}

function callAll(
  context: TryContext,
  batch: Batch,
  group: readonly Due[],
): Promise<BatchOutcome | ItemNotDue | null> {
  const { seat, signal, mayHaveCalled } = context;
  const mayBeUnderWay = mayHaveCalled || group.some(({ tries }) => tries.unanswered === true);
  const items = group.map(({ item }) => ({ item: item.value, index: item.index }));
  return call<BatchOutcome>(context, {
    run: () => batch.run({ items, permits: seat, signal, mayBeUnderWay }),
    failed: (outcome) => ({ kind: "whole", outcome }),
    items: group.map(({ item }) => item),
  });
}

/** The target has refused something in the group; not so refused credentials, or a request that never left. */
function isRefused(outcome: BatchOutcome): boolean {
  if (outcome.kind !== "whole" || outcome.outcome.kind !== "permanent") return false;
  return outcome.outcome.called && outcome.outcome.refused !== true;
}

/** Settles or defers every item of a call, in ascending order. */
async function concludeAll(context: TryContext, group: readonly Due[], outcome: BatchOutcome): Promise<void> {
  const { host, seat, settlement, signal } = context;
  const targetDown = host.isTargetDown() || seat.lastPermit?.probe === true;
  // One random part for all: they wait for the same moment.
  const judging = { ...judgingOf(host), targetDown };
  const judged = group.map(({ item, tries: before }, n) => {
    // What was given back to the item meanwhile counts.
    const tries = context.progress.waiting.get(item.ordinal) ?? before;
    const own = outcome.kind === "whole" ? outcome.outcome : outcome.outcomes[n];
    if (own === undefined) throw new Error(`the task gave no outcome for item ${item.index}`);
    const isSuspect = settlement.isSuspect(item.ordinal);
    if (own.kind === "ok" && tries.unanswered === true) host.tally.recovered();
    return { item, tries, outcome: own, verdict: judge(own, tries, { ...judging, isSuspect }) };
  });
  const failedAtMs = host.clock.now();
  if (judged.some(({ verdict }) => verdict.kind === "unless-down")) {
    await host.nextAnswer(0);
    if (signal.aborted) return;
  }
  const told = judged.map(({ verdict, ...last }) => apply(context, { ...last, failedAtMs }, verdict));
  await Promise.all(told);
}

/** Takes effect at once, in the order of the calls; resolves when the Run has heard of a refusal. */
async function apply(
  context: TryContext,
  last: LastTry & { readonly failedAtMs: number },
  verdict: Verdict,
): Promise<void> {
  const { item, tries, outcome } = last;
  const { host, settlement, task } = context;
  switch (verdict.kind) {
    case "row":
      settlement.settle(item, verdict.settled, task.mask);
      return;
    case "again":
      settlement.defer(
        item,
        verdict.tries,
        host.clock.now() + verdict.inMs,
        downOf(outcome, tries, verdict.tries),
      );
      return;
    case "unless-down":
      settleOrWait(context, last, verdict);
      return;
    case "unless-refused":
      await settlement.holdBack(item, tries, verdict.settled);
      return;
    default:
      verdict satisfies never;
  }
}
