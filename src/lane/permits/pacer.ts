/**
 * The pacer: shared by the lanes of one invocation, it holds their permits and lets each call go at its instant.
 *
 * Lanes wait in order of arrival; one timer is set for the next instant that somebody waits for. After a pause every
 * instant goes whose time is not over, which is earlier for that pause (`lateness.ts`, `evenness.ts`), in portions
 * (`rightOfWay.ts`). What it does not do: decide how many permits are needed (`demand.ts`), talk to the Run
 * (`exchange.ts`), or know what a call is for.
 */

import type { TokenCost } from "../../core/limiter/tokenQuota.ts";
import { FREE_EARLY_MS, STARVED_MS, SYNC_RIDE_MS } from "../../core/limits.ts";
import type { CostedAsk, Rounds, SettledCall, SyncAnswer, Told } from "../../core/protocol.ts";
import type { HostNeed } from "../../tasks/calls/permits.ts";
import { ItemNotDue, LaneStopped } from "../../tasks/task.ts";
import type { Clock } from "../clock.ts";
import type { Tally } from "../report.ts";
import { CostedPermits } from "./costedPermits.ts";
import { Demand, type Standing } from "./demand.ts";
import { HostLine } from "./hostLine.ts";
import { type Instant, Instants, type Ticket } from "./instants.ts";
import { LoopLateness } from "./lateness.ts";
import { ProbeSwap, type ProbeTaker } from "./probeSwap.ts";
import { isPause, RightOfWay } from "./rightOfWay.ts";
import { type AnswerMoment, RunClock } from "./runClock.ts";
import { Seat, type SeatHost } from "./seat.ts";

/** A call that says nothing of tokens. */
const NO_TOKENS: TokenCost = { input: 0, output: 0 };

interface Waiter extends ProbeTaker {
  readonly seat: Seat;
  readonly signal: AbortSignal;
  sinceMs: number;
  readonly refuse: () => void;
}

export class Pacer implements SeatHost {
  readonly #clock: Clock;
  readonly #tally: Tally;
  readonly #onChange: () => void;
  readonly #runClock = new RunClock();
  readonly #instants = new Instants();
  /** Lanes that wait for a host. */
  readonly hosts: HostLine;
  readonly #demand = new Demand();
  readonly #seats = new Set<Seat>();
  readonly #waiters = new Set<Waiter>();
  readonly #heeded = new WeakSet<AbortSignal>();
  /** Null where permits have no cost of their own. */
  #costed: CostedPermits | null = null;
  #phase: "asking" | "winding" | "drained" = "asking";
  #epoch = 0;
  /** When the last call left. */
  #usedMs = Number.NEGATIVE_INFINITY;
  #freeUntilMs = Number.NEGATIVE_INFINITY;
  #deferredUntilMs = Number.NEGATIVE_INFINITY;
  readonly #probes = new ProbeSwap();
  #cancelTimer: (() => void) | null = null;
  #timerMs = Number.POSITIVE_INFINITY;
  readonly #lateness = new LoopLateness();
  readonly #rightOfWay: RightOfWay;

  /** `onChange`: `askAtMs` may have moved. `hurry`: a request has to leave within so many ms. */
  constructor(clock: Clock, tally: Tally, onChange: () => void, hurry: (ms: number) => void) {
    this.#clock = clock;
    this.#rightOfWay = new RightOfWay(clock);
    this.hosts = new HostLine(clock, hurry);
    this.#tally = tally;
    this.#onChange = onChange;
  }

  // --- for lanes ---

  /** A place for one lane; `deadlineMs` is the end of its lease on the local clock, `callsLeft` its calls with the one under way. */
  join(deadlineMs: () => number, callsLeft: () => number): Seat {
    const seat = new Seat(this, deadlineMs, callsLeft);
    this.#seats.add(seat);
    return seat;
  }

