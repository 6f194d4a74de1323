/**
 * One sequential stream of calls of the simulation, a lane's or a side lane's: its seat at the pacer, its pacing, and
 * one try of one item by the rules of `lane/items/itemTry.ts`, with the real verdicts.
 */

import { restMs } from "../core/answer/throttling.ts";
import { TROUBLE_WITHIN_MS } from "../core/limits.ts";
import type { ChunkWork } from "../core/protocol.ts";
import type { Tries } from "../core/tries.ts";
import { downOf, evidenceOf, settleOrWait } from "../lane/items/itemTry.ts";
import type { Progress } from "../lane/items/progress.ts";
import type { Settlement } from "../lane/items/settlement.ts";
import { isDown, isUnreached, judge } from "../lane/items/verdict.ts";
import type { Instant } from "../lane/permits/instants.ts";
import type { Item } from "../sources/source.ts";
import type { TaskOutcome } from "../tasks/task.ts";
import type { Invocation } from "./invocation.ts";
import type { Seat } from "./pacer.ts";
import type { PartWriter } from "./partWriter.ts";
import { type Routine, Signal, until, type Wait } from "./process.ts";

/** The chunk whose items it works on, and what its lane keeps of it. */
export interface Chunk {
  readonly work: ChunkWork;
  readonly progress: Progress;
  readonly settlement: Settlement;
  readonly writer: PartWriter;
}

/** What a call ended with. */
interface Called {
  readonly outcome: TaskOutcome;
  readonly instant: Instant;
  readonly leftMs: number;
}

export class Stream {
  readonly fence: number;
  readonly #host: Invocation;
  readonly #seat: Seat;
  readonly #deadlineMs: () => number;
  readonly #wake = new Signal();
  #isLost = false;
  #cutCall: (() => void) | null = null;
  #nextStartMs = Number.NEGATIVE_INFINITY;

