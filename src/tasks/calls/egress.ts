/**
 * The way out: every request of every task leaves here, and only here.
 *
 * Invariants: one permit per request, spent in the same synchronous step in which the request leaves; no redirect
 * is followed; a secret goes only where it may go (`secrets.ts`); an origin that the spec does not write out is
 * public or the spec says allowPrivate; a try that its lane stopped has no outcome.
 */

import { assert } from "../../core/assert.ts";
import type { RunSettings } from "../../core/protocol.ts";
import type { Json } from "../../core/spec.ts";
import type { Mask } from "../../core/template/mask.ts";
import type { Browser } from "../../objects/env.ts";
import { outcomeOfFault } from "../faults.ts";
import { batchOutcomeOf, outcomeOf } from "../ownOutcome.ts";
import { taskOf } from "../registry.ts";
import { maskOf, type SecretEnv } from "../secrets.ts";
import type { BatchOutcome, Task, TaskOutcome } from "../task.ts";
import { Gate } from "./gate.ts";
import { KnownWay } from "./knownWay.ts";
import { CallsOfLanes } from "./laneCalls.ts";
import { Patience } from "./patience.ts";
import type { Permits } from "./permits.ts";
import { type LookFor, unknownReach } from "./reach.ts";
import { type Fetch, sendBy } from "./sentCall.ts";
import { Try } from "./try.ts";

/** What every try needs. */
export interface OneTry {
  readonly task: Task<unknown, unknown>;
  readonly client: unknown;
  readonly permits: Permits;
  /** Ends when the lane has to stop. */
  readonly signal: AbortSignal;
  /** An earlier try was not answered; absent: every one was, or this is the first. */
  readonly mayBeUnderWay?: boolean;
}

export interface IndexedItem {
  readonly item: Json;
  readonly index: number;
}

export interface Egress {
  /**
   * Runs one try of one item and gives its outcome, secrets masked. Whatever the task throws becomes an outcome,
   * except what is not an outcome (LaneStopped, ItemNotDue, SettingMissing), with which it rejects.
   */
  run(input: OneTry & { readonly item: Json; readonly index: number }): Promise<TaskOutcome>;
  /** The same for one call with several items. */
  runBatch(input: OneTry & { readonly items: readonly IndexedItem[] }): Promise<BatchOutcome>;
  /** The text with every secret of the spec replaced by `[secret:NAME]`. */
  mask(text: string): string;
}

/** One per invocation and version of the settings; it holds the secrets' mask and nothing of any item. */
export function createEgress(options: {
  readonly env: SecretEnv;
  readonly settings: RunSettings;
  /** The spec's task, where it is not the registry's. */
  readonly task?: Task<unknown, unknown>;
  /** The binding BROWSER; absent: pages cannot be rendered. */
  readonly browser?: Browser | undefined;
  /** Absent: the global `fetch`, as it is at the moment of a call. */
  readonly way?: Fetch | undefined;
  /** Looks why a call had no answer; absent: nobody can. */
  readonly look?: LookFor | undefined;
}): Egress {
  const { env, settings, browser = null } = options;
  const send = sendBy(options.way ?? ((url, init) => fetch(url, init)));
  const task = options.task ?? taskOf(settings.spec.task.kind);
  const gate = new Gate(env, task?.urls(settings.spec.task) ?? [], settings.spec.allowPrivate);
  const mask = maskOf(task?.secrets(settings.spec.task) ?? [], env);
  const lanes = new CallsOfLanes(options.look ?? unknownReach);
  const way = new KnownWay();
  const isPerHost = (settings.spec.quota?.perHost ?? null) !== null;
  const isApart = task?.hostsVary?.(settings.spec.task) ?? false;
  const begin = (
    { task: { isWeirs }, permits, signal, mayBeUnderWay = false }: OneTry,
    indexes: readonly [number, ...number[]],
  ) =>
    new Try({
      indexes,
      mayBeUnderWay,
      settings,
      laneCalls: lanes.of(signal),
      permits,
      gate,
      mask: mask.text,
      patience: isWeirs === true ? null : new Patience(signal),
      send,
      way,
      browser,
      isPerHost,
      isApart,
    });
  const failed = (attempt: Try, fault: unknown): TaskOutcome => {
    attempt.throwIfStopped(null);
    return maskOutcome(ofItsHost(outcomeOfFault(attempt.timeoutOf(fault), attempt.called)), mask);
  };
  const ofItsHost = (outcome: TaskOutcome) => (isApart ? apart(outcome) : outcome);
  return {
    mask: mask.text,
    async run(input) {
      const attempt = begin(input, [input.index]);
      try {
        const running = input.task.run(input.item, attempt, settings.spec.task, input.client);
        const returned = await attempt.untilSettled(running);
        const outcome = input.task.isWeirs === true ? returned : outcomeOf(returned, attempt);
        attempt.throwIfStopped(outcome);
        return maskOutcome(ofItsHost(outcome), mask);
      } catch (fault) {
        return failed(attempt, fault);
      } finally {
        attempt.end();
      }
    },
    async runBatch(input) {
      const [first, ...others] = input.items.map(({ index }) => index);
      const items = input.items.map(({ item }) => item);
      assert(
        first !== undefined && input.task.runBatch !== undefined,
        "a batch has items and a task for them",
      );
      const attempt = begin(input, [first, ...others]);
      try {
        const running = input.task.runBatch(items, attempt, settings.spec.task, input.client);
        const returned = await attempt.untilSettled(running);
        const isWeirs = input.task.isWeirs === true;
        const outcome = isWeirs ? returned : batchOutcomeOf(returned, items.length, attempt);
        attempt.throwIfStopped(outcome.kind === "whole" ? outcome.outcome : null);
        return maskBatch(
          outcome.kind === "whole" && isApart ? { kind: "whole", outcome: apart(outcome.outcome) } : outcome,
          mask,
        );
      } catch (fault) {
        const outcome = failed(attempt, fault);
        return outcome.kind === "ok" ? { kind: "each", outcomes: [outcome] } : { kind: "whole", outcome };
      } finally {
        attempt.end();
      }
    },
  };
}

/** Each host stands for itself: that one of them is out of reach is its items' own trouble. */
function apart<O extends TaskOutcome>(outcome: O): O {
  if (outcome.kind !== "transient" || outcome.isUnreached === undefined) return outcome;
  const { isUnreached: _, ...own } = outcome;
  return own as O;
}

function maskBatch(outcome: BatchOutcome, mask: Mask): BatchOutcome {
  if (outcome.kind === "each") {
    return { kind: "each", outcomes: outcome.outcomes.map((one) => maskOutcome(one, mask)) };
  }
  return { kind: "whole", outcome: maskFailed(outcome.outcome, mask) };
}

function maskOutcome(outcome: TaskOutcome, mask: Mask): TaskOutcome {
  if (outcome.kind !== "ok") return maskFailed(outcome, mask);
  const value = mask.json(outcome.value);
  return value === outcome.value ? outcome : { ...outcome, value };
}

function maskFailed<Failed extends Exclude<TaskOutcome, { readonly kind: "ok" }>>(
  outcome: Failed,
  mask: Mask,
): Failed {
  const { detail } = outcome;
  const message = mask.text(outcome.message);
  return { ...outcome, message, ...(detail === undefined ? {} : { detail: mask.text(detail) }) };
}
