/**
 * The conversation of one invocation with its Run: one request at a time, everything rides along.
 *
 * Commits, renewals, reports, indexed parts and announcements are gathered until something needs an answer soon:
 * permits, a commit, the next poll. A request that fails is repeated with the same seq and the same content until
 * it is answered or the invocation's leases are over: the Run recognises it, so nothing is counted or granted twice.
 */
import { assert } from "../core/assert.ts";
import {
  FIRST_CONTACT_MS,
  LEASE_TTL_MS,
  POLL_MS,
  SYNC_RETRY_FIRST_MS,
  SYNC_RETRY_MAX_MS,
  SYNC_RIDE_MS,
  SYNC_SPACING_MS,
} from "../core/limits.ts";
import type { Commit, CommitOutcome, SyncAnswer, SyncRequest } from "../core/protocol.ts";
import { type Clock, sleep } from "./clock.ts";
import type { Snapshot } from "./items/progress.ts";

/** The Run, as far as a lane needs it. Throws when it cannot be reached; every call may be repeated. */
export type Sync = (request: SyncRequest) => Promise<SyncAnswer>;

/** A commit as a lane gives it: due times still as local instants. */
export interface LaneCommit extends Omit<Commit, "checkpoint"> {
  readonly snapshot: Snapshot;
}

/** What the invocation adds to a request. */
export type Composed = Pick<
  SyncRequest,
  | "queue"
  | "generation"
  | "capacity"
  | "held"
  | "want"
  | "leadMs"
  | "rounds"
  | "itemsLeft"
  | "takesHelp"
  | "hosts"
  | "costed"
  | "report"
  | "settingsVersion"
>;

export interface Answered {
  readonly answer: SyncAnswer;
  readonly request: SyncRequest;
  /** When the request first left. */
  readonly sentMs: number;
  readonly receivedMs: number;
  readonly repeated: boolean;
}

export interface ExchangeHost {
  /** Permits to ask for if a request left now; 0 for none. */
  want(): number;
  /** What the invocation has to say; called once for every request that leaves. */
  compose(want: number): Composed;
  /** Takes in an answer before anybody who waits for it goes on. */
  apply(answered: Answered): void;
  /** When permits have to be asked for; Infinity: not. */
  askAtMs(): number;
  /** End of the last lease held, local clock; null without leases. */
  leasesEndMs(): number | null;
  /** The Run cannot be reached and all leases are over. */
  gaveUp(): void;
}

/** Far longer than an answer takes: most requests see no such timer ring. */
const WATCH_CLOCK_MS = 100;

interface Waiting<T> {
  readonly resolve: (value: T) => void;
}

export class Exchange {
  readonly #clock: Clock;
  readonly #sync: Sync;
  readonly #invocation: string;
  readonly #host: ExchangeHost;
  #seq = 0;
  #startedMs: number;
  #lastSentMs = Number.NEGATIVE_INFINITY;
  /** When it was last found that nothing has to be asked. */
  #lookedMs = Number.NEGATIVE_INFINITY;
  #pollMs = POLL_MS;
  /** Something other than permits needs an answer by then. */
  #hurryMs = Number.POSITIVE_INFINITY;
  #busy = false;
  #closed = false;
  #timerMs = Number.POSITIVE_INFINITY;
  #cancelTimer: (() => void) | null = null;
  #commits: { readonly commit: LaneCommit; readonly done: Waiting<CommitOutcome["kind"] | "closed"> }[] = [];
  #announced: { fence: number; ordinal: number }[] = [];
  #indexed: { chunk: number; n: number }[] = [];
  #answerWaiters: Waiting<void>[] = [];

  constructor(clock: Clock, sync: Sync, invocation: string, host: ExchangeHost) {
    this.#clock = clock;
    this.#sync = sync;
    this.#invocation = invocation;
    this.#host = host;
    this.#startedMs = clock.now();
  }

  /** A request leaves within `ms`. */
  hurry(ms: number): void {
    this.#hurryMs = Math.min(this.#hurryMs, this.#clock.now() + ms);
    this.reconsider();
  }

