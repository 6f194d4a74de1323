/**
 * The pacer of a simulated invocation: the rules of `lane/permits/pacer.ts` over the same demand and the same instants, with
 * waits instead of promises.
 */
import { FREE_EARLY_MS, STARVED_MS } from "../core/limits.ts";
import type { Grant, Rounds, SyncAnswer } from "../core/protocol.ts";
import { Demand, type Standing } from "../lane/permits/demand.ts";
import { type Instant, Instants } from "../lane/permits/instants.ts";
import { type AnswerMoment, RunClock } from "../lane/permits/runClock.ts";
import type { Cancel } from "./eventLoop.ts";
import type { Process, Wait } from "./process.ts";

/** One lane's place: when it will need its next permit. */
export interface Seat {
  readyMs: number;
  waiting: boolean;
  isStopping: boolean;
  turnFromMs: number | null;
  readonly callsLeft: () => number;
}

interface Waiter {
  readonly seat: Seat;
  sinceMs: number;
  readonly fromMs: number;
  readonly resume: (instant: Instant | null) => void;
}

export interface PacerHost {
  /** `askAtMs` may have moved. */
  changed(): void;
  /** A lane waited so long, one emission interval being `everyMs`. */
  waited(ms: number, everyMs: number): void;
}

export class Pacer {
  readonly #process: Process;
  readonly #host: PacerHost;
  readonly #runClock = new RunClock();
  readonly #instants = new Instants();
  readonly #demand = new Demand();
  readonly #seats = new Set<Seat>();
  readonly #waiters = new Set<Waiter>();
  #phase: "asking" | "winding" | "drained" = "asking";
  #epoch = 0;
  #freeUntilMs = Number.NEGATIVE_INFINITY;
  #deferredUntilMs = Number.NEGATIVE_INFINITY;
  #cancelTimer: Cancel = () => {};
  #timerMs = Number.POSITIVE_INFINITY;

  constructor(process: Process, host: PacerHost) {
    this.#process = process;
    this.#host = host;
  }

  join(callsLeft: () => number): Seat {
    const seat = {
      callsLeft,
      readyMs: Number.POSITIVE_INFINITY,
      waiting: false,
      isStopping: false,
      turnFromMs: null,
    };
    this.#seats.add(seat);
    return seat;
  }

  leave(seat: Seat): void {
    this.#seats.delete(seat);
    this.stop(seat);
  }