  constructor(
    host: Invocation,
    of: { readonly fence: number; readonly deadlineMs: () => number; readonly callsLeft: () => number },
  ) {
    this.fence = of.fence;
    this.#host = host;
    this.#deadlineMs = of.deadlineMs;
    this.#seat = host.pacer.join(of.callsLeft);
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  get isStopping(): boolean {
    return this.#seat.isStopping;
  }

  /** No try may be begun. */
  get mustStop(): boolean {
    return this.#isLost || this.#seat.isStopping || !this.#host.pacer.hasSpare;
  }

  /** It makes no call any more. */
  leave(): void {
    this.#host.pacer.leave(this.#seat);
  }

  stop(): void {
    this.#host.pacer.stop(this.#seat);
    this.#wake.fire();
  }

  /** The lease is over or lost: no call goes on. */
  abandon(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#cutCall?.();
    this.stop();
  }

  wake(): void {
    this.#wake.fire();
  }

  idleUntil(readyMs: number): void {
    this.#host.pacer.idleUntil(this.#seat, readyMs);
  }

  /** Waits so long, or until woken. */
  *pause(ms: number): Routine<void> {
    this.idleUntil(this.#host.process.now() + ms);
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

  /** One try of one item. False: there was no outcome, and it cannot go on. */
  *work(chunk: Chunk, ordinal: number, tries: Tries): Routine<boolean> {
    const { work, writer, progress } = chunk;
    if (work.condemned?.includes(ordinal) === true) {
      writer.add(work.first + ordinal, false);
      progress.settle(ordinal);
      return true;
    }
    if (!(yield* this.#pace())) return false;
    if (work.careful) yield* until(this.#host.exchange.announce(this.fence, ordinal));
    if (this.mustStop) return false;
    const called = yield* this.#call(work.first + ordinal);
    if (called === null || this.#isLost) return false;
    this.#tell(chunk, ordinal, called);
    yield* this.#conclude(chunk, ordinal, tries, called);
    if (work.careful) yield* writer.commitNow();
    return true;
  }

  *#pace(): Routine<boolean> {
    const { minIntervalMs, jitterMs } = this.#host.spec.pacing;
    if (minIntervalMs === 0 && jitterMs === 0) return true;
    const { process, random } = this.#host;
    while (process.now() < this.#nextStartMs) {
      if (this.mustStop || this.#host.isEnding) return false;
      yield* this.pause(this.#nextStartMs - process.now());
    }
    this.#nextStartMs = process.now() + minIntervalMs + jitterMs * random.next();
    return true;
  }

  /** Null: no outcome, the item stays where it was. */
  *#call(index: number): Routine<Called | null> {
    for (;;) {
      const instant = yield* until(this.#host.pacer.take(this.#seat, () => this.#isOver()));
      if (instant === null) return null;
      if (!this.#host.pacer.use(this.#seat, instant, this.#isOver())) {
        if (this.#isOver()) return null;
        continue;
      }
      const leftMs = this.#host.process.now();
      const outcome = yield* until(this.#leave(index));
      return outcome === null ? null : { outcome, instant, leftMs };
    }
  }

  #isOver(): boolean {
    return this.#isLost || this.#host.process.now() >= this.#deadlineMs();
  }

  #leave(index: number): Wait<TaskOutcome | null> {
    return (resume) => {
      const { tally, process } = this.#host;
      const startedMs = process.now();
      tally.callLeft();
      const end = (outcome: TaskOutcome | null): void => {
        this.#cutCall = null;
        tally.callEnded(process.now() - startedMs);
        resume(outcome);
      };
      const cut = this.#host.world.call(this.#host, index, end);
      this.#cutCall = () => {
        cut();
        end(null);
      };
    };
  }

  #tell({ work, settlement }: Chunk, ordinal: number, { outcome, instant, leftMs }: Called): void {
    const { tally, exchange, process } = this.#host;
    const { epoch, probe } = instant;
    const kind = outcome.kind === "throttled" ? "throttled" : isDown(outcome) ? "down" : null;
    if (kind === null) tally.answer(probe, leftMs, process.now());
    else {
      const retryAfterMs =
        outcome.kind === "throttled" ? restMs(outcome.retryAfterMs, this.#host.spec.retry) : null;
      const evidence =
        kind === "down" ? evidenceOf(settlement, [{ ordinal }], isUnreached(outcome, true)) : {};
      tally.trouble({ kind, index: work.first + ordinal, epoch, retryAfterMs, probe, ...evidence });
    }
    if (probe) exchange.hurry(0);
    else if (kind !== null && epoch === this.#host.epoch) exchange.hurry(TROUBLE_WITHIN_MS);
  }

  *#conclude(
    { work, progress, settlement }: Chunk,
    ordinal: number,
    before: Tries,
    { outcome, instant }: Called,
  ): Routine<void> {
    const { process, random, spec } = this.#host;
    const targetDown = this.#host.isTargetDown || instant.probe;
    const isSuspect = settlement.isSuspect(ordinal);
    // What was given back to the item meanwhile counts.
    const tries = progress.waiting.get(ordinal) ?? before;
    const verdict = judge(outcome, tries, {
      retry: spec.retry,
      targetDown,
      isSuspect,
      wasReached: true,
      random: random.next(),
    });
    const item: Item = { ordinal, index: work.first + ordinal, position: ordinal, value: ordinal };
    switch (verdict.kind) {
      case "row":
      case "unless-refused":
        settlement.settle(item, verdict.settled, String);
        return;
      case "again": {
        const down = downOf(outcome, tries, verdict.tries);
        settlement.defer(item, verdict.tries, process.now() + verdict.inMs, down);
        return;
      }
      case "unless-down": {
        const failedAtMs = process.now();
        yield* until(this.#host.exchange.nextAnswer(0));
        if (this.#isLost) return;
        const context = { settlement, progress, task: { mask: String }, host: this.#host.settling };
        settleOrWait(context, { item, tries, outcome, failedAtMs }, verdict);
        return;
      }
      default:
        verdict satisfies never;
    }
  }
}
