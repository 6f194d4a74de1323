/**
 * One lane: works one chunk under one lease, one item at a time.
 *
 * An item that must wait is deferred and the lane goes on with the next. The lane ends when the chunk is done, when
 * nothing is due soon, when it is asked to stop, or when its lease is over; unless the lease is over it commits what
 * it has and gives the lease back. A platform fault, a missing secret or a stop never makes a row.
 *
 * With others beside it (`sideLane.ts`) several items are under way at once: `chunkItems.ts` says which.
 */
import { DEFERRED_WAIT_MS, STARVED_MS } from "../core/limits.ts";
import type { ChunkWork, Lease } from "../core/protocol.ts";
import { NO_TRIES, type Tries } from "../core/tries.ts";
import type { Item } from "../sources/source.ts";
import { messageOf } from "../tasks/faults.ts";
import { CannotOpen, LaneStopped, SecretMissing } from "../tasks/task.ts";
import { gather, tryBatch } from "./items/batchTry.ts";
import { ChunkItems } from "./items/chunkItems.ts";
import { type Insisted, insist } from "./items/insist.ts";
import { refusalOf, settleUncalled, type TryContext, tryItem } from "./items/itemTry.ts";
import { LanePause } from "./items/pause.ts";
import { Progress } from "./items/progress.ts";
import { Reader } from "./items/reader.ts";
import { Settlement } from "./items/settlement.ts";
import type { LaneHost } from "./laneHost.ts";
import type { Seat } from "./permits/seat.ts";
import type { OpenTask } from "./ports.ts";
import { PartWriter } from "./rows/partWriter.ts";
import { type Helped, SideLane, type SideLaneHost, type Taken } from "./sideLane.ts";

/** How the work on a chunk ended; `trouble`: who refused. */
interface End {
  readonly trouble: string | null;
}

type Next =
  | { readonly kind: "item"; readonly item: Item; readonly tries: Tries }
  | { readonly kind: "pause"; readonly ms: number }
  | { readonly kind: "end"; readonly trouble: string | null };

/** How often a lane that only waits for word about credentials looks again. */
const HELD_LOOK_MS = 250;

const STOPPED: End = { trouble: null };

const HAND_BACK: Next = { kind: "end", trouble: null };

/** What was read, to be worked on. */
function nextOf(found: Insisted<Item | null>, tries: Tries): Next {
  if (found.kind === "ok" && found.value !== null) return { kind: "item", item: found.value, tries };
  if (found.kind === "ok") return { kind: "end", trouble: "the source has fewer items than were planned" };
  return { kind: "end", trouble: found.kind === "refused" ? found.trouble : null };
}

export class Lane implements Helped {
  readonly fence: number;
  /** End of the lease on the local clock. */
  deadlineMs: number;
  readonly #host: LaneHost;
  readonly #lease: Lease;
  readonly #abort = new AbortController();
  readonly #seat: Seat;
  readonly progress: Progress;
  readonly writer: PartWriter;
  readonly settlement: Settlement;
  readonly #reader: Reader;
  readonly #items: ChunkItems;
  readonly #pause: LanePause;
  readonly #sideLanes = new Set<SideLane>();
  #itemsPerCall = 1;
  /** Called when the last of them has left. */
  #onAlone: () => void = () => {};
  /** Resolves when it is known what a lost lane has written of the chunk. */
  readonly #known = Promise.withResolvers<void>();
  #isKnown = false;
  #isClosing = false;

