/**
 * The one request between an invocation and its Run: it asks for permits, renews leases, reports what
 * happened, commits parts, and its answer carries work, permits and signals back.
 *
 * Invariants carried here: every request has `(invocation, seq)`, and a repeated seq gets the stored answer;
 * no absolute time crosses the wire, only durations relative to the moment of the answer; a commit names the
 * fence under which its chunk was leased, and a fence that is no longer current is refused.
 */
import type { Totals } from "./reduce/reduce.ts";
import type { SourceSpec, Spec } from "./spec.ts";
import type { Tries } from "./tries.ts";
import type { Usage } from "./usage.ts";

/** An item that waits: backoff, Retry-After, or a hand-back before its turn. */
export interface Deferred extends Tries {
  /** Position inside the chunk, from 0. */
  readonly ordinal: number;
  /** Where the source finds the item again (opaque to all but the source). */
  readonly position: number;
  /** In how many openings of the circuit its tries were given back; absent: in none. */
  readonly excused?: number;
  /** The last of these openings, by the epoch that it began; absent with `excused`. */
  readonly excusedIn?: number;
  /** How many of `attempts`, from the last on, ended down with nobody answered since; absent: none. */
  readonly downs?: number;
  /** The limiter's epoch at the last of these; absent with `downs`. */
  readonly downIn?: number;
  /** In a message: milliseconds from the moment it was sent. In the ledger: run-clock instant. */
  readonly dueInMs: number;
}

/** How far a chunk is committed. Everything below `cursor` is settled or in `deferred`. */
export interface Checkpoint {
  /** First ordinal never tried, 0…count. */
  readonly cursor: number;
  /** The source's position of that ordinal (opaque); null at the start of the chunk. */
  readonly position: number | null;
  readonly deferred: readonly Deferred[];
}

/** A chunk as planned: `count` items, either `first … first+count-1` or exactly `indexes`. */
export interface ChunkPlan {
  readonly first: number;
  readonly count: number;
  /** Ascending item indexes of a chunk with gaps (child runs); absent for a contiguous one. */
  readonly indexes?: readonly number[];
  /** Where the source finds the chunk: opaque text from the source's `plan`. */
  readonly position: string;
}

/** A chunk as leased to a lane. */
export interface ChunkWork extends ChunkPlan {
  readonly chunk: number;
  readonly checkpoint: Checkpoint;
  /** Parts of this chunk committed so far: the next part has this number. */
  readonly parts: number;
  /** The last lease of this chunk was lost: look for a written, uncommitted part first. */
  readonly adopt: boolean;
  /** Work one item a commit, announced before its call: earlier lanes died on this chunk. */
  readonly careful: boolean;
  /** Ordinals from this on are not to be tried yet (smoke stage): give the chunk back before. */
  readonly until?: number;
  /** Ordinals on which lanes died too often: a failed row (kind `task`) without a call. */
  readonly condemned?: readonly number[];
}

export interface Lease {
  /** Strictly increasing over the run: also the lease's id. */
  readonly fence: number;
  readonly work: ChunkWork;
  /** A slot more for the lane with this fence, which works on the same chunk; absent: the chunk is the lease's own. */
  readonly helps?: number;
}

export interface PartMeta {
  readonly chunk: number;
  readonly n: number;
  readonly key: string;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly ok: number;
  readonly failed: number;
  readonly bytes: number;
  readonly sha256: string;
}

export interface Commit {
  readonly fence: number;
  readonly chunk: number;
  /** Null when nothing was settled: the checkpoint alone moves (a hand-back of deferred items). */
  readonly part: PartMeta | null;
  readonly checkpoint: Checkpoint;
  /** What the spec's `reduce` makes of the part's rows; absent without a part or a `reduce`. */
  readonly totals?: Totals;
  /** The lane gives the lease back with this commit. A chunk with nothing left is done whatever this says. */
  readonly release: boolean;
  /** Tokens of the part's rows; absent: none. */
  readonly usage?: Usage;
  /** Why it was given back, for `why`: the platform (R2, source) refused, or nothing special. */
  readonly trouble?: string;
}

