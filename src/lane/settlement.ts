/**
 * What becomes of a lane's items: a row, another try later, or held back because the target refused the credentials.
 *
 * Invariant: every item that was begun is in exactly one of these states, and the lane's progress says the same:
 * what has no row is deferred in every checkpoint. An item whose row stands in an adopted part is left alone.
 *
 * A refused item (401, 403) is held back until a call was answered that left after the refusal had come: then the
 * refusal concerned the item. (An answer to a call that left before says nothing: the credentials may have been
 * revoked in between.) If nobody is answered the run pauses, and the item was never failed.
 */
import { STARVED_MS } from "../core/limits.ts";
import { type Tries, triesOf } from "../core/tries.ts";
import type { Item } from "../sources/source.ts";
import type { LaneHost } from "./laneHost.ts";
import type { PartWriter } from "./partWriter.ts";
import type { Progress } from "./progress.ts";
import { rowOf, type Settled } from "./rows.ts";

/** A refused item held back until it is known whether the credentials work for others. */
interface Held {
  readonly item: Item;
  readonly settled: Settled;
  /** The Run has heard of the refusal. */
  isTold: boolean;
  readonly sinceMs: number;
}

/** Items longer than this are read again for their next try rather than kept. */
const KEEP_ITEM_CHARS = 4096;
const REFUSAL_WITHIN_MS = 20;
/** If the credentials were refused to others as well, the Run has heard of it after this. */
const ALONE_AFTER_MS = 1000;

export class Settlement {
  readonly #host: LaneHost;
  readonly #progress: Progress;
  readonly #writer: PartWriter;
  readonly #held = new Map<number, Held>();
  /** What the Run said last, and since when it has said so. */
  #word = { epoch: 0, streak: 0, sinceMs: Number.NEGATIVE_INFINITY };

  constructor(host: LaneHost, progress: Progress, writer: PartWriter) {
    this.#host = host;
    this.#progress = progress;
    this.#writer = writer;
  }

  get heldBack(): number {
    return this.#held.size;
  }

  /** The item gets its row; `mask` hides secrets in an error's message. */
  settle(item: Item, settled: Settled, mask: (text: string) => string): void {
    if (this.#writer.isAdopted(item.ordinal)) return;
    this.#writer.add(rowOf(item, settled, mask));
    this.#progress.settle(item.ordinal);
  }

  /** The item waits. `endedDown`: its last attempt was spent on a call that ended down. */
  defer(item: Item, tries: Tries, dueMs: number, endedDown: boolean): void {
    if (this.#writer.isAdopted(item.ordinal)) return;
    const { ordinal, position } = item;
    const before = this.#progress.waiting.get(ordinal);
    const { answers } = this.#host.tally;
    const streak = before !== undefined && before.downsAtAnswers === answers ? before.downs : 0;
    this.#progress.wait({
      ordinal,
      position,
      ...triesOf(tries),
      dueMs,
      item: isSmall(item) ? item : null,
      downs: endedDown ? streak + 1 : streak,
      downsAtAnswers: answers,
    });
  }

  /**
   * The item was refused: `settled` becomes its row if the credentials work for others. Resolves when the Run has
   * heard of it, or can say nothing any more.
   */
  async holdBack(item: Item, tries: Tries, settled: Settled): Promise<void> {
    if (this.#writer.isAdopted(item.ordinal)) return;
    this.defer(item, tries, Number.POSITIVE_INFINITY, false);
    const held: Held = { item, settled, isTold: false, sinceMs: this.#host.clock.now() };
    this.#held.set(item.ordinal, held);
    this.#host.hold(1);
    await this.#host.nextAnswer(REFUSAL_WITHIN_MS);
    held.isTold = true;
  }

  /**
   * Makes rows of held items once a call was answered after them; at the chunk's end also when it turns out that
   * nobody else was refused, or when the Run has said nothing new for long. True when one was settled.
   */
  settleHeld(atEnd: boolean, mask: (text: string) => string): boolean {
    const { tally, clock } = this.#host;
    const nowMs = clock.now();
    const { streak, held } = this.#listen(nowMs);
    let any = false;
    for (const [ordinal, one] of this.#held) {
      const answered = tally.answeredLeftMs > one.sinceMs;
      const alone = one.isTold && streak <= held && nowMs - one.sinceMs > ALONE_AFTER_MS;
      const silent = nowMs - Math.max(one.sinceMs, this.#word.sinceMs) > STARVED_MS;
      if (!answered && !(atEnd && (alone || silent))) continue;
      this.#held.delete(ordinal);
      this.#host.hold(-1);
      this.settle(one.item, one.settled, mask);
      any = true;
    }
    return any;
  }

  #listen(nowMs: number): { readonly streak: number; readonly held: number } {
    const { epoch, streak, held } = this.#host.refused();
    if (epoch !== this.#word.epoch || streak !== this.#word.streak) {
      this.#word = { epoch, streak, sinceMs: nowMs };
    }
    return { streak, held };
  }

  /** The target is down for everybody: attempts that ended down since the last answered call are given back. */
  refund(): void {
    for (const waiting of this.#progress.waiting.values()) {
      if (waiting.downs === 0 || waiting.downsAtAnswers !== this.#host.tally.answers) continue;
      this.#progress.wait({ ...waiting, attempts: waiting.attempts - waiting.downs, downs: 0 });
    }
  }

  /** The lane ends: what is held back stays unsettled. */
  close(): void {
    this.#host.hold(-this.#held.size);
    this.#held.clear();
  }
}

function isSmall(item: Item): boolean {
  const { value } = item;
  return typeof value === "string" ? value.length <= KEEP_ITEM_CHARS : typeof value !== "object";
}
