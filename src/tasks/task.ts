/**
 * What a task is: the code that turns one item into one row. One module per kind, one line each in
 * `registry.ts` and, for what a spec may say about it, in `schemas.ts`.
 *
 * `open` is called once per lane and makes what the lane reuses (a client, a connection); `run` is called for
 * every try of an item; `close` once at the lane's end, also after a failure.
 */

import type { TokenCost } from "../core/limiter/tokenQuota.ts";
import { TASK_SILENT_MS } from "../core/limits.ts";
import type { Refusal, Told } from "../core/protocol.ts";
import type { ErrorKind } from "../core/row.ts";
import type { Json } from "../core/spec.ts";
import type { SecretText } from "../core/template/template.ts";
import type { Usage } from "../core/usage.ts";
import type { SecretEnv } from "./secrets.ts";

export type { SecretText };

export interface TaskContext {
  /** Index of the item in the root run's source; of several items in one call the first one's. */
  readonly index: number;
  readonly runId: string;
  /**
   * A hash of root run and index (of several items: all their indexes): the same for every try and every retry run.
   * With `of` also of that text: a call that says something else gets another key, because targets bind a key to what
   * came with it first. Hex, 64 characters.
   */
  idempotencyKey(of?: string): Promise<string>;
  /** An earlier try of the item (of several: of any) was not answered: what it began may still go on at the target. */
  readonly mayBeUnderWay: boolean;
  /** Ends when the lane must stop (its lease, a cancel). Tasks pass it on. */
  readonly signal: AbortSignal;
  /**
   * The only way out. Takes one permit for the request; follows no redirect; refuses hosts that are not public
   * unless they are literal in the spec or the spec says allowPrivate.
   * Secrets in `{{secret:NAME}}` form are put in here, for the hosts they were given for, and nowhere else.
   */
  fetch(request: OutgoingRequest): Promise<Response>;
  /**
   * The way out for what is not HTTP: takes one permit and runs `leave` in the same step. Rejects with LaneStopped as
   * soon as the lane has to stop, whatever `leave` does; `leave` looks after its own time limit (a task of one's own
   * that does not is given up after `MAX_LOCAL_CALL_TIMEOUT_MS` and `TASK_SILENT_MS`).
   */
  call<T>(leave: () => Promise<T>): Promise<T>;
  /** The same text with the value of every secret replaced by `[secret:NAME]`. */
  mask(text: string): string;
}

export interface OutgoingRequest {
  /** Absolute http(s) URL; insertions are percent-encoded already. */
  readonly url: SecretText;
  readonly method: string;
  /** Values may hold `{{secret:NAME}}` where the spec's own text did; never from an item. */
  readonly headers: Readonly<Record<string, SecretText>>;
  readonly body: SecretText | null;
  /** Time for headers and body together. */
  readonly timeoutMs: number;
  /**
   * A second arrival does no harm (it carries an idempotency key): a connection that ends at once, when it is used
   * again, is not an attempt. Absent: as the method says.
   */
  readonly isRepeatable?: true;
  /** Requests to this host lie at least this far apart, over the whole run; absent: as the quota says. */
  readonly spacingMs?: number;
  /** The page as a browser renders it (the binding BROWSER), as HTML: a GET, with no headers but `user-agent`. */
  readonly rendered?: true;
  /** Counts what the call will probably use; asked only where permits have a cost. Absent: tokens are nothing to it. */
  readonly tokens?: () => Promise<TokenCost>;
}

/** What an answer said besides its value, whatever became of the try. */
export interface Spent {
  /** Tokens as the target counted them. */
  readonly usage?: Usage;
  /** The call used nothing: its answer refuses it, whatever its status. */
  readonly isFree?: true;
  /** What it said of its own ledger. */
  readonly told?: Told;
  /** See `Row`. */
  readonly url?: string;
  readonly headers?: { readonly [name: string]: string };
  /** For a failed row: the beginning of the answer's body, masked and cut (`failedBody.ts`). */
  readonly detail?: string;
}

export type TaskOutcome = Spent & Ended;