  constructor(host: LaneHost, lease: Lease, deadlineMs: number) {
    const { clock, ports } = host;
    const { work, fence } = lease;
    this.fence = fence;
    this.deadlineMs = deadlineMs;
    this.#host = host;
    this.#lease = lease;
    this.#seat = host.seat(
      () => this.deadlineMs,
      () => this.callsLeft,
    );
    this.#pause = new LanePause(clock, this.#seat);
    this.progress = new Progress(work.checkpoint, clock.now());
    const { signal } = this.#abort;
    const refused = (sentence: string) => host.tally.refused(sentence);
    this.#reader = new Reader(work, (from) => ports.read(host.settings(), work, from), this.progress, {
      clock,
      signal,
      refused,
    });
    this.writer = new PartWriter({
      clock,
      ports,
      settings: () => host.settings(),
      fence,
      work,
      progress: this.progress,
      firstPartShare: host.firstPartShare(),
      rowsWaitMs: () => host.rowsWaitMs(),
      turns: host.turns,
      signal,
      commit: (commit, withinMs) => host.commit(commit, withinMs),
      hurry: (withinMs) => host.hurry(withinMs),
      indexed: (chunk, n) => host.indexed(chunk, n),
      background: (pending) => host.background(pending),
      lost: () => this.abandon(),
      block: (sentence) => host.tally.block(sentence),
      refused,
    });
    this.settlement = new Settlement(host, this.progress, this.writer);
    const { progress, writer } = this;
    this.#items = new ChunkItems(host, { reader: this.#reader, progress, writer });
  }

  /** Works until the chunk is done or given back; never rejects. */
  async run(): Promise<void> {
    let end: End;
    try {
      end = await this.#workChunk();
    } catch (fault) {
      end = { trouble: `a lane failed: ${messageOf(fault)}` };
    }
    this.#isClosing = true;
    this.#known.resolve();
    this.#seat.leave();
    await this.#untilAlone();
    this.settlement.close();
    this.settlement.confirm();
    if (!this.#abort.signal.aborted) await this.writer.handBack(end.trouble).catch(() => {});
    await this.#reader.close();
    this.#abort.abort();
  }

  /** Another slot: its holder works on this chunk too. Null: the lane is about to end. */
  helpedBy(host: SideLaneHost, lease: Lease, deadlineMs: number): SideLane | null {
    if (this.#isClosing || this.#abort.signal.aborted) return null;
    return new SideLane(host, lease, deadlineMs, this);
  }

  /** Finish the call, commit, give the lease back; begin no try. */
  stop(): void {
    this.#seat.stop();
    for (const side of this.#sideLanes) side.stop();
    this.#pause.wake();
  }

  /** The lease is not ours any more: no call, no part. */
  abandon(): void {
    this.#abort.abort(new LaneStopped());
    for (const side of this.#sideLanes) side.abandon();
    this.#pause.wake();
  }

  // --- for lanes beside it ---

  get work(): ChunkWork {
    return this.#lease.work;
  }

  /** Items left for each that works on them; 0: no lane is to come. */
  get itemsEach(): number {
    const { work } = this.#lease;
    const isWhole = !work.careful && work.until === undefined;
    const isOpen =
      isWhole && this.#isKnown && !this.#isClosing && this.#items.hasSoon && this.writer.trouble === null;
    const left = work.count - this.progress.cursor + this.progress.timed;
    return isOpen && !this.#mustStop() ? left / (this.#sideLanes.size + 1) : 0;
  }

  enter(side: SideLane): void {
    this.#sideLanes.add(side);
  }

  leave(side: SideLane): void {
    this.#sideLanes.delete(side);
    this.#pause.wake();
    if (this.#sideLanes.size === 0) this.#onAlone();
  }

  get known(): Promise<void> {
    return this.#known.promise;
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  get hasMore(): boolean {
    return !this.#isClosing && (this.#items.hasNew || this.progress.timed > 0);
  }

  take(): Promise<Taken | null> {
    return this.#items.take(() => this.hasMore);
  }

  putBack(item: Item): void {
    this.#items.putBack(item);
    this.wake();
  }

  wake(): void {
    this.#pause.wake();
  }

  /** A side lane that waits for an item of this chunk waits for nothing more. */
  #wakeSides(): void {
    for (const side of this.#sideLanes) side.wake();
  }

  /** Items of the chunk that wait for another try after one that failed. */
  get retrying(): number {
    let items = 0;
    for (const { attempts, excused } of this.progress.waiting.values())
      if (attempts + excused > 0) items += 1;
    return items;
  }

  /** Items of the chunk without a row. */
  get itemsLeft(): number {
    const { work } = this.#lease;
    return (work.until ?? work.count) - this.progress.cursor + this.progress.waiting.size;
  }

  /** Calls that each of those who work on the chunk has left, the one under way among them. */
  get callsLeft(): number {
    return Math.ceil(this.itemsLeft / (this.#itemsPerCall * (1 + this.#sideLanes.size)));
  }

  /** An answer came, or the invocation's state changed. */
  look(): void {
    this.writer.cutIfDue();
    if (this.settlement.heldBack > 0 || this.#host.isEnding()) this.#pause.wake();
  }

  /** The circuit is open: tries that ended down since the last answered call are given back. */
  refund(): void {
    this.settlement.refund();
  }

  /** No item is under way any more. Where all have their row others leave by themselves, for another lane. */
  async #untilAlone(): Promise<void> {
    this.#wakeSides();
    if (!this.#items.areOver) for (const side of this.#sideLanes) side.stop();
    if (this.#sideLanes.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onAlone = resolve;
    });
  }

  async #workChunk(): Promise<End> {
    if (this.#mustStop()) return { trouble: null };
    if (this.#lease.work.adopt) await this.writer.adoptWritten();
    this.settlement.refundMissed(this.#host.isTargetDown());
    this.#known.resolve();
    this.#isKnown = true;
    if (this.#items.areOver) return { trouble: null };
    const opening = await this.openTask();
    if (opening.kind !== "ok") return { trouble: opening.kind === "refused" ? opening.trouble : null };
    const task = opening.value;
    try {
      return await this.#workItems(task);
    } finally {
      await task.close().catch(() => {});
    }
  }

  async openTask(): Promise<Insisted<OpenTask>> {
    const { clock, ports } = this.#host;
    const { signal } = this.#abort;
    try {
      const open = () => ports.openTask(this.#host.settings());
      return await insist("the task", open, { clock, signal, forMs: STARVED_MS });
    } catch (fault) {
      if (!(fault instanceof CannotOpen || fault instanceof SecretMissing)) throw fault;
      this.#host.tally.block(fault.message);
      this.#host.hurry(0);
      return { kind: "lost" };
    }
  }

  async #workItems(task: OpenTask): Promise<End> {
    this.#itemsPerCall = task.batch?.most ?? 1;
    const context: TryContext = {
      host: this.#host,
      task,
      seat: this.#seat,
      progress: this.progress,
      settlement: this.settlement,
      signal: this.#abort.signal,
      mayHaveCalled: this.#lease.work.adopt,
      isOwner: true,
    };
    for (;;) {
      if (this.#mustStop() || this.writer.trouble !== null) return { trouble: null };
      if (this.settlement.heldBack > 0) this.settlement.settleHeld(false, task.mask);
      this.writer.cutIfDue();
      if (this.writer.isFull) {
        this.#seat.idleUntil(Number.POSITIVE_INFINITY);
        this.#host.hurry(0);
        await this.writer.settle();
        continue;
      }
      const next = await this.#next(task);
      if (next.kind === "end") return next;
      if (next.kind === "pause") await this.#pause.wait(next.ms);
      else {
        const end =
          task.batch === undefined
            ? await this.#work(context, next.item, next.tries)
            : await this.#workGroup(context, task.batch, next);
        this.#items.ownIsOver();
        if (end !== null) return end;
      }
    }
  }

  #mustStop(): boolean {
    return this.#abort.signal.aborted || this.#seat.stopping || this.#host.mustStop();
  }

  /** A waiting item that is due, else the item at the cursor, else how long to wait or that it is not worth it. */
  async #next(task: OpenTask): Promise<Next> {
    const { waiting } = this.progress;
    const due = waiting.size === 0 ? null : this.progress.firstDue();
    const nowMs = this.#host.clock.now();
    const prefersNew = this.#seat.takePrefersNew() && this.#items.hasNew;
    if (!prefersNew && due !== null && due.dueMs <= nowMs) return nextOf(await this.#items.again(due), due);
    if (this.#items.hasNew) return this.#readNext();
    if (waiting.size === 0) return HAND_BACK;
    if (this.#host.isEnding()) return HAND_BACK;
    if (due === null && this.#sideLanes.size > 0) return { kind: "pause", ms: HELD_LOOK_MS };
    if (due !== null) {
      return due.dueMs - nowMs > DEFERRED_WAIT_MS ? HAND_BACK : { kind: "pause", ms: due.dueMs - nowMs };
    }
    if (this.settlement.settleHeld(true, task.mask)) return { kind: "pause", ms: 0 };
    this.#host.hurry(HELD_LOOK_MS);
    return { kind: "pause", ms: HELD_LOOK_MS };
  }

  /** The item at the cursor. */
  async #readNext(): Promise<Next> {
    const found = await this.#items.next();
    return found === "look again" ? { kind: "pause", ms: 0 } : nextOf(found, NO_TRIES);
  }

  /** One try of one item, or its row without a call. An end: the lane cannot go on. */
  async #work(context: TryContext, item: Item, tries: Tries): Promise<End | null> {
    const { work } = this.#lease;
    if (settleUncalled(context, work, item, tries)) return null;
    if (!(await this.#mayCall())) return STOPPED;
    if (work.careful) await this.#host.announce(this.fence, item.ordinal);
    if (this.#mustStop() || !(await tryItem(context, item, tries))) return STOPPED;
    // Where no call was made there is nothing to keep apart from.
    if (this.#seat.lastPermit === null) this.#pause.forgetStart();
    if (work.careful) await this.writer.commitNow();
    return null;
  }

  /** The same for all items that one call may carry; a careful lane sends one. */
  async #workGroup(
    context: TryContext,
    batch: NonNullable<OpenTask["batch"]>,
    first: Extract<Next, { kind: "item" }>,
  ): Promise<End | null> {
    const { work } = this.#lease;
    const { item, tries } = first;
    if (settleUncalled(context, work, item, tries)) return null;
    const most = work.careful ? 1 : batch.most;
    const isCallable = (one: Item) => refusalOf(work, one) === null;
    const from = { reader: this.#reader, most, isCallable };
    const group = await this.#items.fromSource(() => gather({ item, tries }, context, from));
    if (group.kind !== "ok") return { trouble: group.kind === "refused" ? group.trouble : null };
    if (work.careful) await this.#host.announce(this.fence, item.ordinal);
    if (!(await tryBatch(context, batch, group.value, () => this.#mayCall()))) return STOPPED;
    if (work.careful) await this.writer.commitNow();
    return null;
  }

  /** Waits for the lane's pace. False: no call may be made any more. */
  async #mayCall(): Promise<boolean> {
    const { pacing } = this.#host.settings().spec;
    const mayWait = () => !this.#mustStop() && !this.#host.isEnding();
    return (await this.#pause.untilNextStart(pacing, mayWait)) && !this.#mustStop();
  }
}