export type CommitOutcome =
  | { readonly kind: "committed"; readonly fence: number }
  /** The fence is no longer current (or the part number is not the next one): drop the lane's state. */
  | { readonly kind: "stale"; readonly fence: number };

/** A call that went wrong in a way that concerns more than its item. */
export interface Trouble {
  readonly kind: "throttled" | "down" | "refused";
  readonly index: number;
  /** Epoch of the permit the call was made with. */
  readonly epoch: number;
  /** Only for throttled: how long the target is left alone; null when it said nothing. */
  readonly retryAfterMs: number | null;
  /** The header that asks for it; absent: none does. */
  readonly askedBy?: string;
  /** The call was a probe. */
  readonly probe: boolean;
  /** Only for throttled: the item was throttled before. */
  readonly again?: true;
  /** Only for throttled: the call left closer behind the one before than permits lie apart. */
  readonly close?: true;
  /** Only for down: no connection was made. Absent: one was, or it is not known. */
  readonly unreached?: true;
  /** Only for down: the item failed before while others were answered. */
  readonly suspect?: true;
  /** Only for down: it was the item's first try. */
  readonly first?: true;
  /** Only for refused. */
  readonly refusal?: Refusal;
}

/** What a call that ended down ended with, for people. */
export interface Fault {
  readonly message: string;
  /** Absent: there was no answer. */
  readonly status?: number;
}

/** What a refused call was answered. */
export interface Refusal {
  /** One line, secrets masked. */
  readonly message: string;
  /** Absent: credentials, or the item. */
  readonly because?: "used-up" | "rule";
}

/** What happened since the last request that was answered. */
export interface Report {
  /** Calls that left. */
  readonly calls: number;
  /** Of them: those that left closer behind the one before than permits lie apart. Absent: none. */
  readonly close?: number;
  /** Of the calls that ended: how many were throttled. */
  readonly throttled: number;
  readonly inFlight: number;
  /** Answers that were neither throttled, down nor refused (a 404 is such an answer). */
  readonly answered: number;
  /** One of them answered a probe. */
  readonly probeAnswered: boolean;
  /** Throttled, down and refused calls in the order in which they ended, at most `TROUBLES_PER_REPORT`. */
  readonly troubles: readonly Trouble[];
  /** How many of `troubles`, from the end, came after the last `answered` one. */
  readonly troublesSinceAnswer: number;
  /** How long ago the target was certainly up: a call that was answered left then. Absent: when the report was made. */
  readonly answeredAgoMs?: number;
  /** The last call that ended down; absent: none did. */
  readonly fault?: Fault;
  /** Items of the invocation's chunks that wait for another try after one that failed; absent: none. */
  readonly retrying?: number;
  /** Sum of call durations, for the mean. */
  readonly callMs: number;
  /** Permits not used within their grace. */
  readonly forfeited: number;
  /** Set when the run cannot go on without help, as one sentence ("secret API_KEY is missing"): the run pauses. */
  readonly blocked: string | null;
  /** Storage or source refuse and a lane insists, as one sentence. Absent: all is well. */
  readonly refusing?: string;
  /** Operations counted by the invocation since its last report, for the cost model. */
  readonly operations: Partial<Operations>;
  /** Tokens that answers reported, whatever became of their items; absent: none. */
  readonly usage?: Usage;
}

/** Calls whose permits have a cost of their own (`quota.tokens`, `budget`): each is asked for and granted by name. */
export interface CostedAsk {
  /** Calls that wait for a permit, in the order in which they came. `call`: unique within the invocation. */
  readonly waiting: readonly {
    readonly call: number;
    /** Input tokens as counted. */
    readonly input: number;
    /** Output tokens it asks for at most; null when it does not say. */
    readonly output: number | null;
  }[];
  /** Permits not used yet, and tokens reserved for calls that are not settled. */
  readonly held: { readonly calls: number; readonly tokens: number };
  /** Calls that ended since the last request that was answered. */
  readonly settled: readonly SettledCall[];
  /** What the target last said of its own ledger; null: nothing. */
  readonly told: Told | null;
}