type Ended =
  | { readonly kind: "ok"; readonly value: Json; readonly status?: number }
  /** The target asked to slow down: 429, or 503 with Retry-After. Spends no attempt. */
  | {
      readonly kind: "throttled";
      readonly message: string;
      readonly status?: number;
      readonly retryAfterMs: number | null;
      /** The header that says so, for `why`; absent: it is not a header, or nothing was said. */
      readonly askedBy?: string;
    }
  /** May work later: 5xx, 408, 425, network, timeout. `retryAfterMs` is a floor for the delay. */
  | {
      readonly kind: "transient";
      readonly errorKind: ErrorKind;
      readonly message: string;
      readonly status?: number;
      readonly retryAfterMs: number | null;
      readonly askedBy?: string;
      /** It was answered, and the answer is of no use: the item becomes a failed row after so many of them. */
      readonly answersMost?: number;
      /** False: the target did answer, so a timeout is not a sign that it is down. */
      readonly isDown?: false;
      /** No connection was made, so the item had no part in it; "name": only where the server was reached before. */
      readonly isUnreached?: true | "name";
    }
  /** Not ready yet: ask again later. Spends no attempt; `retryAfterMs` is a floor for the delay. */
  | {
      readonly kind: "again";
      readonly message: string;
      readonly status?: number;
      readonly retryAfterMs: number | null;
      readonly askedBy?: string;
    }
  /**
   * Will not work: any other unexpected answer. `refused`: whoever calls is refused, unless others are answered;
   * `because`: not for its credentials, but because its account is used up, or because a rule of the spec says so.
   */
  | {
      readonly kind: "permanent";
      readonly errorKind: ErrorKind;
      readonly message: string;
      readonly status?: number;
      readonly refused?: boolean;
      readonly because?: NonNullable<Refusal["because"]>;
      /** False when no call was made (a template that cannot be expanded): attempts stays 0. */
      readonly called: boolean;
    };

/** How one call for several items ended. */
export type BatchOutcome =
  /** One outcome for each item, in their order. */
  | { readonly kind: "each"; readonly outcomes: readonly TaskOutcome[] }
  /**
   * The call failed for all of them. Throttled or transient: it is tried again as it was. Permanent: the items are
   * called again in halves, down to the one that is refused.
   */
  | { readonly kind: "whole"; readonly outcome: Exclude<TaskOutcome, { readonly kind: "ok" }> };

/** One setting, and what is wrong with it. */
export interface Complaint {
  /** Below `task`. */
  readonly path: string;
  readonly message: string;
}

/** Settings that were checked have none: for the error of who has not checked them. */
export function describeComplaints(complaints: readonly Complaint[]): string {
  return complaints.map(({ path, message }) => `${path}: ${message}`).join("; ");
}

export interface Task<Settings, Client = undefined> {
  readonly kind: string;
  /** It is Weir's own: its outcomes are what their types say, and their values are JSON. Absent: each is looked through. */
  readonly isWeirs?: true;
  /** Settings that are taken from the spec's source, by the same keys, where the task does not give them. */
  readonly inherits?: readonly string[];
  /** Its requests say what tokens they cost, so that a quota and a budget of tokens mean something. */
  readonly countsTokens?: true;
  /**
   * Beyond the schema: what a spec must not say (a missing {{item}}, literal credentials, an unknown secret name).
   * Returns what is wrong, one or all of it, with paths below `task`; or null. Pure.
   */
  check(settings: Settings): Complaint | readonly Complaint[] | null;
  /**
   * The URLs written in the settings, as they are written: their hosts may be private, and secrets go to them.
   * A host that stands nowhere in the settings is not one of them.
   */
  urls(settings: Settings): readonly string[];
  /** Names of the secrets that the settings use. */
  secrets(settings: Settings): readonly string[];
  /** Names of the Worker's bindings that the settings need; absent: none. */
  bindings?(settings: Settings): readonly "BROWSER"[];
  /**
   * True: the hosts come from the items, and each is on its own. What one of them refuses, or that it is down, says
   * nothing about the others. Absent: the run has one target.
   */
  hostsVary?(settings: Settings): boolean;
  /** The request that the first item would make, secrets hidden, for `plan`; null when there is none. */
  preview(
    settings: Settings,
    item: Json,
  ): {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string | null;
  } | null;
  /** What the item's call would probably use, for `plan`. Rejects with CannotExpand. */
  costOf?(settings: Settings, item: Json): Promise<TokenCost>;
  /**
   * Once per lane. What it throws is the platform's trouble and is tried again; CannotOpen and SecretMissing pause
   * the run.
   */
  open(settings: Settings, context: OpenContext): Promise<Client>;
  run(item: Json, context: TaskContext, settings: Settings, client: Client): Promise<TaskOutcome>;
  /** Items that one call may carry: above 1 `runBatch` is called in the place of `run`. Left out: 1. */
  batch?(settings: Settings): number;
  /** One try of several items by one call. */
  runBatch?(
    items: readonly Json[],
    context: TaskContext,
    settings: Settings,
    client: Client,
  ): Promise<BatchOutcome>;
  /** The lane's slot is free when this has resolved. */
  close(client: Client): Promise<void>;
  /** What `plan` warns of; left out: nothing. */
  warnings?(
    settings: Settings,
    plan: { readonly env: SecretEnv; readonly maxParallelism: number },
  ): readonly string[];
  /**
   * How long, after a lane's process is gone, the outside system may still be busy for it: its slot is not given to
   * another before. Left out: 0.
   */
  lingerMs?(settings: Settings): number;
}

