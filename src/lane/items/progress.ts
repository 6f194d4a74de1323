/**
 * How far one lane has come in its chunk: which ordinals are settled, which wait, and what to work on next.
 *
 * Invariant: every ordinal below `cursor` is settled or waits; none from `cursor` on is either. An item under way
 * is not settled: it stands at the cursor or among the waiting. So a snapshot may be taken at any moment, also in
 * the middle of a call.
 */
import { assert } from "../../core/assert.ts";
import type { Checkpoint } from "../../core/protocol.ts";
import { type Tries, triesOf } from "../../core/tries.ts";
import type { Item } from "../../sources/source.ts";

/** An item that waits for its next try. */
export interface Waiting extends Tries {
  readonly ordinal: number;
  readonly position: number;
  /** Local instant; Infinity for an item that waits for something other than time. */
  readonly dueMs: number;
  /** Null when it has to be read from the source again. */
  readonly item: Item | null;
  /** How many of `attempts`, from the last on, ended down with nobody answered since. */
  readonly downs: number;
  /** When the last of its tries ended down, local clock. */
  readonly downAtMs: number;
  /** The limiter's epoch then. */
  readonly downIn: number;
  /** In how many openings of the circuit its tries were given back. */
  readonly excused: number;
  /** The last of these openings, by its epoch. */
  readonly excusedIn: number;
}

/** Of an item that never ended down. */
export const NO_DOWNS = {
  downs: 0,
  downAtMs: Number.NEGATIVE_INFINITY,
  downIn: Number.NEGATIVE_INFINITY,
  excused: 0,
  excusedIn: Number.NEGATIVE_INFINITY,
} as const;

/** The checkpoint with due times as local instants. */
export interface Snapshot {
  readonly cursor: number;
  readonly position: number | null;
  readonly deferred: readonly (Tries & {
    readonly ordinal: number;
    readonly position: number;
    readonly excused?: number;
    readonly excusedIn?: number;
    readonly downs?: number;
    readonly downIn?: number;
    readonly dueMs: number;
  })[];
}

export class Progress {
  #cursor: number;
  #position: number | null;
  readonly #waiting = new Map<number, Waiting>();

  constructor(checkpoint: Checkpoint, nowMs: number) {
    this.#cursor = checkpoint.cursor;
    this.#position = checkpoint.position;
    for (const { dueInMs, ...item } of checkpoint.deferred) {
      const downAtMs = item.downs === undefined ? NO_DOWNS.downAtMs : nowMs;
      this.wait({ ...NO_DOWNS, ...item, downAtMs, dueMs: nowMs + dueInMs, item: null });
    }
  }

  get cursor(): number {
    return this.#cursor;
  }

  get position(): number | null {
    return this.#position;
  }

  get waiting(): ReadonlyMap<number, Waiting> {
    return this.#waiting;
  }

  /** How many of the waiting wait for time, and for nothing else. */
  get timed(): number {
    let items = 0;
    for (const { dueMs } of this.#waiting.values()) if (dueMs !== Number.POSITIVE_INFINITY) items += 1;
    return items;
  }

  /** The waiting item that is due first; null when none waits for time. */
  firstDue(): Waiting | null {
    let first: Waiting | null = null;
    for (const waiting of this.#waiting.values()) {
      if (waiting.dueMs !== Number.POSITIVE_INFINITY && (first === null || waiting.dueMs < first.dueMs))
        first = waiting;
    }
    return first;
  }

  /** The source told where the item at the cursor is. */
  found(item: Item): void {
    if (item.ordinal === this.#cursor) this.#position = item.position;
  }

  /** The item has its row. */
  settle(ordinal: number): void {
    this.#waiting.delete(ordinal);
    this.#pass(ordinal);
  }

  /** The item waits (again). */
  wait(waiting: Waiting): void {
    this.#waiting.set(waiting.ordinal, waiting);
    this.#pass(waiting.ordinal);
  }

  snapshot(nowMs: number): Snapshot {
    const deferred = [...this.#waiting.values()].map((waiting) => {
      const { ordinal, position, excused, excusedIn, downs, downIn } = waiting;
      const dueMs = waiting.dueMs === Number.POSITIVE_INFINITY ? nowMs : waiting.dueMs;
      const down = { ...(excused > 0 && { excused, excusedIn }), ...(downs > 0 && { downs, downIn }) };
      return { ordinal, position, ...triesOf(waiting), ...down, dueMs };
    });
    deferred.sort((a, b) => a.ordinal - b.ordinal);
    return { cursor: this.#cursor, position: this.#position, deferred };
  }

  /** A part that somebody else wrote was committed instead: `snapshot` is the state that goes with it. */
  adopt(snapshot: Snapshot, isSettled: (ordinal: number) => boolean): void {
    const known = new Map(this.#waiting);
    const reached = this.#cursor;
    this.#waiting.clear();
    for (const item of snapshot.deferred) {
      if (isSettled(item.ordinal)) continue;
      const own = known.get(item.ordinal);
      this.#waiting.set(item.ordinal, own ?? { ...NO_DOWNS, ...item, item: null });
    }
    for (const own of known.values()) {
      if (own.ordinal >= snapshot.cursor) this.#waiting.set(own.ordinal, own);
    }
    if (snapshot.cursor > reached) {
      this.#cursor = snapshot.cursor;
      this.#position = snapshot.position;
    }
  }

  #pass(ordinal: number): void {
    if (ordinal < this.#cursor) return;
    assert(ordinal === this.#cursor, "a lane passes over no item");
    this.#cursor = ordinal + 1;
    this.#position = null;
  }
}
