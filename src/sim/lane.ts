/**
 * One lane of the simulation: works one chunk under one lease by the rules of `lane/lane.ts`, with the real progress
 * and the real verdicts. Sources do not fail here, and credentials are always right.
 */
import { DEFERRED_PER_CHUNK, DEFERRED_WAIT_MS, TROUBLE_WITHIN_MS } from "../core/limits.ts";
import type { Lease } from "../core/protocol.ts";
import { restMs } from "../core/throttling.ts";
import { NO_TRIES, type Tries } from "../core/tries.ts";
import type { Instant } from "../lane/instants.ts";
import { downOf, evidenceOf, settleOrWait } from "../lane/itemTry.ts";
import { Progress } from "../lane/progress.ts";
import { Settlement } from "../lane/settlement.ts";
import { isDown, judge } from "../lane/verdict.ts";
import type { Item } from "../sources/source.ts";
import type { TaskOutcome } from "../tasks/task.ts";
import type { Invocation } from "./invocation.ts";
import type { Seat } from "./pacer.ts";
import { PartWriter } from "./partWriter.ts";
import { type Routine, Signal, until, type Wait } from "./process.ts";

type Next =
  | { readonly kind: "item"; readonly ordinal: number; readonly tries: Tries }
  | { readonly kind: "pause"; readonly ms: number }
  | { readonly kind: "end" };

/** What a call ended with. */
interface Called {
  readonly outcome: TaskOutcome;
  readonly instant: Instant;
  readonly leftMs: number;
}

export class Lane {
  readonly fence: number;
  deadlineMs: number;
  readonly #host: Invocation;
  readonly #lease: Lease;
  readonly #seat: Seat;
  readonly #progress: Progress;
  readonly #writer: PartWriter;
  readonly #settlement: Settlement;
  readonly #wake = new Signal();
  #isLost = false;
  #cutCall: (() => void) | null = null;
  #nextStartMs = Number.NEGATIVE_INFINITY;