/** What `open` may know. */
export interface OpenContext {
  readonly runId: string;
  /** Bindings and secrets. */
  readonly env: SecretEnv;
}

/** Thrown by `open` when trying again would not help: the run pauses with this sentence. */
export class CannotOpen extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CannotOpen";
  }
}

/** What is not an outcome of an item: the try comes to nothing, and the item stays where it was. */
export type NoOutcome = LaneStopped | SettingMissing | ItemNotDue;

/** True for what a task must let through. */
export function isNoOutcome(fault: unknown): fault is NoOutcome {
  return fault instanceof LaneStopped || fault instanceof SettingMissing || fault instanceof ItemNotDue;
}

/** Thrown by `context.fetch` when the lane has to stop: no attempt, no row; the item stays where it was. */
export class LaneStopped extends Error {
  constructor() {
    super("the lane has to stop");
    this.name = "LaneStopped";
  }
}

/** Thrown by `context.fetch` when there was no answer: a connection refused, cut or without a name. */
export class CallFailed extends Error {
  /** No connection was made. False: one was, or it is not known. */
  readonly isUnreached: boolean | "name";
  /** Nothing was sent, and the host ("localhost") is reached at [::1] in place of where it was looked for. */
  readonly isElsewhere: boolean;
  constructor(message: string, isUnreached: boolean | "name" = false, isElsewhere = false) {
    super(message);
    this.name = "CallFailed";
    this.isUnreached = isUnreached;
    this.isElsewhere = isElsewhere;
  }
}

/** Thrown by reading an answer whose body is not what its headers say: another try brings the same. */
export class AnswerUnreadable extends Error {
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.name = "AnswerUnreadable";
    this.status = status;
  }
}

/** Thrown by `context.fetch` and by reading its answer when the request's time is over. */
export class CallTimedOut extends Error {
  constructor(timeoutMs: number) {
    super(`no complete answer within ${timeoutMs} ms`);
    this.name = "CallTimedOut";
  }
}

/** A task's promise did not settle, and nothing that Weir knows of was under way. */
export class TaskSilent extends Error {
  constructor() {
    super(
      `the task did not settle: it made no call for ${TASK_SILENT_MS / 60_000} min, and what it waits for does not come`,
    );
    this.name = "TaskSilent";
  }
}

/** Thrown by `context.fetch` when the request must not be made; nothing left, no permit was taken. */
export class CallRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CallRefused";
  }
}

/** Thrown by `context.fetch` when the call would cost more tokens than are ever allowed at once; nothing left. */
export class CallTooDear extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CallTooDear";
  }
}

/**
 * Thrown by `context.fetch` when the request's host is not due yet, or another item is to be called first, and nothing
 * has left in this try: no attempt, no row; the lane goes on with another item and comes back to this one.
 */
export class ItemNotDue extends Error {
  readonly inMs: number;
  constructor(inMs: number) {
    super(`the item is not due for ${Math.ceil(inMs)} ms`);
    this.name = "ItemNotDue";
    this.inMs = inMs;
  }
}

/** Thrown when something of the environment is missing: the run pauses and says what; no row. */
export class SettingMissing extends Error {}

/** Thrown by `context.fetch` when a secret is missing. */
export class SecretMissing extends SettingMissing {
  readonly secret: string;
  constructor(secret: string) {
    super(`secret ${secret} is missing`);
    this.name = "SecretMissing";
    this.secret = secret;
  }
}

/** Thrown by `context.fetch` when a page is to be rendered and there is no browser. */
export class BrowserMissing extends SettingMissing {
  constructor() {
    super("the Browser Rendering binding BROWSER is missing");
    this.name = "BrowserMissing";
  }
}