export interface SettledCall {
  readonly reserved: number;
  /** What the target counted; null: it did not say. */
  readonly usage: Usage | null;
  /** The permit was never used: nothing left. */
  readonly unused?: boolean;
  /** It may have cost something although nothing was said: a budget counts its reservation. */
  readonly unreported?: boolean;
}

/** `x-ratelimit-*` and `RateLimit` fields of an answer; null where nothing was said. */
export interface Told {
  readonly tokensRemaining: number | null;
  /** Until the target takes requests again; only when it said that none is left. */
  readonly requestsInMs: number | null;
}

export interface CostedAnswer {
  readonly granted: readonly {
    readonly call: number;
    readonly inMs: number;
    /** Tokens reserved for it. */
    readonly cost: number;
    readonly probe: boolean;
  }[];
  readonly graceMs: number;
  /** Calls that can never be granted, and why. */
  readonly impossible: readonly { readonly call: number; readonly message: string }[];
  /** The other calls that wait: ask again then. */
  readonly askAgainInMs: number;
}

export interface Operations {
  queue: number;
  object: number;
  rowsWritten: number;
  r2ClassA: number;
  r2ClassB: number;
  d1RowsWritten: number;
}

export interface SyncRequest {
  readonly invocation: string;
  readonly seq: number;
  /** Index of the chunk queue that started this invocation. */
  readonly queue: number;
  /** Generation of the embedding process, "" when deployed. */
  readonly generation: string;
  /** Lanes this invocation can hold in all; 0 while it winds down. */
  readonly capacity: number;
  /** Fences it holds: these are renewed. */
  readonly held: readonly number[];
  /** Permits it wants now; 0 for a request that only renews and reports. */
  readonly want: number;
  /** Answers take this long to come, ms: its permits lie at least so far ahead. Absent: no time to speak of. */
  readonly leadMs?: number;
  /** It can use permits of further rounds; absent: only those it wants now. */
  readonly rounds?: Rounds;
  /** Items of its chunks that have no row yet; absent where lanes do not help each other. */
  readonly itemsLeft?: number;
  /** Its lanes can take slots to help with chunks that it holds. */
  readonly takesHelp?: boolean;
  /** Absent where permits have no cost of their own. */
  readonly costed?: CostedAsk;
  readonly report: Report;
  readonly commits: readonly Commit[];
  /** Parts whose failures are in D1. */
  readonly indexed: readonly { readonly chunk: number; readonly n: number }[];
  /** Careful chunks: the item about to be called. */
  readonly announce: readonly { readonly fence: number; readonly ordinal: number }[];
  /** Permits wanted for single hosts, each host once; absent: none. */
  readonly hosts?: readonly HostAsk[];
  /** Version of the settings it has; 0 for none. */
  readonly settingsVersion: number;
}

/** What an invocation with few lanes can do with more permits than it has lanes, if they lie apart. */
export interface Rounds {
  /** From the start of a call to the moment its lane can start another, nearly always. */
  readonly turnMs: number;
  /** Instants it holds, and how far ahead the last of them lies; 0 for none. */
  readonly held: number;
  readonly heldForMs: number;
  /** Calls that each of its lanes has left after the one under way; `ROUNDS_MOST` for more. */
  readonly left: readonly number[];
}

/** How even an invocation lets its calls go, where its target refuses uneven ones. */
export interface Spacing {
  /** Calls leave at least so far apart, but for `together` of them. */
  readonly everyMs: number;
  /** 1 or more. */
  readonly together: number;
}

/** Send instants, relative to the moment of the answer. */
export type Grant =
  | {
      readonly kind: "granted";
      readonly firstInMs: number;
      /** One emission interval. */
      readonly everyMs: number;
      readonly count: number;
      /** The instants, ascending, where they are not `everyMs` apart. */
      readonly inMs?: readonly number[];
      /** A permit may be used from its instant until this much later; then it is forfeit. */
      readonly graceMs: number;
      /** Absent: calls leave as their instants are due. */
      readonly spacing?: Spacing;
      /** True: one single call that finds out whether the target is back. */
      readonly probe: boolean;
      /** Which items a probe is to be taken from, where there is a choice; absent: any. */
      readonly prefers?: "tried" | "untried";
    }
  /** Nothing now; ask again then. */
  | { readonly kind: "deferred"; readonly askAgainInMs: number }
  /** No quota: calls go freely for this long. */
  | { readonly kind: "free"; readonly forMs: number };

