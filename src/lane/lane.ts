/**
 * One lane: works one chunk under one lease, one item at a time.
 *
 * An item that must wait is deferred and the lane goes on with the next. The lane ends when the chunk is done, when
 * nothing is due soon, when it is asked to stop, or when its lease is over; unless the lease is over it commits what
 * it has and gives the lease back. A platform fault, a missing secret or a stop never makes a row.
 */
import { DEFERRED_PER_CHUNK, DEFERRED_WAIT_MS, STARVED_MS } from "../core/limits.ts";
import type { CommitOutcome, Lease, RunSettings } from "../core/protocol.ts";
import { type Item, SourceError } from "../sources/source.ts";
import { messageOf } from "../tasks/faults.ts";
import { LaneStopped, SecretMissing, type TaskOutcome } from "../tasks/task.ts";
import type { Clock } from "./clock.ts";
import type { LaneCommit } from "./exchange.ts";
import { insist } from "./insist.ts";
import { PartWriter } from "./partWriter.ts";
import type { LanePorts, OpenTask } from "./ports.ts";
import { Progress } from "./progress.ts";
import { Reader } from "./reader.ts";
import type { Tally } from "./report.ts";
import { rowOf, type Settled } from "./rows.ts";
import type { Seat } from "./seat.ts";
import { isDown, judge, type Tries } from "./verdict.ts";

/** What a lane needs of its invocation. */
export interface LaneHost {
  readonly clock: Clock;
  readonly ports: LanePorts;
  readonly tally: Tally;
  settings(): RunSettings;
  seat(deadlineMs: () => number): Seat;
  /** True when no try may begin: the invocation winds down and holds no spare permit, or the run drains. */
  mustStop(): boolean;
  /** True when no lane should wait for anything any more. */
  isEnding(): boolean;
  isTargetDown(): boolean;
  isCurrentEpoch(epoch: number): boolean;
  /** What the Run last said of refused credentials, and how many items this invocation holds back for it. */
  refused(): { readonly epoch: number; readonly streak: number; readonly held: number };
  hold(items: number): void;
  hurry(ms: number): void;
  nextAnswer(withinMs: number): Promise<void>;
  announce(fence: number, ordinal: number): Promise<void>;
  commit(commit: LaneCommit, withinMs: number): Promise<CommitOutcome["kind"] | "closed">;
  indexed(chunk: number, n: number): void;
  background(work: Promise<void>): void;
}

/** How the work on a chunk ended; `trouble`: who refused. */
interface End {
  readonly trouble: string | null;
}

type Next =
  | { readonly kind: "item"; readonly item: Item; readonly tries: Tries }
  | { readonly kind: "pause"; readonly ms: number }
  | { readonly kind: "end"; readonly trouble: string | null };

/** A refused item held back until it is known whether the credentials work for others. */
interface Held {
  readonly item: Item;
  readonly settled: Settled;
  /** Answered calls of the invocation before it was refused. */
  readonly answers: number;
  /** The Run's count when it had heard of the refusal; null until then. */
  epoch: number | null;
  readonly sinceMs: number;
}

/** Items longer than this are read again for their next try rather than kept. */
const KEEP_ITEM_CHARS = 4096;
const TROUBLE_WITHIN_MS = 20;
/** How often a lane that only waits for word about credentials looks again. */
const HELD_LOOK_MS = 250;

const HAND_BACK: Next = { kind: "end", trouble: null };

export class Lane {
  readonly fence: number;
  /** End of the lease on the local clock. */
  deadlineMs: number;
  readonly #host: LaneHost;
  readonly #lease: Lease;
  readonly #abort = new AbortController();
  readonly #seat: Seat;
  readonly #progress: Progress;
  readonly #writer: PartWriter;
  readonly #reader: Reader;
  readonly #held = new Map<number, Held>();
  #wake: (() => void) | null = null;
  #nextStartMs = Number.NEGATIVE_INFINITY;