  /** True while a lane of a winding invocation may still begin a try. */
  get hasSpare(): boolean {
    if (this.#phase === "asking") return true;
    return this.#phase === "winding" && this.#instants.held > this.#waiters.size;
  }

  // --- for the exchange ---

  /** From now on permits have a cost of their own, or have none. Who waits is sent away to ask anew. */
  setCosted(isCosted: boolean): void {
    if (isCosted === (this.#costed !== null)) return;
    this.#costed?.refuseWithoutPermit();
    this.#costed = isCosted ? new CostedPermits(this.#clock, this.#onChange) : null;
    for (const waiter of [...this.#waiters]) if (!waiter.seat.midTry) waiter.refuse();
  }

  /** What a request says of calls with a cost of their own; called once for every request that leaves. */
  takeCosted(): CostedAsk | undefined {
    return this.#costed?.take();
  }

  /** When to ask for permits; Infinity: not needed. */
  askAtMs(): number {
    const nowMs = this.#clock.now();
    if (this.#costed !== null) {
      return this.#phase === "drained" ? Number.POSITIVE_INFINITY : this.#costed.askAtMs();
    }
    if (this.#phase !== "asking") return this.#anyMidTry() ? nowMs : Number.POSITIVE_INFINITY;
    if (this.#seats.size === 0) return Number.POSITIVE_INFINITY;
    if (this.#freeUntilMs > nowMs) return this.#freeUntilMs - FREE_EARLY_MS - this.#demand.roundTripMs;
    return Math.max(this.#demand.askAtMs(this.#standing(nowMs)), this.#deferredUntilMs);
  }

  /** Permits to ask for now, 0 for none. */
  want(): number {
    const nowMs = this.#clock.now();
    if (this.#phase === "drained") return 0;
    if (this.#costed !== null) return this.#costed.askAtMs() <= nowMs + SYNC_RIDE_MS ? 1 : 0;
    if (this.#phase === "winding") return this.#anyMidTry() ? 1 : 0;
    if (this.#freeUntilMs > nowMs) return this.#seats.size;
    return this.#demand.want(this.#standing(nowMs));
  }

  /** Answers take so long that permits must lie this far ahead; undefined: they do not. */
  get leadMs(): number | undefined {
    return this.#runClock.leadMs;
  }

  /** What lanes can do with permits of further rounds; undefined: nothing. */
  rounds(): Rounds | undefined {
    if (this.#phase !== "asking") return undefined;
    return this.#demand.rounds(this.#standing(this.#clock.now()));
  }

  /** Permits forfeited since the last call. */
  takeForfeited(): number {
    this.#instants.nextMs(this.#clock.now());
    const { forfeited, expired } = this.#instants.takeForfeited();
    this.#demand.sawExpired(expired);
    return forfeited;
  }

  /** Takes in an answer. `sentMs`: when its request first left; `want`: what that asked for. */
  apply(
    answer: SyncAnswer,
    at: { sentMs: number; receivedMs: number; repeated: boolean; want: number },
  ): void {
    const { grant } = answer;
    if (answer.epoch !== this.#epoch) {
      this.#epoch = answer.epoch;
      this.#instants.forfeitBefore(answer.epoch);
    }
    if (!at.repeated) this.#demand.sawRoundTrip(at.receivedMs - at.sentMs);
    const answered = this.#runClock.answered({
      ...at,
      clockMs: answer.clockMs,
      epoch: answer.epoch,
      timesSet: this.#clock.timesSet?.() ?? 0,
    });
    this.hosts.apply(answer.hosts, answered);
    this.#costed?.apply(answer.costed, answered);
    if (answer.kind === "drain") {
      this.drain();
      return;
    }
    if (grant.kind !== "free") this.#freeUntilMs = Number.NEGATIVE_INFINITY;
    switch (grant.kind) {
      case "granted":
        if (grant.count > 0) this.#addGrant(grant, at.sentMs, answered);
        break;
      case "free":
        this.#freeUntilMs = at.sentMs + grant.forMs;
        break;
      case "deferred":
        if (at.want > 0) this.#deferredUntilMs = at.receivedMs + grant.askAgainInMs;
        break;
      default:
        grant satisfies never;
    }
    this.#release();
    this.#refuseStarved(answer.circuit === "open");
    this.hosts.refuseStarved(answer.circuit === "open");
  }

  /** The invocation winds down: lanes use what is held and take nothing new. */
  windDown(): void {
    if (this.#phase !== "asking") return;
    this.#phase = "winding";
    this.#freeUntilMs = Number.NEGATIVE_INFINITY;
    this.#refuseUnservable();
    this.hosts.windDown();
    this.#costed?.refuseWithoutPermit();
  }

  /** No further call: what is held is forfeit, who waits is sent away. */
  drain(): void {
    this.#phase = "drained";
    this.#freeUntilMs = Number.NEGATIVE_INFINITY;
    this.#instants.forfeitBefore(Number.POSITIVE_INFINITY);
    for (const waiter of [...this.#waiters]) waiter.refuse();
    this.hosts.stop(null);
    this.#costed?.refuseAll();
    this.#setTimer(Number.POSITIVE_INFINITY);
  }

  stop(seat: Seat): void {
    for (const waiter of [...this.#waiters]) {
      if (waiter.seat === seat && !seat.midTry) waiter.refuse();
    }
    this.hosts.stop(seat);
    this.#costed?.stop(seat);
  }

  // --- for seats ---

  get isCosted(): boolean {
    return this.#costed !== null;
  }

  now(): number {
    return this.#clock.now();
  }

  wait(seat: Seat, signal: AbortSignal, need?: HostNeed, cost?: TokenCost): Promise<Instant> {
    if (signal.aborted || this.#phase === "drained") return Promise.reject(new LaneStopped());
    const nowMs = this.#clock.now();
    if (need !== undefined) return this.#waitForHost(seat, signal, need);
    this.#arrive(seat, nowMs);
    if (this.#costed !== null) {
      const isOver = this.#phase === "winding" && !seat.midTry;
      return isOver ? Promise.reject(new LaneStopped()) : this.#costed.wait(seat, cost ?? NO_TOKENS, signal);
    }
    const ready = this.#takeProbe(nowMs) ?? (this.#waiters.size === 0 ? this.#takeNow(nowMs) : null);
    if (ready !== null) return Promise.resolve(ready);
    if (this.#phase === "winding" && !this.hasSpare && !seat.midTry) return Promise.reject(new LaneStopped());
    return this.#enqueue(seat, nowMs, signal);
  }

  isCurrent(instant: Instant, nowMs: number): boolean {
    return this.#phase !== "drained" && instant.epoch >= this.#epoch && nowMs <= instant.expiresMs;
  }

  used(seat: Seat, instant: Instant, nowMs: number): boolean {
    if (instant.ticket !== undefined) this.#costed?.used(instant.ticket);
    const isClose = nowMs - this.#usedMs < (this.#demand.everyMs ?? 0);
    this.#usedMs = nowMs;
    this.#tally.callLeft(isClose);
    // What lanes will need for hosts nobody foresees.
    if (instant.need !== undefined) return isClose;
    this.#demand.sawUse();
    seat.turnFromMs = nowMs;
    seat.readyMs = nowMs + this.#demand.turnMs;
    if (this.#instants.held === 0) this.#onChange();
    return isClose;
  }

  forfeited(instant: Instant): void {
    if (instant.ticket === undefined) this.#instants.forfeitOne();
    else this.#costed?.forfeit(instant.ticket);
  }

  settle(ticket: Ticket, end: Omit<SettledCall, "reserved">): void {
    this.#costed?.settle(ticket, end);
  }

  hear(told: Told): void {
    this.#costed?.hear(told);
  }

  ended(durationMs: number): void {
    this.#tally.callEnded(durationMs);
  }

  giveWay(): Promise<void> | null {
    const nowMs = this.#clock.now();
    // An answer may be what the loop sees first after a pause.
    if (this.#rightOfWay.passing === null && isPause(this.#lateMs(nowMs) ?? 0)) this.#release();
    return this.#rightOfWay.passing;
  }

  left(seat: Seat): void {
    this.#seats.delete(seat);
    this.stop(seat);
  }

  changed(): void {
    if (this.#instants.held === 0) this.#onChange();
  }

  // --- inside ---

  #waitForHost(seat: Seat, signal: AbortSignal, need: HostNeed): Promise<Instant> {
    seat.readyMs = Number.POSITIVE_INFINITY;
    seat.turnFromMs = null;
    if (this.#phase === "winding" && !seat.midTry) return Promise.reject(new LaneStopped());
    return this.hosts.wait(seat, need, signal);
  }

  #addGrant(
    grant: Extract<SyncAnswer["grant"], { kind: "granted" }>,
    sentMs: number,
    answered: AnswerMoment,
  ): void {
    const { receivedMs } = answered;
    const lastMs = this.#instants.lastMs(receivedMs);
    const firstMs = this.#instants.add(grant, answered);
    this.#demand.sawGrant({ ...grant, sentMs, receivedMs, lastMs, firstMs });
  }

  #standing(nowMs: number): Standing {
    return { nowMs, seats: this.#seats, waiting: this.#waiters.size, instants: this.#instants };
  }

  /** The lane asks for a permit: the time since its last call is one turn. */
  #arrive(seat: Seat, nowMs: number): void {
    seat.readyMs = nowMs;
    if (seat.turnFromMs === null) return;
    this.#demand.sawTurn(nowMs - seat.turnFromMs, this.#seats.size);
    seat.turnFromMs = null;
  }

  #takeNow(nowMs: number): Instant | null {
    if (this.#freeUntilMs > nowMs)
      return { notBeforeMs: nowMs, expiresMs: this.#freeUntilMs, epoch: this.#epoch, probe: false };
    return this.#instants.takeDue(nowMs, this.#lateness.at(nowMs));
  }

  #enqueue(seat: Seat, nowMs: number, signal: AbortSignal): Promise<Instant> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(waiter);
        seat.waiting = false;
      };
      const waiter: Waiter = {
        seat,
        signal,
        sinceMs: nowMs,
        give: (instant) => {
          leave();
          resolve(instant);
        },
        refuse: () => {
          leave();
          reject(new LaneStopped());
        },
        swap: () => {
          leave();
          reject(new ItemNotDue(0));
        },
      };
      this.#heed(signal);
      seat.waiting = true;
      this.#waiters.add(waiter);
      this.#armTimer(nowMs);
      this.#onChange();
    });
  }

  /** Who waits goes when its signal ends. Listened for once: to add and remove a listener costs more than the wait. */
  #heed(signal: AbortSignal): void {
    if (this.#heeded.has(signal)) return;
    this.#heeded.add(signal);
    signal.addEventListener("abort", () => {
      for (const waiter of [...this.#waiters]) if (waiter.signal === signal) waiter.refuse();
    });
  }

  /** Gives due instants to who waits longest; sets the timer for the next, which after a pause may be due too. */
  #release(): void {
    const nowMs = this.#clock.now();
    const lateMs = this.#lateMs(nowMs);
    if (lateMs !== null) this.#lateness.saw(lateMs, nowMs);
    let left = this.#rightOfWay.portion(lateMs ?? 0, () =>
      this.#instants.due(nowMs, this.#lateness.at(nowMs)),
    );
    for (const waiter of this.#waiters) {
      const instant = left === 0 ? null : this.#takeNow(nowMs);
      if (instant === null) break;
      left -= 1;
      if (instant.probe) this.#probes.give(instant, waiter, [...this.#waiters]);
      else waiter.give(instant);
    }
    // The next portion's timer goes before the one that answers wait for.
    this.#armTimer(nowMs);
    if (lateMs !== null) this.#rightOfWay.letGo(lateMs);
    if (this.#phase === "winding") this.#refuseUnservable();
    if (this.#instants.held === 0) this.#onChange();
  }

  /** The probe that was kept for who comes next; null: there is none. */
  #takeProbe(nowMs: number): Instant | null {
    const probe = this.#probes.take();
    if (probe === null || this.isCurrent(probe, nowMs)) return probe;
    this.#instants.forfeitOne();
    return null;
  }

  /** For how long a permit has been due for which a lane waits; null: none is. */
  #lateMs(nowMs: number): number | null {
    const dueMs = this.#waiters.size === 0 ? null : this.#instants.dueSinceMs(nowMs);
    if (dueMs === null) return null;
    const [first] = this.#waiters;
    return nowMs - Math.max(dueMs, first?.sinceMs ?? dueMs);
  }

  #armTimer(nowMs: number): void {
    const nextMs = this.#waiters.size === 0 ? null : this.#instants.nextMs(nowMs);
    this.#setTimer(nextMs ?? Number.POSITIVE_INFINITY);
  }

  #setTimer(atMs: number): void {
    if (atMs === this.#timerMs) return;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#timerMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer = this.#clock.after(atMs - this.#clock.now(), () => {
      this.#timerMs = Number.POSITIVE_INFINITY;
      this.#cancelTimer = null;
      this.#release();
    });
  }

  /** Winding down: lanes for which no instant is held go, the last ones first. */
  #refuseUnservable(): void {
    const waiting = [...this.#waiters].filter((waiter) => !waiter.seat.midTry);
    for (const waiter of waiting.slice(this.#instants.held)) waiter.refuse();
  }

  /**
   * Lanes without a permit for too long give their chunk back: others have use for it. While the whole run waits
   * for its target nobody has.
   */
  #refuseStarved(allWait: boolean): void {
    const nowMs = this.#clock.now();
    const longMs = Math.max(STARVED_MS, 3 * (this.#demand.everyMs ?? 0));
    for (const waiter of [...this.#waiters]) {
      if (allWait) waiter.sinceMs = nowMs;
      else if (nowMs - waiter.sinceMs > longMs) waiter.refuse();
    }
  }

  #anyMidTry(): boolean {
    for (const waiter of this.#waiters) if (waiter.seat.midTry) return true;
    return false;
  }
}