  /** Resolves once a request composed from now on has been answered (or never will be). */
  nextAnswer(withinMs: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#answerWaiters.push({ resolve });
      this.hurry(withinMs);
    });
  }

  /** Resolves with the Run's word; `closed`: it was never heard, the lease counts as lost. */
  commit(commit: LaneCommit, withinMs: number): Promise<CommitOutcome["kind"] | "closed"> {
    if (this.#closed) return Promise.resolve("closed");
    return new Promise((resolve) => {
      this.#commits.push({ commit, done: { resolve } });
      this.hurry(withinMs);
    });
  }

  /** Resolves when the Run knows which item is about to be called. */
  announce(fence: number, ordinal: number): Promise<void> {
    this.#announced.push({ fence, ordinal });
    return this.nextAnswer(0);
  }

  /** The part's failures are in D1: said with the next request. */
  indexed(chunk: number, n: number): void {
    this.#indexed.push({ chunk, n });
  }

  get isBusy(): boolean {
    return this.#busy;
  }

  /** True while something was said that no request has carried yet. */
  get hasUnsaid(): boolean {
    return this.#commits.length + this.#indexed.length + this.#announced.length > 0;
  }

  /** Sets the timer for the next request anew. */
  reconsider(): void {
    if (this.#busy || this.#closed) return;
    const dueMs = Math.max(
      Math.min(this.#hurryMs, this.#host.askAtMs(), this.#lastSentMs + this.#pollMs),
      Math.max(this.#lastSentMs, this.#lookedMs) + SYNC_SPACING_MS,
    );
    if (dueMs >= this.#timerMs && this.#timerMs >= this.#clock.now()) return;
    this.#cancelTimer?.();
    this.#timerMs = dueMs;
    this.#cancelTimer = this.#clock.after(dueMs - this.#clock.now(), () => this.#onTimer());
  }

  /** No further request; whoever waits for one is told. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    for (const { done } of this.#commits) done.resolve("closed");
    for (const waiter of this.#answerWaiters) waiter.resolve();
    this.#commits = [];
    this.#answerWaiters = [];
  }

  #onTimer(): void {
    this.#timerMs = Number.POSITIVE_INFINITY;
    this.#cancelTimer = null;
    if (this.#busy || this.#closed) return;
    const nowMs = this.#clock.now();
    const pollDue = nowMs >= this.#lastSentMs + this.#pollMs;
    const due = pollDue || nowMs >= this.#hurryMs;
    const asks = nowMs >= this.#host.askAtMs() - (due ? SYNC_RIDE_MS : 0);
    const want = asks ? this.#host.want() : 0;
    if (due || want > 0) void this.#exchange(this.#host.compose(want));
    else {
      this.#lookedMs = nowMs;
      this.reconsider();
    }
  }

  async #exchange(composed: Composed): Promise<void> {
    this.#busy = true;
    this.#hurryMs = Number.POSITIVE_INFINITY;
    const commits = this.#commits;
    const waiters = this.#answerWaiters;
    const request = this.#request(composed);
    this.#commits = [];
    this.#answerWaiters = [];
    this.#announced = [];
    this.#indexed = [];
    const stopWatch = this.#watchClock();
    const answered = await this.#untilAnswered(request);
    stopWatch();
    this.#busy = false;
    if (answered !== null) {
      this.#pollMs = answered.answer.pollMs;
      this.#host.apply(answered);
    }
    const outcomes = new Map(answered?.answer.commits.map((outcome) => [outcome.fence, outcome.kind]));
    for (const { commit, done } of commits) done.resolve(outcomes.get(commit.fence) ?? "closed");
    for (const waiter of waiters) waiter.resolve();
    if (answered === null) {
      this.close();
      this.#host.gaveUp();
    } else this.reconsider();
  }

  /**
   * A clock that was set back by less than it had gone since the last reading learns it from its timers alone
   * (`clock.ts`), and while a request is out for long there may be none: its answer brings permits for this clock.
   */
  #watchClock(): () => void {
    let cancel = () => {};
    const again = (): void => {
      cancel = this.#clock.after(WATCH_CLOCK_MS, again);
    };
    again();
    return () => cancel();
  }

  #request(composed: Composed): SyncRequest {
    const nowMs = this.#clock.now();
    this.#seq += 1;
    this.#lastSentMs = nowMs;
    return {
      invocation: this.#invocation,
      seq: this.#seq,
      ...composed,
      commits: this.#commits.map(({ commit }) => toWire(commit, nowMs)),
      indexed: this.#indexed,
      announce: this.#announced,
    };
  }

  /** Null: given up. */
  async #untilAnswered(request: SyncRequest): Promise<Answered | null> {
    const sentMs = this.#clock.now();
    for (let tries = 1; ; tries++) {
      let overloaded = false;
      try {
        const answer = await this.#sync(request);
        assert(answer.seq === request.seq, "an answer is for the request that was sent");
        return { answer, request, sentMs, receivedMs: this.#clock.now(), repeated: tries > 1 };
      } catch (error) {
        overloaded = (error as { overloaded?: boolean } | null)?.overloaded === true;
      }
      const waitMs = Math.min(
        SYNC_RETRY_FIRST_MS * 2 ** (overloaded ? tries + 2 : tries - 1),
        SYNC_RETRY_MAX_MS,
      );
      const endMs = this.#host.leasesEndMs() ?? this.#startedMs + FIRST_CONTACT_MS;
      const nowMs = this.#clock.now();
      if (nowMs + waitMs >= endMs || nowMs - sentMs > LEASE_TTL_MS) return null;
      await sleep(this.#clock, waitMs * (0.5 + this.#clock.random() / 2));
    }
  }
}

function toWire({ snapshot, ...commit }: LaneCommit, nowMs: number): Commit {
  return {
    ...commit,
    checkpoint: {
      cursor: snapshot.cursor,
      position: snapshot.position,
      deferred: snapshot.deferred.map(({ dueMs, ...item }) => ({
        ...item,
        dueInMs: Math.max(0, dueMs - nowMs),
      })),
    },
  };
}
