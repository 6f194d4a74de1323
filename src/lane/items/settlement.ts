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
import { EXCUSED_OPENINGS, STARVED_MS } from "../../core/limits.ts";
import { type Tries, triesOf } from "../../core/tries.ts";
import type { Item } from "../../sources/source.ts";
import type { LaneHost } from "../laneHost.ts";
import type { PartWriter } from "../rows/partWriter.ts";
import { rowOf, type Settled } from "../rows/rows.ts";
import { NO_DOWNS, type Progress, type Waiting } from "./progress.ts";

/** A refused item held back until it is known whether the credentials work for others. */
interface Held {
  readonly item: Item;
  readonly settled: Settled;
  /** The Run has heard of the refusal. */
  isTold: boolean;
  readonly sinceMs: number;
}

/** Whether a try ended down: not, at the cost of an attempt, or with the attempt given back. */
export type Down = "no" | "spent" | "given-back";

type Excuse = Pick<Waiting, "excused" | "excusedIn">;

/** Items longer than this are read again for their next try rather than kept. */
const KEEP_ITEM_CHARS = 4096;
const REFUSAL_WITHIN_MS = 20;
/** If the credentials were refused to others as well, the Run has heard of it after this. */
const ALONE_AFTER_MS = 1000;

/** What of its surroundings a settlement needs. */
export type SettlementHost = Pick<
  LaneHost,
  "clock" | "tally" | "upMs" | "epoch" | "openedIn" | "refused" | "hold" | "nextAnswer"
>;

export class Settlement {
  readonly #host: SettlementHost;
  readonly #progress: Progress;
  readonly #writer: Pick<PartWriter, "isAdopted" | "add">;
  readonly #held = new Map<number, Held>();
  /** What the Run said last, and since when it has said so. */
  #word = { epoch: 0, streak: 0, sinceMs: Number.NEGATIVE_INFINITY };

  constructor(host: SettlementHost, progress: Progress, writer: Pick<PartWriter, "isAdopted" | "add">) {
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

  /** The item waits; `down`: whether its last try ended down, and what that cost. */
  defer(item: Item, tries: Tries, dueMs: number, down: Down): void {
    if (this.#writer.isAdopted(item.ordinal)) return;
    const { ordinal, position } = item;
    const before = this.#progress.waiting.get(ordinal) ?? NO_DOWNS;
    const streak = this.#unanswered(before);
    const waiting = {
      ordinal,
      position,
      ...triesOf(tries),
      dueMs,
      item: isSmall(item) ? item : null,
      downs: down === "spent" ? streak + 1 : streak,
      downAtMs: down === "no" ? before.downAtMs : this.#host.clock.now(),
      downIn: down === "no" ? before.downIn : this.#host.epoch(),
    };
    const { excused, excusedIn } = down === "given-back" ? this.#excuse(before) : before;
    this.#progress.wait({ ...waiting, excused, excusedIn });
  }

  /** The item failed before while others were answered, or was excused too often: more failures are its own. */
  isSuspect(ordinal: number): boolean {
    const waiting = this.#progress.waiting.get(ordinal);
    if (waiting === undefined) return false;
    return waiting.attempts > this.#unanswered(waiting) || waiting.excused >= EXCUSED_OPENINGS;
  }

  /** A try of the item has ended before. */
  isTried(ordinal: number): boolean {
    const waiting = this.#progress.waiting.get(ordinal);
    if (waiting === undefined) return false;
    const { attempts, throttles, excused, downAtMs } = waiting;
    return attempts + throttles + excused > 0 || downAtMs > Number.NEGATIVE_INFINITY;
  }

  /**
   * The item was refused: `settled` becomes its row if the credentials work for others. Resolves when the Run has
   * heard of it, or can say nothing any more.
   */
  async holdBack(item: Item, tries: Tries, settled: Settled): Promise<void> {
    if (this.#writer.isAdopted(item.ordinal)) return;
    this.defer(item, tries, Number.POSITIVE_INFINITY, "no");
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

  /** The circuit is open: attempts that ended down with nobody answered since are given back. */
  refund(isDue: (waiting: Waiting) => boolean = () => true): void {
    for (const waiting of this.#progress.waiting.values()) {
      const downs = this.#unanswered(waiting);
      if (downs === 0 || !isDue(waiting) || waiting.excused >= EXCUSED_OPENINGS) continue;
      const attempts = waiting.attempts - downs;
      this.#progress.wait({ ...waiting, ...this.#excuse(waiting), attempts, downs: 0 });
    }
  }

  /** The lane begins: the circuit is open, or it opened and was lifted while nobody had the chunk. */
  refundMissed(isOpen: boolean): void {
    this.refund((waiting) => isOpen || waiting.downIn < this.#host.openedIn());
  }

  /** The lane gives its chunk back: tries that others' answers have confirmed are nobody's to give back any more. */
  confirm(): void {
    for (const waiting of this.#progress.waiting.values()) {
      if (waiting.downs > 0 && this.#unanswered(waiting) === 0) this.#progress.wait({ ...waiting, downs: 0 });
    }
  }

  /** How many of its last attempts ended down, as far as nobody was answered since. */
  #unanswered({ downs, downAtMs }: Pick<Waiting, "downs" | "downAtMs">): number {
    return this.#host.upMs() > downAtMs ? 0 : downs;
  }

  /** Counts an opening once, however many tries it gives back. */
  #excuse({ excused, excusedIn }: Pick<Waiting, "excused" | "excusedIn">): Excuse {
    const openedIn = this.#host.openedIn();
    return { excused: excusedIn === openedIn ? excused : excused + 1, excusedIn: openedIn };
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