  constructor(host: Invocation, lease: Lease, deadlineMs: number) {
    this.fence = lease.fence;
    this.deadlineMs = deadlineMs;
    this.#host = host;
    this.#lease = lease;
    this.#progress = new Progress(lease.work.checkpoint, host.process.now());
    this.#seat = host.pacer.join(
      () => lease.work.count - this.#progress.cursor + this.#progress.waiting.size,
    );
    this.#writer = new PartWriter({
      process: host.process,
      random: host.random,
      storage: host.world.storage,
      spec: host.spec,
      fence: lease.fence,
      work: lease.work,
      progress: this.#progress,
      isLost: () => this.#isLost,
      lose: () => this.abandon(),
      commit: (commit, withinMs) => host.exchange.commit(commit, withinMs),
      indexed: (chunk, n) => host.exchange.indexed(chunk, n),
      background: (work) => host.background(work),
    });
    this.#settlement = new Settlement(host.settling, this.#progress, {
      isAdopted: (ordinal) => this.#writer.isAdopted(ordinal),
      add: ({ index, ok }) => this.#writer.add(index, ok),
    });
  }

  *run(): Routine<void> {
    if (!this.#mustStop() && this.#lease.work.adopt) yield* this.#writer.adoptWritten();
    if (this.#host.isTargetDown) this.refund();
    yield* this.#workItems();
    this.#host.pacer.leave(this.#seat);
    if (!this.#isLost) yield* this.#writer.handBack(null);
    this.#isLost = true;
  }

  stop(): void {
    this.#host.pacer.stop(this.#seat);
    this.#wake.fire();
  }

  /** The lease is over or lost: no call goes on, nothing is written. */
  abandon(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#cutCall?.();
    this.stop();
  }

  look(): void {
    this.#writer.cutIfDue();
    if (this.#host.isEnding) this.#wake.fire();
  }

  refund(): void {
    this.#settlement.refund();
  }

  *#workItems(): Routine<void> {
    for (;;) {
      if (this.#mustStop() || this.#writer.trouble !== null) return;
      this.#writer.cutIfDue();
      if (this.#writer.isFull) {
        this.#host.pacer.idleUntil(this.#seat, Number.POSITIVE_INFINITY);
        this.#host.exchange.hurry(0);
        yield* this.#writer.settle();
        continue;
      }
      const next = this.#next();
      if (next.kind === "end") return;
      if (next.kind === "pause") yield* this.#pause(next.ms);
      else if (!(yield* this.#work(next.ordinal, next.tries))) return;
    }
  }

  #mustStop(): boolean {
    return this.#isLost || this.#seat.isStopping || !this.#host.pacer.hasSpare;
  }

  #next(): Next {
    const { waiting } = this.#progress;
    const due = waiting.size === 0 ? null : this.#progress.firstDue();
    const nowMs = this.#host.process.now();
    if (due !== null && due.dueMs <= nowMs) return { kind: "item", ordinal: due.ordinal, tries: due };
    const isAtEnd = this.#progress.cursor >= this.#lease.work.count;
    if (!isAtEnd && waiting.size < DEFERRED_PER_CHUNK)
      return { kind: "item", ordinal: this.#progress.cursor, tries: NO_TRIES };
    if (due === null || this.#host.isEnding || due.dueMs - nowMs > DEFERRED_WAIT_MS) return { kind: "end" };
    return { kind: "pause", ms: due.dueMs - nowMs };
  }

  /** One try of one item. False: the lane cannot go on. */
  *#work(ordinal: number, tries: Tries): Routine<boolean> {
    if (this.#lease.work.condemned?.includes(ordinal) === true) {
      this.#writer.add(this.#indexOf(ordinal), false);
      this.#progress.settle(ordinal);
      return true;
    }
    if (!(yield* this.#pace())) return false;
    if (this.#lease.work.careful) yield* until(this.#host.exchange.announce(this.fence, ordinal));
    if (this.#mustStop()) return false;
    const called = yield* this.#call(ordinal);
    if (called === null || this.#isLost) return false;
    this.#tell(ordinal, called);
    yield* this.#conclude(ordinal, tries, called);
    if (this.#lease.work.careful) yield* this.#writer.commitNow();
    return true;
  }

  *#pace(): Routine<boolean> {
    const { minIntervalMs, jitterMs } = this.#host.spec.pacing;
    if (minIntervalMs === 0 && jitterMs === 0) return true;
    const { process, random } = this.#host;
    while (process.now() < this.#nextStartMs) {
      if (this.#mustStop() || this.#host.isEnding) return false;
      yield* this.#pause(this.#nextStartMs - process.now());
    }
    this.#nextStartMs = process.now() + minIntervalMs + jitterMs * random.next();
    return true;
  }

  /** Null: no outcome, the item stays where it was. */
  *#call(ordinal: number): Routine<Called | null> {
    for (;;) {
      const instant = yield* until(this.#host.pacer.take(this.#seat, () => this.#isOver()));
      if (instant === null) return null;
      if (!this.#host.pacer.use(this.#seat, instant, this.#isOver())) {
        if (this.#isOver()) return null;
        continue;
      }
      const leftMs = this.#host.process.now();
      const outcome = yield* until(this.#leave(ordinal));
      return outcome === null ? null : { outcome, instant, leftMs };
    }
  }

  #isOver(): boolean {
    return this.#isLost || this.#host.process.now() >= this.deadlineMs;
  }

  #leave(ordinal: number): Wait<TaskOutcome | null> {
    return (resume) => {
      const { tally, process } = this.#host;
      const startedMs = process.now();
      tally.callLeft();
      const end = (outcome: TaskOutcome | null): void => {
        this.#cutCall = null;
        tally.callEnded(process.now() - startedMs);
        resume(outcome);
      };
      const cut = this.#host.world.call(this.#host, this.#indexOf(ordinal), end);
      this.#cutCall = () => {
        cut();
        end(null);
      };
    };
  }

  #tell(ordinal: number, { outcome, instant, leftMs }: Called): void {
    const { tally, exchange, process } = this.#host;
    const { epoch, probe } = instant;
    const kind = outcome.kind === "throttled" ? "throttled" : isDown(outcome) ? "down" : null;
    if (kind === null) tally.answer(probe, leftMs, process.now());
    else {
      const retryAfterMs =
        outcome.kind === "throttled" ? restMs(outcome.retryAfterMs, this.#host.spec.retry) : null;
      const evidence = kind === "down" ? evidenceOf(this.#settlement, [{ ordinal }], outcome) : {};
      tally.trouble({ kind, index: this.#indexOf(ordinal), epoch, retryAfterMs, probe, ...evidence });
    }
    if (probe) exchange.hurry(0);
    else if (kind !== null && epoch === this.#host.epoch) exchange.hurry(TROUBLE_WITHIN_MS);
  }

  *#conclude(ordinal: number, tries: Tries, { outcome, instant }: Called): Routine<void> {
    const { process, random, spec } = this.#host;
    const targetDown = this.#host.isTargetDown || instant.probe;
    const isSuspect = this.#settlement.isSuspect(ordinal);
    const verdict = judge(outcome, tries, {
      retry: spec.retry,
      targetDown,
      isSuspect,
      random: random.next(),
    });
    const item = this.#itemAt(ordinal);
    switch (verdict.kind) {
      case "row":
      case "unless-refused":
        this.#settlement.settle(item, verdict.settled, String);
        return;
      case "again": {
        const down = downOf(outcome, tries, verdict.tries);
        this.#settlement.defer(item, verdict.tries, process.now() + verdict.inMs, down);
        return;
      }
      case "unless-down": {
        const failedAtMs = process.now();
        yield* until(this.#host.exchange.nextAnswer(0));
        if (this.#isLost) return;
        const of = { settlement: this.#settlement, progress: this.#progress, task: { mask: String } };
        const host = this.#host.settling;
        settleOrWait({ ...of, host }, { item, tries, outcome, failedAtMs }, verdict);
        return;
      }
      default:
        verdict satisfies never;
    }
  }

  #itemAt(ordinal: number): Item {
    return { ordinal, index: this.#indexOf(ordinal), position: ordinal, value: ordinal };
  }

  *#pause(ms: number): Routine<void> {
    this.#host.pacer.idleUntil(this.#seat, this.#host.process.now() + ms);
    yield* until<void>((resume) => {
      let isOver = false;
      const once = (): void => {
        if (isOver) return;
        isOver = true;
        cancel();
        resume();
      };
      const cancel = this.#host.process.after(ms, once);
      this.#wake.wait(once);
    });
  }

  #indexOf(ordinal: number): number {
    return this.#lease.work.first + ordinal;
  }
}