/** Permits for calls to one host. */
export interface HostAsk {
  /** The host's name, without its port. */
  readonly host: string;
  /** Permits wanted now; 0: only to say something of the host. */
  readonly want: number;
  /** Calls to the host are to lie at least this far apart, whatever the spec says. */
  readonly spacingMs: number;
  /** Turns wanted for items that are put off where the host rests. */
  readonly turns: number;
  /** The host asked to be left alone for this long; 0: it did not. */
  readonly holdMs: number;
}

/** Send instants for one host, relative to the moment of the answer. */
export interface HostGrant {
  readonly host: string;
  /** One for each permit, ascending; fewer than were wanted where the host or the run has to wait. */
  readonly sendInMs: readonly number[];
  readonly graceMs: number;
  readonly probe: boolean;
  /** When the host is due again. */
  readonly dueInMs: number;
  /** The first turn of those that were wanted; null: none was needed. A turn is advice, not a permit. */
  readonly turnInMs: number | null;
  readonly turnEveryMs: number;
  /** More than 0: the whole run has to wait this long, whatever the host allows. */
  readonly waitInMs: number;
}

/** What a lane needs to know of the run; sent again whenever it changes. */
export interface RunSettings {
  readonly version: number;
  readonly run: string;
  /** The run at the top of the family of retries: idempotency keys and indexes refer to it. */
  readonly root: string;
  readonly spec: Spec;
  /** The source the items are read from: the root run's. */
  readonly itemSource: SourceSpec;
  /** True for a child run: its ok rows settle failures of its ancestors in D1. */
  readonly child: boolean;
}

export interface SyncAnswer {
  readonly seq: number;
  /** work: go on. drain: no new call, commit, hand everything back, end (pause, cancel, not driven, ended). */
  readonly kind: "work" | "drain";
  /** The permit epoch. Instants held from an older epoch are forfeit. */
  readonly epoch: number;
  /** The epoch that the last opening of the circuit began; absent: it never opened. */
  readonly openedIn?: number;
  /**
   * The run clock at the moment of the answer. Only its distance to the same clock in another answer means
   * anything: it tells how late an answer arrived. A restarted Run counts from
   * somewhere else altogether. Absent: that moment is somewhere within the round trip.
   */
  readonly clockMs?: number;
  readonly grant: Grant;
  /** One for each host that was asked for; absent: none was, or the run does not work. */
  readonly hosts?: readonly HostGrant[];
  /** Absent where permits have no cost of their own. */
  readonly costed?: CostedAnswer;
  readonly leases: readonly Lease[];
  /** Held fences that are no longer known: no call, no part, drop the lane's state. */
  readonly lost: readonly number[];
  /** Lanes to give back: finish the call, commit, release, start nothing. */
  readonly shed: readonly number[];
  readonly commits: readonly CommitOutcome[];
  readonly leaseTtlMs: number;
  /** Ask again no later than this, needed or not. */
  readonly pollMs: number;
  /** A row waits no longer than this for its part; absent: as the spec's checkpoint says. */
  readonly rowsWaitMs?: number;
  readonly settings: RunSettings | null;
  /** The circuit: while not closed, network failures and 5xx of items that are not suspects spend no attempt. */
  readonly circuit: "closed" | "open";
  /** How long ago the target was certainly up, as far as the Run knows; absent: not known. */
  readonly answeredAgoMs?: number;
  /** Counts up whenever an answered call ended a streak of refused credentials. */
  readonly refusedEpoch: number;
  /** Items in the present streak of refused credentials. */
  readonly refusedStreak: number;
}

/** A message on a chunk queue. Everything in it is a hint: the Run decides. */
export type QueueMessage =
  | { readonly v: 1; readonly kind: "work"; readonly run: string }
  | { readonly v: 1; readonly kind: "plan"; readonly run: string }
  | { readonly v: 1; readonly kind: "index"; readonly run: string }
  | { readonly v: 1; readonly kind: "finish"; readonly run: string };
