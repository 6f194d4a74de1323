/**
 * The conversation of a simulated invocation with its Run: the rules of `lane/exchange.ts`. One request at a time,
 * commits, reports and renewals ride along, and a request that gets no answer is repeated with the same seq.
 */
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
import type { Snapshot } from "../lane/items/progress.ts";
import type { Cancel } from "./eventLoop.ts";
import type { Heard } from "./network.ts";
import { type Process, type Routine, Signal, until, type Wait } from "./process.ts";
import type { Random } from "./random.ts";

export interface LaneCommit extends Omit<Commit, "checkpoint"> {
  readonly snapshot: Snapshot;
}

export type Composed = Omit<SyncRequest, "invocation" | "seq" | "commits" | "indexed" | "announce">;

export interface Answered {
  readonly answer: SyncAnswer;
  readonly request: SyncRequest;
  readonly sentMs: number;
  readonly receivedMs: number;
  readonly isRepeated: boolean;
}

export interface ExchangeHost {
  want(): number;
  compose(want: number): Composed;
  apply(answered: Answered): void;
  askAtMs(): number;
  leasesEndMs(): number | null;
  gaveUp(): void;
}

export type Said = CommitOutcome["kind"] | "closed";

export class Exchange {
  readonly #process: Process;
  readonly #random: Random;
  readonly #ask: (request: SyncRequest) => Wait<Heard>;
  readonly #invocation: string;
  readonly #host: ExchangeHost;
  readonly #startedMs: number;
  #seq = 0;
  #lastSentMs = Number.NEGATIVE_INFINITY;
  #pollMs = POLL_MS;
  #hurryMs = Number.POSITIVE_INFINITY;
  #isBusy = false;
  #isClosed = false;
  #timerMs = Number.POSITIVE_INFINITY;
  #cancelTimer: Cancel = () => {};
  #commits: { readonly commit: LaneCommit; readonly resume: (said: Said) => void }[] = [];
  #announced: { fence: number; ordinal: number }[] = [];
  #indexed: { chunk: number; n: number }[] = [];
  #next = new Signal();

  constructor(
    process: Process,
    random: Random,
    ask: (request: SyncRequest) => Wait<Heard>,
    invocation: string,
    host: ExchangeHost,
  ) {
    this.#process = process;
    this.#random = random;
    this.#ask = ask;
    this.#invocation = invocation;
    this.#host = host;
    this.#startedMs = process.now();
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  get hasUnsaid(): boolean {
    return this.#commits.length + this.#indexed.length + this.#announced.length > 0;
  }

  hurry(ms: number): void {
    this.#hurryMs = Math.min(this.#hurryMs, this.#process.now() + ms);
    this.reconsider();
  }

  /** A request composed from now on was answered, or never will be. */
  nextAnswer(withinMs: number): Wait<void> {
    return (resume) => {
      if (this.#isClosed) return resume();
      this.#next.wait(resume);
      this.hurry(withinMs);
    };
  }

  commit(commit: LaneCommit, withinMs: number): Wait<Said> {
    return (resume) => {
      if (this.#isClosed) return resume("closed");
      this.#commits.push({ commit, resume });
      this.hurry(withinMs);
    };
  }

  announce(fence: number, ordinal: number): Wait<void> {
    return (resume) => {
      this.#announced.push({ fence, ordinal });
      this.nextAnswer(0)(resume);
    };
  }

  indexed(chunk: number, n: number): void {
    this.#indexed.push({ chunk, n });
  }

  reconsider(): void {
    if (this.#isBusy || this.#isClosed) return;
    const dueMs = Math.max(
      Math.min(this.#hurryMs, this.#host.askAtMs(), this.#lastSentMs + this.#pollMs),
      this.#lastSentMs + SYNC_SPACING_MS,
    );
    const nowMs = this.#process.now();
    if (dueMs >= this.#timerMs && this.#timerMs >= nowMs) return;
    this.#cancelTimer();
    this.#timerMs = dueMs;
    this.#cancelTimer = this.#process.after(dueMs - nowMs, () => this.#onTimer());
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    const commits = this.#commits;
    this.#commits = [];
    for (const { resume } of commits) resume("closed");
    this.#next.fire();
  }

  #onTimer(): void {
    this.#timerMs = Number.POSITIVE_INFINITY;
    if (this.#isBusy || this.#isClosed) return;
    const nowMs = this.#process.now();
    const isDue = nowMs >= this.#lastSentMs + this.#pollMs || nowMs >= this.#hurryMs;
    const asks = nowMs >= this.#host.askAtMs() - (isDue ? SYNC_RIDE_MS : 0);
    const want = asks ? this.#host.want() : 0;
    if (isDue || want > 0) this.#process.spawn(this.#exchange(this.#host.compose(want)));
    else this.reconsider();
    // The routine begins after this event: nobody else may begin one.
    if (isDue || want > 0) this.#isBusy = true;
  }

  *#exchange(composed: Composed): Routine<void> {
    this.#hurryMs = Number.POSITIVE_INFINITY;
    const commits = this.#commits;
    const next = this.#next;
    const request = this.#request(composed);
    this.#commits = [];
    this.#next = new Signal();
    this.#announced = [];
    this.#indexed = [];
    const answered = yield* this.#untilAnswered(request);
    this.#isBusy = false;
    if (answered !== null) {
      this.#pollMs = answered.answer.pollMs;
      this.#host.apply(answered);
    }
    const outcomes = new Map(answered?.answer.commits.map((outcome) => [outcome.fence, outcome.kind]));
    for (const { commit, resume } of commits) resume(outcomes.get(commit.fence) ?? "closed");
    next.fire();
    if (answered === null) {
      this.close();
      this.#host.gaveUp();
    } else this.reconsider();
  }

  #request(composed: Composed): SyncRequest {
    const nowMs = this.#process.now();
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

  *#untilAnswered(request: SyncRequest): Routine<Answered | null> {
    const sentMs = this.#process.now();
    for (let tries = 1; ; tries++) {
      const heard = yield* until(this.#ask(request));
      const receivedMs = this.#process.now();
      if (heard.kind === "answer" && heard.answer.seq === request.seq)
        return { answer: heard.answer, request, sentMs, receivedMs, isRepeated: tries > 1 };
      const waitMs = Math.min(SYNC_RETRY_FIRST_MS * 2 ** (tries - 1), SYNC_RETRY_MAX_MS);
      const endMs = this.#host.leasesEndMs() ?? this.#startedMs + FIRST_CONTACT_MS;
      if (receivedMs + waitMs >= endMs || receivedMs - sentMs > LEASE_TTL_MS) return null;
      yield* until(this.#process.sleep(waitMs * (0.5 + this.#random.next() / 2)));
    }
  }
}

function toWire({ snapshot, ...commit }: LaneCommit, nowMs: number): Commit {
  const deferred = snapshot.deferred.map(({ dueMs, ...item }) => ({
    ...item,
    dueInMs: Math.max(0, dueMs - nowMs),
  }));
  return { ...commit, checkpoint: { cursor: snapshot.cursor, position: snapshot.position, deferred } };
}