  constructor(host: LaneHost, lease: Lease, deadlineMs: number) {
    const { clock, ports } = host;
    const { work, fence } = lease;
    this.fence = fence;
    this.deadlineMs = deadlineMs;
    this.#host = host;
    this.#lease = lease;
    this.#seat = host.seat(() => this.deadlineMs);
    this.#progress = new Progress(work.checkpoint, clock.now());
    const { signal } = this.#abort;
    this.#reader = new Reader(work, (from) => ports.read(host.settings(), work, from), this.#progress, {
      clock,
      signal,
    });
    this.#writer = new PartWriter({
      clock,
      ports,
      settings: () => host.settings(),
      fence,
      work,
      progress: this.#progress,
      signal,
      commit: (commit, withinMs) => host.commit(commit, withinMs),
      indexed: (chunk, n) => host.indexed(chunk, n),
      background: (pending) => host.background(pending),
      lost: () => this.abandon(),
      block: (sentence) => host.tally.block(sentence),
    });
  }

  /** Works until the chunk is done or given back; never rejects. */
  async run(): Promise<void> {
    let end: End;
    try {
      end = await this.#workChunk();
    } catch (fault) {
      end = { trouble: `a lane failed: ${messageOf(fault)}` };
    }
    this.#seat.leave();
    this.#host.hold(-this.#held.size);
    if (!this.#abort.signal.aborted) await this.#writer.handBack(end.trouble).catch(() => {});
    await this.#reader.close();
    this.#abort.abort();
  }

  /** Finish the call, commit, give the lease back; begin no try. */
  stop(): void {
    this.#seat.stop();
    this.#wake?.();
  }

  /** The lease is not ours any more: no call, no part. */
  abandon(): void {
    this.#abort.abort(new LaneStopped());
    this.#wake?.();
  }

  /** An answer came, or the invocation's state changed. */
  look(): void {
    this.#writer.cutIfDue();
    if (this.#held.size > 0 || this.#host.isEnding()) this.#wake?.();
  }

  /** The target is down for everybody: tries that ended down since the last answered call are given back. */
  refund(): void {
    for (const waiting of this.#progress.waiting.values()) {
      if (waiting.downs === 0 || waiting.downsAtAnswers !== this.#host.tally.answers) continue;
      this.#progress.wait({ ...waiting, attempts: waiting.attempts - waiting.downs, downs: 0 });
    }
  }

  async #workChunk(): Promise<End> {
    if (this.#mustStop()) return { trouble: null };
    if (this.#lease.work.adopt) await this.#writer.adoptWritten();
    const { clock, ports } = this.#host;
    const { signal } = this.#abort;
    const opening = await insist("the task", () => ports.openTask(this.#host.settings()), {
      clock,
      signal,
      forMs: STARVED_MS,
    });
    if (opening.kind !== "ok") return { trouble: opening.kind === "refused" ? opening.trouble : null };
    const task = opening.value;
    try {
      return await this.#workItems(task);
    } finally {
      await task.close().catch(() => {});
    }
  }

  async #workItems(task: OpenTask): Promise<End> {
    for (;;) {
      if (this.#mustStop() || this.#writer.trouble !== null) return { trouble: null };
      if (this.#held.size > 0) this.#settleHeld(task, false);
      this.#writer.cutIfDue();
      if (this.#writer.isFull) {
        this.#seat.idleUntil(Number.POSITIVE_INFINITY);
        this.#host.hurry(0);
        await this.#writer.settle();
        continue;
      }
      const next = await this.#next(task);
      if (next.kind === "end") return next;
      if (next.kind === "pause") await this.#pause(next.ms);
      else if (!(await this.#work(task, next.item, next.tries))) return { trouble: null };
    }
  }

  #mustStop(): boolean {
    return this.#abort.signal.aborted || this.#seat.stopping || this.#host.mustStop();
  }

  /** A waiting item that is due, else the item at the cursor, else how long to wait or that it is not worth it. */
  async #next(task: OpenTask): Promise<Next> {
    const { waiting } = this.#progress;
    const due = waiting.size === 0 ? null : this.#progress.firstDue();
    const nowMs = this.#host.clock.now();
    if (due !== null && due.dueMs <= nowMs) return this.#read(() => this.#reader.again(due), due);
    if (!this.#reader.isAtEnd && waiting.size < DEFERRED_PER_CHUNK) {
      return this.#read(() => this.#reader.next(), NO_TRIES);
    }
    if (waiting.size === 0) return HAND_BACK;
    if (this.#host.isEnding()) return HAND_BACK;
    if (due !== null) {
      return due.dueMs - nowMs > DEFERRED_WAIT_MS ? HAND_BACK : { kind: "pause", ms: due.dueMs - nowMs };
    }
    if (this.#settleHeld(task, true)) return { kind: "pause", ms: 0 };
    return { kind: "pause", ms: HELD_LOOK_MS };
  }

  async #read(read: () => ReturnType<Reader["next"]>, tries: Tries): Promise<Next> {
    try {
      const found = await read();
      if (found.kind === "ok" && found.value !== null) return { kind: "item", item: found.value, tries };
      if (found.kind === "ok")
        return { kind: "end", trouble: "the source has fewer items than were planned" };
      return { kind: "end", trouble: found.kind === "refused" ? found.trouble : null };
    } catch (fault) {
      if (!(fault instanceof SourceError)) throw fault;
      this.#host.tally.block(fault.message);
      this.#host.hurry(0);
      return HAND_BACK;
    }
  }

  /** One try of one item. False: the lane cannot go on. */
  async #work(task: OpenTask, item: Item, tries: Tries): Promise<boolean> {
    const refusal = this.#unworkable(item);
    if (refusal !== null) {
      this.#settle(task, item, {
        attempts: tries.attempts,
        throttles: tries.throttles,
        result: { ok: false, error: { ...refusal, retryable: false } },
      });
      return true;
    }
    if (!(await this.#pace())) return false;
    if (this.#lease.work.careful) await this.#host.announce(this.fence, item.ordinal);
    if (this.#mustStop()) return false;
    const outcome = await this.#call(task, item);
    if (outcome === null || this.#abort.signal.aborted) return false;
    this.#tell(item, outcome);
    await this.#conclude(task, item, tries, outcome);
    if (this.#lease.work.careful) await this.#writer.commitNow();
    return true;
  }

  #unworkable(item: Item): { readonly kind: "parse" | "task"; readonly message: string } | null {
    if (item.invalid !== undefined) return { kind: "parse", message: item.invalid };
    const { condemned } = this.#lease.work;
    if (condemned?.includes(item.ordinal) !== true) return null;
    return { kind: "task", message: "the lane died 3 times on this item" };
  }

  /** At least `minIntervalMs` plus jitter between the starts of two tries of this lane. False: no time for it. */
  async #pace(): Promise<boolean> {
    const { minIntervalMs, jitterMs } = this.#host.settings().spec.pacing;
    if (minIntervalMs === 0 && jitterMs === 0) return true;
    const { clock } = this.#host;
    while (clock.now() < this.#nextStartMs) {
      if (this.#mustStop() || this.#host.isEnding()) return false;
      await this.#pause(this.#nextStartMs - clock.now());
    }
    this.#nextStartMs = clock.now() + minIntervalMs + jitterMs * clock.random();
    return true;
  }

  /** Null: no outcome, the item stays where it was. */
  async #call(task: OpenTask, item: Item): Promise<TaskOutcome | null> {
    this.#seat.beginTry();
    const { signal } = this.#abort;
    try {
      return await task.run({ item: item.value, index: item.index, permits: this.#seat, signal });
    } catch (fault) {
      if (fault instanceof LaneStopped || signal.aborted) return null;
      if (fault instanceof SecretMissing) {
        this.#host.tally.block(fault.message);
        this.#host.hurry(0);
        return null;
      }
      const called = this.#seat.lastPermit !== null;
      return { kind: "permanent", errorKind: "task", message: messageOf(fault), called };
    }
  }

  /** Reports how the try ended, as far as it concerns more than its item. */
  #tell(item: Item, outcome: TaskOutcome): void {
    const permit = this.#seat.lastPermit;
    if (permit === null) return;
    const { tally } = this.#host;
    const { epoch, probe } = permit;
    const trouble = troubleKind(outcome);
    if (trouble === null) tally.answer(probe);
    else {
      const retryAfterMs = outcome.kind === "throttled" ? outcome.retryAfterMs : null;
      tally.trouble({ kind: trouble, index: item.index, epoch, retryAfterMs, probe });
    }
    if (probe) this.#host.hurry(0);
    else if (trouble !== null && this.#host.isCurrentEpoch(epoch)) this.#host.hurry(TROUBLE_WITHIN_MS);
  }

  async #conclude(task: OpenTask, item: Item, tries: Tries, outcome: TaskOutcome): Promise<void> {
    const { clock } = this.#host;
    const targetDown = this.#host.isTargetDown() || this.#seat.lastPermit?.probe === true;
    const { retry } = this.#host.settings().spec;
    const verdict = judge(outcome, tries, { retry, targetDown, random: clock.random() });
    switch (verdict.kind) {
      case "row":
        this.#settle(task, item, verdict.settled);
        return;
      case "again":
        this.#defer(item, verdict.tries, clock.now() + verdict.inMs, isDown(outcome) && !targetDown);
        return;
      case "unless-down":
        await this.#settleUnlessDown(task, item, tries, verdict.settled);
        return;
      case "unless-refused":
        this.#hold(item, tries, verdict.settled);
        return;
      default:
        verdict satisfies never;
    }
  }

  /** The last attempt ended down: the Run says whether the target is down for everybody. */
  async #settleUnlessDown(task: OpenTask, item: Item, tries: Tries, settled: Settled): Promise<void> {
    await this.#host.nextAnswer(0);
    if (this.#abort.signal.aborted) return;
    if (!this.#host.isTargetDown()) {
      this.#settle(task, item, settled);
      return;
    }
    // What `refund` gave back to the waiting item counts.
    const { attempts } = this.#progress.waiting.get(item.ordinal) ?? tries;
    const { baseDelayMs } = this.#host.settings().spec.retry;
    const dueMs = this.#host.clock.now() + baseDelayMs;
    this.#defer(item, { attempts, throttles: tries.throttles }, dueMs, false);
  }

  #settle(task: OpenTask, item: Item, settled: Settled): void {
    if (this.#writer.isAdopted(item.ordinal)) return;
    this.#writer.add(rowOf(item, settled, (text) => task.mask(text)));
    this.#progress.settle(item.ordinal);
  }

  #defer(item: Item, tries: Tries, dueMs: number, endedDown: boolean): void {
    if (this.#writer.isAdopted(item.ordinal)) return;
    const { ordinal, position } = item;
    const before = this.#progress.waiting.get(ordinal);
    const { answers } = this.#host.tally;
    const streak = before !== undefined && before.downsAtAnswers === answers ? before.downs : 0;
    this.#progress.wait({
      ordinal,
      position,
      attempts: tries.attempts,
      throttles: tries.throttles,
      dueMs,
      item: isSmall(item) ? item : null,
      downs: endedDown ? streak + 1 : streak,
      downsAtAnswers: answers,
    });
  }

  #hold(item: Item, tries: Tries, settled: Settled): void {
    if (this.#writer.isAdopted(item.ordinal)) return;
    this.#defer(item, tries, Number.POSITIVE_INFINITY, false);
    const { tally, clock } = this.#host;
    const held: Held = { item, settled, answers: tally.answers, epoch: null, sinceMs: clock.now() };
    this.#held.set(item.ordinal, held);
    this.#host.hold(1);
    void this.#host.nextAnswer(TROUBLE_WITHIN_MS).then(() => {
      held.epoch = this.#host.refused().epoch;
      this.#wake?.();
    });
  }

  /**
   * Makes rows of held items once a call was answered after them, here or elsewhere; at the chunk's end also when
   * nobody else was refused, or nothing was heard for long. True when one was settled.
   */
  #settleHeld(task: OpenTask, atEnd: boolean): boolean {
    const { epoch, streak, held } = this.#host.refused();
    const { tally, clock } = this.#host;
    let any = false;
    for (const [ordinal, one] of this.#held) {
      const answered = tally.answers > one.answers || (one.epoch !== null && epoch > one.epoch);
      const alone = one.epoch !== null && streak <= held;
      if (!answered && !(atEnd && (alone || clock.now() - one.sinceMs > STARVED_MS))) continue;
      this.#held.delete(ordinal);
      this.#host.hold(-1);
      this.#settle(task, one.item, one.settled);
      any = true;
    }
    return any;
  }

  /** Waits until the time is over or something changed. */
  async #pause(ms: number): Promise<void> {
    const { clock } = this.#host;
    this.#seat.idleUntil(clock.now() + ms);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      const cancel = clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = null;
  }
}

const NO_TRIES: Tries = { attempts: 0, throttles: 0 };

function troubleKind(outcome: TaskOutcome): "throttled" | "down" | "refused" | null {
  if (outcome.kind === "throttled") return "throttled";
  if (isDown(outcome)) return "down";
  return outcome.kind === "permanent" && outcome.refused === true ? "refused" : null;
}

function isSmall(item: Item): boolean {
  const { value } = item;
  return typeof value === "string" ? value.length <= KEEP_ITEM_CHARS : typeof value !== "object";
}