  /** No try of this lane begins any more. */
  stop(seat: Seat): void {
    seat.isStopping = true;
    for (const waiter of [...this.#waiters]) if (waiter.seat === seat) this.#give(waiter, null);
  }

  idleUntil(seat: Seat, readyMs: number): void {
    seat.readyMs = readyMs;
    seat.turnFromMs = null;
    if (this.#instants.held === 0) this.#host.changed();
  }

  get hasSpare(): boolean {
    if (this.#phase === "asking") return true;
    return this.#phase === "winding" && this.#instants.held > this.#waiters.size;
  }

  askAtMs(): number {
    const nowMs = this.#process.now();
    if (this.#phase !== "asking" || this.#seats.size === 0) return Number.POSITIVE_INFINITY;
    if (this.#freeUntilMs > nowMs) return this.#freeUntilMs - FREE_EARLY_MS - this.#demand.roundTripMs;
    return Math.max(this.#demand.askAtMs(this.#standing(nowMs)), this.#deferredUntilMs);
  }

  want(): number {
    const nowMs = this.#process.now();
    if (this.#phase !== "asking") return 0;
    if (this.#freeUntilMs > nowMs) return this.#seats.size;
    return this.#demand.want(this.#standing(nowMs));
  }

  get leadMs(): number | undefined {
    return this.#runClock.leadMs;
  }

  /** What lanes can do with permits of further rounds; undefined: nothing. */
  rounds(): Rounds | undefined {
    if (this.#phase !== "asking") return undefined;
    return this.#demand.rounds(this.#standing(this.#process.now()));
  }

  takeForfeited(): number {
    this.#instants.nextMs(this.#process.now());
    const { forfeited, expired } = this.#instants.takeForfeited();
    this.#demand.sawExpired(expired);
    return forfeited;
  }

  apply(
    answer: SyncAnswer,
    at: { sentMs: number; receivedMs: number; isRepeated: boolean; want: number },
  ): void {
    const { grant } = answer;
    if (answer.epoch !== this.#epoch) {
      this.#epoch = answer.epoch;
      this.#instants.forfeitBefore(answer.epoch);
    }
    if (!at.isRepeated) this.#demand.sawRoundTrip(at.receivedMs - at.sentMs);
    const answered = this.#runClock.answered({ ...at, clockMs: answer.clockMs, epoch: answer.epoch });
    if (answer.kind === "drain") {
      this.drain();
      return;
    }
    if (grant.kind !== "free") this.#freeUntilMs = Number.NEGATIVE_INFINITY;
    if (grant.kind === "granted" && grant.count > 0) this.#add(grant, at.sentMs, answered);
    if (grant.kind === "free") this.#freeUntilMs = at.sentMs + grant.forMs;
    if (grant.kind === "deferred" && at.want > 0) this.#deferredUntilMs = at.receivedMs + grant.askAgainInMs;
    this.#release();
    this.#refuseStarved(answer.circuit === "open");
  }

  windDown(): void {
    if (this.#phase !== "asking") return;
    this.#phase = "winding";
    this.#freeUntilMs = Number.NEGATIVE_INFINITY;
    this.#refuseUnservable();
  }

  drain(): void {
    this.#phase = "drained";
    this.#freeUntilMs = Number.NEGATIVE_INFINITY;
    this.#instants.forfeitBefore(Number.POSITIVE_INFINITY);
    for (const waiter of [...this.#waiters]) this.#give(waiter, null);
    this.#setTimer(Number.POSITIVE_INFINITY);
  }

  /** The instant at which the lane's next call may leave; null: the lane has to stop. */
  take(seat: Seat, isOver: () => boolean): Wait<Instant | null> {
    return (resume) => {
      const nowMs = this.#process.now();
      if (isOver() || seat.isStopping || this.#phase === "drained") return resume(null);
      this.#arrive(seat, nowMs);
      const ready = this.#waiters.size === 0 ? this.#takeNow(nowMs) : null;
      if (ready !== null) return resume(ready);
      if (this.#phase === "winding" && !this.hasSpare) return resume(null);
      seat.waiting = true;
      this.#waiters.add({ seat, sinceMs: nowMs, fromMs: nowMs, resume });
      this.#armTimer(nowMs);
      if (this.#instants.held === 0) this.#host.changed();
    };
  }

  /** The instant is spent in this very step; false: it is forfeit. */
  use(seat: Seat, instant: Instant, isOver: boolean): boolean {
    const nowMs = this.#process.now();
    const isUsable =
      this.#phase !== "drained" &&
      instant.epoch >= this.#epoch &&
      nowMs <= instant.expiresMs &&
      !isOver &&
      !seat.isStopping;
    if (!isUsable) {
      this.#instants.forfeitOne();
      return false;
    }
    this.#demand.sawUse();
    seat.turnFromMs = nowMs;
    seat.readyMs = nowMs + this.#demand.turnMs;
    if (this.#instants.held === 0) this.#host.changed();
    return true;
  }

  #add(grant: Extract<Grant, { kind: "granted" }>, sentMs: number, answered: AnswerMoment): void {
    const { receivedMs } = answered;
    const lastMs = this.#instants.lastMs(receivedMs);
    const firstMs = this.#instants.add(grant, answered);
    this.#demand.sawGrant({ ...grant, sentMs, receivedMs, lastMs, firstMs });
  }

  #arrive(seat: Seat, nowMs: number): void {
    seat.readyMs = nowMs;
    if (seat.turnFromMs === null) return;
    this.#demand.sawTurn(nowMs - seat.turnFromMs, this.#seats.size);
    seat.turnFromMs = null;
  }

  #takeNow(nowMs: number): Instant | null {
    if (this.#freeUntilMs > nowMs)
      return { notBeforeMs: nowMs, expiresMs: this.#freeUntilMs, epoch: this.#epoch, probe: false };
    return this.#instants.takeDue(nowMs);
  }

  #give(waiter: Waiter, instant: Instant | null): void {
    this.#waiters.delete(waiter);
    waiter.seat.waiting = false;
    this.#host.waited(this.#process.now() - waiter.sinceMs, this.#demand.everyMs ?? 0);
    waiter.resume(instant);
  }

  #release(): void {
    const nowMs = this.#process.now();
    for (const waiter of this.#waiters) {
      const instant = this.#takeNow(nowMs);
      if (instant === null) break;
      this.#give(waiter, instant);
    }
    this.#armTimer(nowMs);
    if (this.#phase === "winding") this.#refuseUnservable();
    if (this.#instants.held === 0) this.#host.changed();
  }

  #armTimer(nowMs: number): void {
    const nextMs = this.#waiters.size === 0 ? null : this.#instants.nextMs(nowMs);
    this.#setTimer(nextMs ?? Number.POSITIVE_INFINITY);
  }

  #setTimer(atMs: number): void {
    if (atMs === this.#timerMs) return;
    this.#cancelTimer();
    this.#timerMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer = this.#process.after(atMs - this.#process.now(), () => {
      this.#timerMs = Number.POSITIVE_INFINITY;
      this.#release();
    });
  }

  #refuseUnservable(): void {
    for (const waiter of [...this.#waiters].slice(this.#instants.held)) this.#give(waiter, null);
  }

  #refuseStarved(allWait: boolean): void {
    const nowMs = this.#process.now();
    const longMs = Math.max(STARVED_MS, 3 * (this.#demand.everyMs ?? 0));
    for (const waiter of [...this.#waiters]) {
      if (allWait) waiter.sinceMs = nowMs;
      else if (nowMs - waiter.sinceMs > longMs) this.#give(waiter, null);
    }
  }

  #standing(nowMs: number): Standing {
    return { nowMs, seats: this.#seats, waiting: this.#waiters.size, instants: this.#instants };
  }
}
