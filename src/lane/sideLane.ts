/**
 * A slot more for a lane: works on items of the lane's chunk beside it, new ones and those that wait for another try,
 * when no chunk is left for a lane of its own.
 * When that lane has no more, it goes on to another lane of its invocation, which takes no request; where it finds
 * nothing there either, it gives its slot back.
 *
 * It holds a lease and no chunk: rows, parts and checkpoints are the lane's. An item that it could not bring to an
 * outcome goes back to the lane, which ends only after it.
 */
import { FRUITLESS_MOST, RELEASE_WITHIN_MS } from "../core/limits.ts";
import type { ChunkWork, Lease } from "../core/protocol.ts";
import type { Tries } from "../core/tries.ts";
import type { Item } from "../sources/source.ts";
import { LaneStopped } from "../tasks/task.ts";
import type { Insisted } from "./items/insist.ts";
import { settleUncalled, type TryContext, tryItem } from "./items/itemTry.ts";
import { LanePause } from "./items/pause.ts";
import type { Progress } from "./items/progress.ts";
import type { Settlement } from "./items/settlement.ts";
import type { LaneHost } from "./laneHost.ts";
import type { Seat } from "./permits/seat.ts";
import type { OpenTask } from "./ports.ts";
import type { PartWriter } from "./rows/partWriter.ts";

export type Taken =
  | { readonly kind: "item"; readonly item: Item; readonly tries: Tries }
  | { readonly kind: "wait"; readonly ms: number };

/** The lane that is helped. */
export interface Helped {
  readonly work: ChunkWork;
  readonly progress: Progress;
  readonly settlement: Settlement;
  readonly writer: PartWriter;
  /** Resolves when items may be taken. */
  readonly known: Promise<void>;
  /** No item is given out any more. */
  readonly isClosing: boolean;
  openTask(): Promise<Insisted<OpenTask>>;
  readonly hasMore: boolean;
  readonly callsLeft: number;
  /** The next item that is due, from now on under way; or how long until one is; null: there is none. */
  take(): Promise<Taken | null>;
  /** The item had no outcome. */
  putBack(item: Item): void;
  /** Something of its chunk changed. */
  wake(): void;
  /** Somebody helps: it ends after them. */
  enter(side: SideLane): void;
  leave(side: SideLane): void;
}

/** What a side lane sees of its invocation. */
export interface SideLaneHost extends LaneHost {
  /** Where it is of most use: the lane with the most items left for each that works on them; null: nowhere. */
  laneWithMost(): Helped | null;
}

/** Fails as a lane does: a fault that is nobody's outcome ends it, and its item goes back. */
export class SideLane {
  readonly fence: number;
  /** End of the lease on the local clock. */
  deadlineMs: number;
  /** Resolves when its slot is given back, or can be said nothing of any more. Never rejects. */
  readonly ended: Promise<void>;
  readonly #host: SideLaneHost;
  readonly #lease: Lease;
  /** The lane that it helps now. */
  #lane: Helped;
  readonly #abort = new AbortController();
  readonly #seat: Seat;
  readonly #pause: LanePause;

  constructor(host: SideLaneHost, lease: Lease, deadlineMs: number, lane: Helped) {
    this.fence = lease.fence;
    this.deadlineMs = deadlineMs;
    this.#host = host;
    this.#lease = lease;
    this.#lane = lane;
    this.#seat = host.seat(
      () => this.deadlineMs,
      () => this.#lane.callsLeft,
    );
    this.#pause = new LanePause(host.clock, this.#seat);
    lane.enter(this);
    this.ended = this.#work().then(() => this.#giveBack());
  }

  async #work(): Promise<void> {
    await this.#help().catch(() => {});
    this.#seat.leave();
    this.#lane.leave(this);
  }

  /** A lease that was abandoned the Run frees when it is not named any more. */
  async #giveBack(): Promise<void> {
    if (this.#abort.signal.aborted) return;
    const { fence } = this;
    const { chunk } = this.#lease.work;
    const snapshot = this.#lane.progress.snapshot(this.#host.clock.now());
    await this.#host.commit({ fence, chunk, part: null, snapshot, release: true }, RELEASE_WITHIN_MS);
  }

  stop(): void {
    this.#seat.stop();
    this.#pause.wake();
  }

  abandon(): void {
    this.#abort.abort(new LaneStopped());
    this.#pause.wake();
  }

  look(): void {
    if (this.#host.isEnding()) this.#pause.wake();
  }

  /** Something of the lane's changed that it may wait for. */
  wake(): void {
    this.#pause.wake();
  }

  refund(): void {}

  async #help(): Promise<void> {
    await this.#lane.known;
    if (this.#mustStop() || !this.#lane.hasMore) return;
    const opening = await this.#lane.openTask();
    if (opening.kind !== "ok") return;
    const task = opening.value;
    try {
      // What one call carries the lane gathers by itself.
      let isLeft = task.batch === undefined;
      let fruitless = 0;
      while (isLeft) {
        fruitless = (await this.#workItems(task)) ? 0 : fruitless + 1;
        isLeft = fruitless < FRUITLESS_MOST && this.#goOn();
      }
    } finally {
      await task.close().catch(() => {});
    }
  }

  /** To a lane that has more. False: there is none, or nothing may be begun. */
  #goOn(): boolean {
    if (this.#abort.signal.aborted || this.#seat.stopping || this.#host.isEnding()) return false;
    const next = this.#host.laneWithMost();
    if (next === null || next === this.#lane) return false;
    this.#lane.leave(this);
    this.#lane = next;
    next.enter(this);
    return true;
  }

  /** True when an item came to an outcome. */
  async #workItems(task: OpenTask): Promise<boolean> {
    const { progress, settlement, writer } = this.#lane;
    const { signal } = this.#abort;
    const context: TryContext = {
      host: this.#host,
      task,
      seat: this.#seat,
      progress,
      settlement,
      signal,
      mayHaveCalled: this.#lane.work.adopt,
      isOwner: false,
    };
    let isOfUse = false;
    while (!this.#mustStop() && writer.trouble === null) {
      writer.cutIfDue();
      if (writer.isFull) {
        this.#seat.idleUntil(Number.POSITIVE_INFINITY);
        await writer.settle();
        continue;
      }
      const taken = await this.#lane.take();
      if (taken === null) return isOfUse;
      if (taken.kind === "wait") {
        await this.#pause.wait(taken.ms);
        continue;
      }
      const { item, tries } = taken;
      if (settleUncalled(context, this.#lane.work, item, tries)) {
        isOfUse = true;
        continue;
      }
      if (!(await this.#mayCall()) || !(await tryItem(context, item, tries))) {
        this.#lane.putBack(item);
        return isOfUse;
      }
      isOfUse = true;
      this.#lane.wake();
    }
    return isOfUse;
  }

  #mustStop(): boolean {
    return this.#abort.signal.aborted || this.#seat.stopping || this.#lane.isClosing || this.#host.mustStop();
  }

  async #mayCall(): Promise<boolean> {
    const { pacing } = this.#host.settings().spec;
    const mayWait = () => !this.#mustStop() && !this.#host.isEnding();
    return (await this.#pause.untilNextStart(pacing, mayWait)) && !this.#mustStop();
  }
}
