/**
 * One lane of the simulation: works one chunk under one lease by the rules of `lane/lane.ts`, with the real progress
 * and the real verdicts. Sources do not fail here, and credentials are always right.
 */
import { DEFERRED_PER_CHUNK, DEFERRED_WAIT_MS, TROUBLE_WITHIN_MS } from "../core/limits.ts";
import type { Lease } from "../core/protocol.ts";
import { restMs } from "../core/throttling.ts";
import { NO_TRIES, type Tries, triesOf } from "../core/tries.ts";
import type { Instant } from "../lane/instants.ts";
import { Progress } from "../lane/progress.ts";
import { isDown, judge } from "../lane/verdict.ts";
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
}

export class Lane {
  readonly fence: number;
  deadlineMs: number;
  readonly #host: Invocation;
  readonly #lease: Lease;
  readonly #seat: Seat;
  readonly #progress: Progress;
  readonly #writer: PartWriter;
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
  }

  *run(): Routine<void> {
    if (!this.#mustStop() && this.#lease.work.adopt) yield* this.#writer.adoptWritten();
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

  /** The target is down for everybody: tries that ended down since the last answered call are given back. */
  refund(): void {
    for (const waiting of this.#progress.waiting.values()) {
      if (waiting.downs === 0 || waiting.downsAtAnswers !== this.#host.tally.answers) continue;
      this.#progress.wait({ ...waiting, attempts: waiting.attempts - waiting.downs, downs: 0 });
    }
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
      this.#settle(ordinal, false);
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
      const outcome = yield* until(this.#leave(ordinal));
      return outcome === null ? null : { outcome, instant };
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

  #tell(ordinal: number, { outcome, instant }: Called): void {
    const { tally, exchange } = this.#host;
    const { epoch, probe } = instant;
    const kind = outcome.kind === "throttled" ? "throttled" : isDown(outcome) ? "down" : null;
    if (kind === null) tally.answer(probe);
    else {
      const retryAfterMs =
        outcome.kind === "throttled" ? restMs(outcome.retryAfterMs, this.#host.spec.retry) : null;
      tally.trouble({ kind, index: this.#indexOf(ordinal), epoch, retryAfterMs, probe });
    }
    if (probe) exchange.hurry(0);
    else if (kind !== null && epoch === this.#host.epoch) exchange.hurry(TROUBLE_WITHIN_MS);
  }

  *#conclude(ordinal: number, tries: Tries, { outcome, instant }: Called): Routine<void> {
    const { process, random, spec } = this.#host;
    const targetDown = this.#host.isTargetDown || instant.probe;
    const verdict = judge(outcome, tries, { retry: spec.retry, targetDown, random: random.next() });
    switch (verdict.kind) {
      case "row":
      case "unless-refused":
        this.#settle(ordinal, verdict.settled.result.ok);
        return;
      case "again":
        this.#defer(ordinal, verdict.tries, process.now() + verdict.inMs, isDown(outcome) && !targetDown);
        return;
      case "unless-down":
        yield* until(this.#host.exchange.nextAnswer(0));
        if (!this.#isLost) this.#settleUnlessDown(ordinal, tries);
        return;
      default:
        verdict satisfies never;
    }
  }

  #settleUnlessDown(ordinal: number, tries: Tries): void {
    if (!this.#host.isTargetDown) {
      this.#settle(ordinal, false);
      return;
    }
    const { attempts } = this.#progress.waiting.get(ordinal) ?? tries;
    const dueMs = this.#host.process.now() + this.#host.spec.retry.baseDelayMs;
    this.#defer(ordinal, { ...triesOf(tries), attempts }, dueMs, false);
  }

  #settle(ordinal: number, ok: boolean): void {
    if (this.#writer.isAdopted(ordinal)) return;
    this.#writer.add(this.#indexOf(ordinal), ok);
    this.#progress.settle(ordinal);
  }

  #defer(ordinal: number, tries: Tries, dueMs: number, endedDown: boolean): void {
    if (this.#writer.isAdopted(ordinal)) return;
    const before = this.#progress.waiting.get(ordinal);
    const { answers } = this.#host.tally;
    const streak = before !== undefined && before.downsAtAnswers === answers ? before.downs : 0;
    const downs = endedDown ? streak + 1 : streak;
    this.#progress.wait({
      ordinal,
      position: ordinal,
      ...triesOf(tries),
      dueMs,
      item: null,
      downs,
      downsAtAnswers: answers,
    });
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
