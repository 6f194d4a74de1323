/**
 * The items of one chunk for one lane: in order, and single ones again for their next try.
 *
 * The source refusing for a while is waited out; a source that ends early or refuses for good ends the lane's work
 * with a sentence, never an item.
 */
import type { ChunkWork } from "../core/protocol.ts";
import type { Item } from "../sources/source.ts";
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
  /** The item at the cursor, read and not settled yet. */
  #ahead: Item | null = null;

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
    return this.#progress.cursor >= Math.min(this.#plan.count, this.#plan.until ?? Number.POSITIVE_INFINITY);
  }

  /** The item at the cursor; null when the source has fewer items than were planned. Throws SourceError. */
  async next(): Promise<Insisted<Item | null>> {
    const { cursor } = this.#progress;
    if (this.#ahead?.ordinal === cursor) return { kind: "ok", value: this.#ahead };
    const read = await insist("the source", () => this.#advanceTo(cursor), this.#context);
    if (read.kind === "ok" && read.value !== null) {
      this.#ahead = read.value;
      this.#progress.found(read.value);
    }
    return read;
  }

  /** A waiting item's value, from memory or from the source. Throws SourceError. */
  async again(waiting: Waiting): Promise<Insisted<Item | null>> {
    if (waiting.item !== null) return { kind: "ok", value: waiting.item };
    const { ordinal, position } = waiting;
    return insist(
      "the source",
      async () => {
        for await (const item of this.#read({ ordinal, position })) return item;
        return null;
      },
      this.#context,
    );
  }

  async close(): Promise<void> {
    await this.#items?.return?.().catch(() => {});
  }

  async #advanceTo(ordinal: number): Promise<Item | null> {
    const from = { ordinal, position: this.#progress.position };
    this.#items ??= this.#read(from)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await this.#items.next();
        if (done === true) return null;
        if (value.ordinal >= ordinal) return value;
      }
    } catch (fault) {
      // An iterator that threw is at its end: the next try begins at the cursor.
      this.#items = null;
      throw fault;
    }
  }
}
