/**
 * One lane of the simulation: works one chunk under one lease by the rules of `lane/lane.ts`, with the real progress
 * and the real verdicts, and gives items to the side lanes that help it. Sources do not fail here, and credentials are
 * always right.
 */
import { DEFERRED_PER_CHUNK, DEFERRED_WAIT_MS } from "../core/limits.ts";
import type { ChunkWork, Lease } from "../core/protocol.ts";
import { NO_TRIES, type Tries } from "../core/tries.ts";
import { NO_DOWNS, Progress, type Waiting } from "../lane/items/progress.ts";
import { Settlement } from "../lane/items/settlement.ts";
import type { Invocation } from "./invocation.ts";
import { PartWriter } from "./partWriter.ts";
import { type Routine, Signal, until } from "./process.ts";
import type { SideLane } from "./sideLane.ts";
import { type Chunk, Stream } from "./stream.ts";

/** An item to try now, or how long until one is due. */
export type Taken =
  | { readonly kind: "item"; readonly ordinal: number; readonly tries: Tries }
  | { readonly kind: "wait"; readonly ms: number };

/** How often a lane whose items are all under way with others looks again. */
const LOOK_MS = 250;

export class Lane implements Chunk {
  readonly fence: number;
  deadlineMs: number;
  readonly work: ChunkWork;
  readonly progress: Progress;
  readonly writer: PartWriter;
  readonly settlement: Settlement;
  readonly #host: Invocation;
  readonly #stream: Stream;
  readonly #sides = new Set<SideLane>();
  readonly #changed = new Signal();
  #isKnown = false;
  #isClosing = false;
  /** Others take items of the chunk too. */
  #isShared = false;
  /** Its own item under way, while nobody helps. */
  #own: number | null = null;

