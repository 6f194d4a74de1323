/**
 * The items of one chunk for one lane: in order, and single ones again for their next try.
 *
 * The source refusing for a while is waited out; a source that ends early or refuses for good ends the lane's work
 * with a sentence, never an item.
 */
import type { ChunkWork } from "../../core/protocol.ts";
import type { Item } from "../../sources/source.ts";
import { type InsistContext, type Insisted, insist } from "./insist.ts";
import type { Progress, Waiting } from "./progress.ts";

export type ReadItems = (from: {
  readonly ordinal: number;
  readonly position: number | null;
}) => AsyncIterable<Item>;

export class Reader {
  readonly #plan: Pick<ChunkWork, "count" | "until">;
  readonly #read: ReadItems;
  readonly #progress: Progress;
  readonly #context: InsistContext;
  #items: AsyncIterator<Item> | null = null;
  /** Items from the cursor on, read and not settled yet. */
  #ahead: Item[] = [];

  constructor(
    plan: Pick<ChunkWork, "count" | "until">,
    read: ReadItems,
    progress: Progress,
    context: InsistContext,
  ) {
    this.#plan = plan;
    this.#read = read;
    this.#progress = progress;
    this.#context = context;
  }

  get isAtEnd(): boolean {
    return this.#progress.cursor >= this.#end;
  }

  get #end(): number {
    return Math.min(this.#plan.count, this.#plan.until ?? Number.POSITIVE_INFINITY);
  }

  /** The item at the cursor; null when the source has fewer items than were planned. Throws SourceError. */
  async next(): Promise<Insisted<Item | null>> {
    const { cursor } = this.#progress;
    while (this.#ahead.length > 0 && (this.#ahead[0]?.ordinal ?? 0) < cursor) this.#ahead.shift();
    const [ahead] = this.#ahead;
    if (ahead?.ordinal === cursor) return { kind: "ok", value: ahead };
    const read = await this.#insist(() => this.#advanceTo(cursor));
    if (read.kind === "ok" && read.value !== null) {
      this.#ahead = [read.value];
      this.#progress.found(read.value);
    }
    return read;
  }

  /**
   * The item `n` behind the cursor, after `next` gave the one at it and `peek` those between; null at the end of what
   * this lane may work on. Throws SourceError.
   */
  async peek(n: number): Promise<Insisted<Item | null>> {
    const ahead = this.#ahead[n];
    if (ahead !== undefined) return { kind: "ok", value: ahead };
    // Not by the cursor: it may move meanwhile, when a part that another lane wrote is adopted.
    const ordinal = (this.#ahead[n - 1]?.ordinal ?? this.#progress.cursor - 1) + 1;
    if (ordinal >= this.#end) return { kind: "ok", value: null };
    const read = await this.#insist(() => this.#advanceTo(ordinal));
    if (read.kind === "ok" && read.value !== null) this.#ahead.push(read.value);
    return read;
  }

  /** A waiting item's value, from memory or from the source. Throws SourceError. */
  async again(waiting: Waiting): Promise<Insisted<Item | null>> {
    if (waiting.item !== null) return { kind: "ok", value: waiting.item };
    const { ordinal, position } = waiting;
    return this.#insist(async () => {
      for await (const item of this.#read({ ordinal, position })) return item;
      return null;
    });
  }

  /** Several waiting items, ascending, read in one go where memory does not have them. Throws SourceError. */
  async againAll(waiting: readonly Waiting[]): Promise<Insisted<readonly Item[]>> {
    const missing = waiting.filter((one) => one.item === null);
    const [first] = missing;
    const last = missing[missing.length - 1];
    const kept = waiting.flatMap((one) => (one.item === null ? [] : [one.item]));
    if (first === undefined || last === undefined) return { kind: "ok", value: kept };
    const wanted = new Set(missing.map((one) => one.ordinal));
    const { ordinal, position } = first;
    return this.#insist(async () => {
      const items = [...kept];
      for await (const item of this.#read({ ordinal, position })) {
        if (wanted.has(item.ordinal)) items.push(item);
        if (item.ordinal >= last.ordinal) break;
      }
      return items.sort((a, b) => a.ordinal - b.ordinal);
    });
  }

  async close(): Promise<void> {
    await this.#items?.return?.().catch(() => {});
  }

  #insist<T>(act: () => Promise<T>): Promise<Insisted<T>> {
    return insist("the source", act, this.#context);
  }

  async #advanceTo(ordinal: number): Promise<Item | null> {
    const { cursor, position } = this.#progress;
    const from = { ordinal, position: ordinal === cursor ? position : null };
    this.#items ??= this.#read(from)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await this.#items.next();
        if (done === true) return null;
        if (value.ordinal >= ordinal) return value;
      }
    } catch (fault) {
      // An iterator that threw is at its end: the next try begins anew.
      this.#items = null;
      throw fault;
    }
  }
}
