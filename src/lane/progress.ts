/**
 * How far one lane has come in its chunk: which ordinals are settled, which wait, and what to work on next.
 *
 * Invariant: every ordinal below `cursor` is settled or waits; none from `cursor` on is either. An item under way
 * is not settled: it stands at the cursor or among the waiting. So a snapshot may be taken at any moment, also in
 * the middle of a call.
 */
import { assert } from "../core/assert.ts";
import type { Checkpoint } from "../core/protocol.ts";
import { type Tries, triesOf } from "../core/tries.ts";
import type { Item } from "../sources/source.ts";

/** An item that waits for its next try. */
export interface Waiting extends Tries {
  readonly ordinal: number;
  readonly position: number;
  /** Local instant; Infinity for an item that waits for something other than time. */
  readonly dueMs: number;
  /** Null when it has to be read from the source again. */
  readonly item: Item | null;
  /** How many of `attempts`, from the last on, ended down with no answered call in between. */
  readonly downs: number;
  /** The invocation's answered calls at the last of them. */
  readonly downsAtAnswers: number;
}

/** The checkpoint with due times as local instants. */
export interface Snapshot {
  readonly cursor: number;
  readonly position: number | null;
  readonly deferred: readonly (Tries & {
    readonly ordinal: number;
    readonly position: number;
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
      this.wait({ ...item, dueMs: nowMs + dueInMs, item: null, downs: 0, downsAtAnswers: 0 });
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
    const deferred = [...this.#waiting.values()].map(({ ordinal, position, dueMs, ...tries }) => ({
      ordinal,
      position,
      ...triesOf(tries),
      dueMs: dueMs === Number.POSITIVE_INFINITY ? nowMs : dueMs,
    }));
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
      this.#waiting.set(item.ordinal, own ?? { ...item, item: null, downs: 0, downsAtAnswers: 0 });
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