  constructor(host: Invocation, lease: Lease, deadlineMs: number) {
    this.fence = lease.fence;
    this.deadlineMs = deadlineMs;
    this.work = lease.work;
    this.#host = host;
    this.progress = new Progress(lease.work.checkpoint, host.process.now());
    this.#stream = new Stream(host, {
      fence: lease.fence,
      deadlineMs: () => this.deadlineMs,
      callsLeft: () => this.callsLeft,
    });
    this.writer = new PartWriter({
      process: host.process,
      random: host.random,
      storage: host.world.storage,
      spec: host.spec,
      fence: lease.fence,
      work: lease.work,
      progress: this.progress,
      rowsWaitMs: () => host.rowsWaitMs,
      isLost: () => this.#stream.isLost,
      lose: () => this.abandon(),
      commit: (commit, withinMs) => host.exchange.commit(commit, withinMs),
      hurry: (withinMs) => host.exchange.hurry(withinMs),
      indexed: (chunk, n) => host.exchange.indexed(chunk, n),
      background: (work) => host.background(work),
    });
    this.settlement = new Settlement(host.settling, this.progress, {
      isAdopted: (ordinal) => this.writer.isAdopted(ordinal),
      add: ({ index, ok }) => this.writer.add(index, ok),
    });
  }

  *run(): Routine<void> {
    if (!this.#stream.mustStop && this.work.adopt) yield* this.writer.adoptWritten();
    this.settlement.refundMissed(this.#host.isTargetDown);
    this.#isKnown = true;
    this.#changed.fire();
    yield* this.#workItems();
    this.#isClosing = true;
    this.#stream.leave();
    yield* this.#untilAlone();
    this.settlement.confirm();
    if (!this.#stream.isLost) yield* this.writer.handBack(null);
    this.#stream.abandon();
  }

  stop(): void {
    this.#stream.stop();
    for (const side of this.#sides) side.stop();
  }

  /** The lease is over or lost: no call goes on, nothing is written. */
  abandon(): void {
    this.#stream.abandon();
    for (const side of this.#sides) side.abandon();
  }

  look(): void {
    this.writer.cutIfDue();
    if (this.#host.isEnding) this.#stream.wake();
  }

  refund(): void {
    this.settlement.refund();
  }

  // --- for lanes beside it ---

  /** True where another slot may help: it is not about to end. */
  get takesHelp(): boolean {
    return !this.#isClosing && !this.#stream.isLost;
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** It is known what a lost lane has written of the chunk. */
  *known(): Routine<void> {
    while (!this.#isKnown) yield* until(this.#changed.wait);
  }

  enter(side: SideLane): void {
    this.#sides.add(side);
  }

  leave(side: SideLane): void {
    this.#sides.delete(side);
    this.wake();
  }

  wake(): void {
    this.#stream.wake();
    this.#changed.fire();
  }

  get hasMore(): boolean {
    return !this.#isClosing && (this.#hasNew || this.progress.timed > 0);
  }

  /** Items left for each that works on them; 0: no lane is to come. */
  get itemsEach(): number {
    const isWhole = !this.work.careful && this.work.until === undefined;
    const isOpen = isWhole && this.#isKnown && this.#hasSoon && this.writer.trouble === null;
    const left = this.work.count - this.progress.cursor + this.progress.timed;
    return isOpen && !this.#stream.mustStop ? left / (this.#sides.size + 1) : 0;
  }

  /** Something that `take` gives. */
  get #hasSoon(): boolean {
    if (this.#isClosing || this.#hasNew) return !this.#isClosing;
    const due = this.progress.firstDue();
    return due !== null && due.dueMs - this.#host.process.now() <= DEFERRED_WAIT_MS;
  }

  /** Items of the chunk without a row. */
  get itemsLeft(): number {
    return this.#end - this.progress.cursor + this.progress.waiting.size;
  }

  get callsLeft(): number {
    return Math.ceil(this.itemsLeft / (1 + this.#sides.size));
  }

  /** Items of the chunk that wait for another try after one that failed. */
  get retrying(): number {
    let items = 0;
    for (const { attempts, excused } of this.progress.waiting.values())
      if (attempts + excused > 0) items += 1;
    return items;
  }

  /** The next item for a side lane, from now on under way; null: there is none. */
  take(): Taken | null {
    this.#share();
    if (!this.hasMore) return null;
    const due = this.progress.firstDue();
    const inMs = due === null ? Number.POSITIVE_INFINITY : due.dueMs - this.#host.process.now();
    if (due !== null && inMs <= 0) return this.#again(due);
    if (!this.#hasNew) return inMs > DEFERRED_WAIT_MS ? null : { kind: "wait", ms: inMs };
    const ordinal = this.progress.cursor;
    this.#begin(ordinal);
    return { kind: "item", ordinal, tries: NO_TRIES };
  }

  /** The item had no outcome. */
  putBack(ordinal: number): void {
    const own = this.progress.waiting.get(ordinal);
    if (own?.dueMs === Number.POSITIVE_INFINITY)
      this.progress.wait({ ...own, dueMs: this.#host.process.now() });
    this.wake();
  }

  // --- inside ---

  get #end(): number {
    return this.work.until ?? this.work.count;
  }

  get #hasNew(): boolean {
    return this.progress.cursor < this.#end && this.progress.waiting.size < DEFERRED_PER_CHUNK;
  }

  /** From now on several items are under way: the lane's own is the first. */
  #share(): void {
    if (this.#isShared) return;
    this.#isShared = true;
    if (this.#own !== null && this.#own === this.progress.cursor) this.#begin(this.#own);
  }

  #begin(ordinal: number): void {
    const dueMs = Number.POSITIVE_INFINITY;
    this.progress.wait({ ordinal, position: ordinal, ...NO_TRIES, dueMs, item: null, ...NO_DOWNS });
  }

  #again(due: Waiting): Taken {
    this.progress.wait({ ...due, dueMs: Number.POSITIVE_INFINITY });
    return { kind: "item", ordinal: due.ordinal, tries: due };
  }

  *#workItems(): Routine<void> {
    for (;;) {
      if (this.#stream.mustStop || this.writer.trouble !== null) return;
      this.writer.cutIfDue();
      if (this.writer.isFull) {
        this.#stream.idleUntil(Number.POSITIVE_INFINITY);
        this.#host.exchange.hurry(0);
        yield* this.writer.settle();
        continue;
      }
      const next = this.#next();
      if (next === null) return;
      if (next.kind === "wait") yield* this.#stream.pause(next.ms);
      else {
        const goesOn = yield* this.#stream.work(this, next.ordinal, next.tries);
        this.#own = null;
        if (!goesOn) return;
      }
    }
  }

  /** Null: the chunk is done, or what is left of it is not due soon. */
  #next(): Taken | null {
    const { waiting } = this.progress;
    const due = waiting.size === 0 ? null : this.progress.firstDue();
    const nowMs = this.#host.process.now();
    if (due !== null && due.dueMs <= nowMs) return this.#again(due);
    if (this.#hasNew) {
      const ordinal = this.progress.cursor;
      this.#own = ordinal;
      if (this.#isShared) this.#begin(ordinal);
      return { kind: "item", ordinal, tries: NO_TRIES };
    }
    if (waiting.size === 0 || this.#host.isEnding) return null;
    if (due === null) return this.#sides.size > 0 ? { kind: "wait", ms: LOOK_MS } : null;
    return due.dueMs - nowMs > DEFERRED_WAIT_MS ? null : { kind: "wait", ms: due.dueMs - nowMs };
  }

  /** No item is under way any more. Where all have their row others leave by themselves, for another lane. */
  *#untilAlone(): Routine<void> {
    const isOver = this.progress.cursor >= this.#end && this.progress.waiting.size === 0;
    for (const side of this.#sides) {
      if (!isOver) side.stop();
      side.wake();
    }
    while (this.#sides.size > 0) yield* until(this.#changed.wait);
  }
}
