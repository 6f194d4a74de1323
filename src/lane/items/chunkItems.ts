/**
 * The items of a chunk on their way to those who work on it: the lane that has it, and side lanes beside it.
 *
 * One of them reads at a time. As long as the lane is alone its item stands at the cursor until it has a row. With others
 * beside it several items are under way at once: then each stands among the waiting from the moment it is read, so that
 * a checkpoint taken meanwhile tells that it has no row yet, and nobody else takes it.
 */
import { DEFERRED_PER_CHUNK, DEFERRED_WAIT_MS } from "../../core/limits.ts";
import { NO_TRIES } from "../../core/tries.ts";
import { type Item, SourceError } from "../../sources/source.ts";
import type { LaneHost } from "../laneHost.ts";
import type { PartWriter } from "../rows/partWriter.ts";
import type { Taken } from "../sideLane.ts";
import type { Insisted } from "./insist.ts";
import { NO_DOWNS, type Progress, type Waiting } from "./progress.ts";
import type { Reader } from "./reader.ts";

type Found = Insisted<Item | null>;

/** Not due: an item that is under way. */
const UNDER_WAY = Number.POSITIVE_INFINITY;

export class ChunkItems {
  readonly #host: Pick<LaneHost, "clock" | "tally" | "hurry">;
  readonly #reader: Reader;
  readonly #progress: Progress;
  readonly #writer: Pick<PartWriter, "isAdopted">;
  /** The item of the lane's own that is under way. */
  #own: Item | null = null;
  /** The source is being read: by one at a time. */
  #reading: Promise<unknown> | null = null;
  /** Others take items of the chunk too. */
  #isShared = false;

  constructor(
    host: Pick<LaneHost, "clock" | "tally" | "hurry">,
    of: {
      readonly reader: Reader;
      readonly progress: Progress;
      readonly writer: Pick<PartWriter, "isAdopted">;
    },
  ) {
    this.#host = host;
    this.#reader = of.reader;
    this.#progress = of.progress;
    this.#writer = of.writer;
  }

  /** Items that nobody has begun, and room to put them off. */
  get hasNew(): boolean {
    return !this.#reader.isAtEnd && this.#progress.waiting.size < DEFERRED_PER_CHUNK;
  }

  /** Something that `take` gives to a lane beside it. */
  get hasSoon(): boolean {
    if (this.hasNew) return true;
    const due = this.#progress.firstDue();
    return due !== null && due.dueMs - this.#host.clock.now() <= DEFERRED_WAIT_MS;
  }

  /** Every item has its row. */
  get areOver(): boolean {
    return this.#reader.isAtEnd && this.#progress.waiting.size === 0;
  }

  // --- for the lane itself ---

  /** An item that waits and is due, under way from now on. */
  again(due: Waiting): Promise<Found> {
    this.#resume(due);
    return this.fromSource(() => this.#reader.again(due));
  }

  /** The item at the cursor; "look again": somebody else was reading. */
  async next(): Promise<Found | "look again"> {
    if (this.#reading !== null) {
      await this.#reading.catch(() => {});
      return "look again";
    }
    return this.#alone(async () => {
      const found = await this.fromSource(() => this.#reader.next());
      if (found.kind !== "ok" || found.value === null) return found;
      this.#own = found.value;
      if (this.#isShared) this.#begin(found.value);
      return found;
    });
  }

  /** The lane's own item has its row, or waits. */
  ownIsOver(): void {
    this.#own = null;
  }

  // --- for lanes beside it ---

  /** The next item that is due, or how long until one is; null: there is none. `hasMore`: asked when nobody reads. */
  async take(hasMore: () => boolean): Promise<Taken | null> {
    while (this.#reading !== null) await this.#reading.catch(() => {});
    this.#share();
    if (!hasMore()) return null;
    const due = this.#progress.firstDue();
    const inMs = due === null ? UNDER_WAY : due.dueMs - this.#host.clock.now();
    if (due !== null && inMs <= 0) return this.#takeAgain(due);
    if (!this.hasNew) return inMs > DEFERRED_WAIT_MS ? null : { kind: "wait", ms: inMs };
    return this.#alone(async () => {
      const found = await this.fromSource(() => this.#reader.next());
      if (found.kind !== "ok" || found.value === null) return null;
      this.#begin(found.value);
      return { kind: "item", item: found.value, tries: NO_TRIES };
    });
  }

  /** The item had no outcome. */
  putBack(item: Item): void {
    const own = this.#progress.waiting.get(item.ordinal);
    if (own?.dueMs === UNDER_WAY) this.#progress.wait({ ...own, dueMs: this.#host.clock.now() });
  }

  async #takeAgain(due: Waiting): Promise<Taken | null> {
    const found = await this.again(due);
    if (found.kind === "ok" && found.value !== null) return { kind: "item", item: found.value, tries: due };
    // Its row may have come with a part that was adopted meanwhile.
    if (!this.#writer.isAdopted(due.ordinal)) this.#progress.wait(due);
    return null;
  }

  /** From now on several items are under way: the lane's own is the first. */
  #share(): void {
    if (this.#isShared) return;
    this.#isShared = true;
    const own = this.#own;
    if (own !== null && own.ordinal === this.#progress.cursor) this.#begin(own);
  }

  // --- inside ---

  /** A waiting item is under way: nobody else takes it. */
  #resume(waiting: Waiting): void {
    this.#progress.wait({ ...waiting, dueMs: UNDER_WAY });
  }

  /** The cursor moves on, the item is under way. */
  #begin({ ordinal, position }: Item): void {
    this.#progress.wait({ ordinal, position, ...NO_TRIES, dueMs: UNDER_WAY, item: null, ...NO_DOWNS });
  }

  /** Nobody else reads meanwhile. */
  #alone<T>(read: () => Promise<T>): Promise<T> {
    const reading = read().finally(() => {
      this.#reading = null;
    });
    this.#reading = reading;
    return reading;
  }

  /** A source that cannot be used any more stops the run, which says why. */
  async fromSource<T>(read: () => Promise<Insisted<T>>): Promise<Insisted<T>> {
    try {
      return await read();
    } catch (fault) {
      if (!(fault instanceof SourceError)) throw fault;
      this.#host.tally.block(fault.message);
      this.#host.hurry(0);
      return { kind: "lost" };
    }
  }
}
