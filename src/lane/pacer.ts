/**
 * The pacer: shared by the lanes of one invocation, it decides how many permits to ask for and when, and lets each
 * call go at its instant.
 *
 * Lanes wait in order of arrival; one timer is set for the next instant that somebody waits for. A timer that is
 * late releases every instant whose grace is not over. What it does not do: talk to the Run (`exchange.ts`), or
 * know what a call is for.
 */
import { GRACE_MS, LEAD_MS, PERMITS_PER_ASK, STARVED_MS } from "../core/limits.ts";
import { askAt, type Estimate, observeDuration, usableInstants } from "../core/pacing.ts";
import type { SyncAnswer } from "../core/protocol.ts";
import { LaneStopped } from "../tasks/task.ts";
import type { Clock } from "./clock.ts";
import { type Instant, Instants } from "./instants.ts";
import type { Tally } from "./report.ts";
import { Seat, type SeatHost } from "./seat.ts";

/** Permits may wait for a lane that is late by this share of the grace; the rest absorbs late timers. */
const SLACK_MOST = 0.45;
const SLACK_FIRST = 0.3;
/** A permit used in time allows a little more slack, one forfeited takes back 200 times that: 0.5 % are lost. */
const SLACK_PER_USE = 0.0002;
const SLACK_PER_FORFEIT = 0.04;
/** Others' instants stand between ours by more than this: the quota is what limits the run. */
const PRESSED_MS = 8;
/** While the quota is not the limit: lateness a permit is asked for, share of the grace, and instants that may be lost. */
const SLACK_UNPRESSED = 0.6;
const FILL_UNPRESSED = 0.9;
/** How long a lane may wait for others to join its request, as a share of a turn, and its bounds. */
const GATHER_SHARE = 0.05;
const GATHER_LEAST_MS = 5;
const GATHER_MOST_MS = 50;
/** Beyond the round trip: timers are late by this. */
const TIMER_MARGIN_MS = 3;
/** Free calls are asked for again this long before they end, plus a round trip. */
const FREE_EARLY_MS = 100;
const WEIGHT = 1 / 16;

interface Waiter {
  readonly seat: Seat;
  sinceMs: number;
  readonly give: (instant: Instant) => void;
  readonly refuse: () => void;
}

export class Pacer implements SeatHost {
  readonly #clock: Clock;
  readonly #tally: Tally;
  readonly #onChange: () => void;
  readonly #instants = new Instants();
  readonly #seats = new Set<Seat>();
  readonly #waiters = new Set<Waiter>();
  #phase: "asking" | "winding" | "drained" = "asking";
  #epoch = 0;
  #freeUntilMs = Number.NEGATIVE_INFINITY;
  #deferredUntilMs = Number.NEGATIVE_INFINITY;
  /** When nothing could be used at the time of a question: look again then. */
  #snoozedUntilMs = Number.NEGATIVE_INFINITY;
  #everyMs: number | null = null;
  #graceMs = GRACE_MS;
  #slack = SLACK_FIRST;
  /** From the sending of a request to the first instant it brought: the last two. */
  #aheadMs: readonly [number, number] = [0, 0];
  #gapMs = 0;
  /** Others' instants between ours, smoothed. */
  #pressureMs = 0;
  #turn: Estimate | null = null;
  #roundTrip: Estimate | null = null;
  #cancelTimer: (() => void) | null = null;
  #timerMs = Number.POSITIVE_INFINITY;

  /** `onChange`: `askAtMs` may have moved. */
  constructor(clock: Clock, tally: Tally, onChange: () => void) {
    this.#clock = clock;
    this.#tally = tally;
    this.#onChange = onChange;
  }

  // --- for lanes ---

  /** A place for one lane; `deadlineMs` is the end of its lease on the local clock. */
  join(deadlineMs: () => number): Seat {
    const seat = new Seat(this, deadlineMs);
    this.#seats.add(seat);
    return seat;
  }

  /** True while a lane of a winding invocation may still begin a try. */
  get hasSpare(): boolean {
    if (this.#phase === "asking") return true;
    return this.#phase === "winding" && this.#instants.held > this.#waiters.size;
  }

  // --- for the exchange ---

  /** When to ask for permits; Infinity: not needed. */
  askAtMs(): number {
    const nowMs = this.#clock.now();
    if (this.#phase !== "asking") return this.#anyMidTry() ? nowMs : Number.POSITIVE_INFINITY;
    if (this.#seats.size === 0) return Number.POSITIVE_INFINITY;
    if (this.#freeUntilMs > nowMs) return this.#freeUntilMs - FREE_EARLY_MS - this.#roundTripMs();
    const isServed = !this.#isPressed && this.#waiters.size === 0;
    if (isServed) return Number.POSITIVE_INFINITY;
    const atMs = askAt({
      lastHeldMs: this.#instants.lastMs(nowMs),
      nextReadyMs: this.#nextReadyMs(nowMs),
      roundTripMs: this.#roundTripMs(),
      aheadMs: Math.max(this.#roundTripMs(), Math.min(...this.#aheadMs)),
      gapMs: this.#gapMs,
      gatherMs: this.#gatherMs(),
    });
    return Math.max(atMs, this.#deferredUntilMs, this.#snoozedUntilMs);
  }

  /** Permits to ask for now, 0 for none. */
  want(): number {
    const nowMs = this.#clock.now();
    if (this.#phase === "drained") return 0;
    if (this.#phase === "winding") return this.#anyMidTry() ? 1 : 0;
    if (this.#freeUntilMs > nowMs) return this.#seats.size;
    const want = this.#everyMs === null ? this.#waiters.size : this.#usable(nowMs, this.#everyMs);
    if (want === 0) this.#snoozedUntilMs = nowMs + this.#gatherMs();
    return want;
  }

  /** Permits forfeited since the last call. */
  takeForfeited(): number {
    this.#instants.nextMs(this.#clock.now());
    const { forfeited, expired } = this.#instants.takeForfeited();
    if (this.#isPressed) this.#slack = Math.max(-1, this.#slack - Math.min(expired * SLACK_PER_FORFEIT, 0.2));
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
    if (!at.repeated)
      this.#roundTrip = observeDuration(this.#roundTrip, at.receivedMs - at.sentMs, 2 * WEIGHT);
    const granted = { ...at, clockMs: answer.clockMs, epoch: answer.epoch };
    this.#instants.observe(granted);
    if (answer.kind === "drain") {
      this.drain();
      return;
    }
    if (grant.kind !== "free") this.#freeUntilMs = Number.NEGATIVE_INFINITY;
    switch (grant.kind) {
      case "granted":
        if (grant.count > 0) this.#addGrant(grant, granted);
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
  }

  /** The invocation winds down: lanes use what is held and take nothing new. */
  windDown(): void {
    if (this.#phase !== "asking") return;
    this.#phase = "winding";
    this.#freeUntilMs = Number.NEGATIVE_INFINITY;
    this.#refuseUnservable();
  }

  /** No further call: what is held is forfeit, who waits is sent away. */
  drain(): void {
    this.#phase = "drained";
    this.#freeUntilMs = Number.NEGATIVE_INFINITY;
    this.#instants.forfeitBefore(Number.POSITIVE_INFINITY);
    for (const waiter of [...this.#waiters]) waiter.refuse();
    this.#setTimer(Number.POSITIVE_INFINITY);
  }

  stop(seat: Seat): void {
    for (const waiter of [...this.#waiters]) {
      if (waiter.seat === seat && !seat.midTry) waiter.refuse();
    }
  }

  // --- for seats ---

  now(): number {
    return this.#clock.now();
  }

  wait(seat: Seat, signal: AbortSignal): Promise<Instant> {
    if (signal.aborted || this.#phase === "drained") return Promise.reject(new LaneStopped());
    const nowMs = this.#clock.now();
    this.#arrive(seat, nowMs);
    const ready = this.#waiters.size === 0 ? this.#takeNow(nowMs) : null;
    if (ready !== null) return Promise.resolve(ready);
    if (this.#phase === "winding" && !this.hasSpare && !seat.midTry) return Promise.reject(new LaneStopped());
    return this.#enqueue(seat, nowMs, signal);
  }

  isCurrent(instant: Instant, nowMs: number): boolean {
    return this.#phase !== "drained" && instant.epoch >= this.#epoch && nowMs <= instant.expiresMs;
  }

  used(seat: Seat, nowMs: number): void {
    this.#tally.callLeft();
    this.#slack = Math.min(SLACK_MOST, this.#slack + SLACK_PER_USE);
    seat.turnFromMs = nowMs;
    seat.readyMs = nowMs + (this.#turn?.meanMs ?? Number.POSITIVE_INFINITY);
    if (this.#instants.held === 0) this.#onChange();
  }

  forfeited(): void {
    this.#instants.forfeitOne();
  }

  ended(durationMs: number): void {
    this.#tally.callEnded(durationMs);
  }

  left(seat: Seat): void {
    this.#seats.delete(seat);
    this.stop(seat);
  }

  changed(): void {
    if (this.#instants.held === 0) this.#onChange();
  }

  // --- inside ---

  #addGrant(
    grant: Extract<SyncAnswer["grant"], { kind: "granted" }>,
    at: { sentMs: number; receivedMs: number; clockMs: number | undefined; epoch: number },
  ): void {
    const lastMs = this.#instants.lastMs(at.receivedMs) ?? Number.NEGATIVE_INFINITY;
    const firstMs = this.#instants.add(grant, at);
    this.#graceMs = grant.graceMs;
    this.#snoozedUntilMs = Number.NEGATIVE_INFINITY;
    if (grant.probe) return;
    this.#everyMs = grant.everyMs;
    this.#aheadMs = [this.#aheadMs[1], firstMs - at.sentMs];
    const gapMs = firstMs - grant.everyMs - Math.max(lastMs, at.receivedMs);
    this.#gapMs = Math.max(0, gapMs) / 2;
    this.#pressureMs += (Math.max(0, gapMs) - this.#pressureMs) / 4;
  }

  /** The lane asks for a permit: the time since its last call is one turn. */
  #arrive(seat: Seat, nowMs: number): void {
    seat.readyMs = nowMs;
    if (seat.turnFromMs === null) return;
    this.#turn = observeDuration(this.#turn, nowMs - seat.turnFromMs, WEIGHT);
    seat.turnFromMs = null;
  }

  #takeNow(nowMs: number): Instant | null {
    if (this.#freeUntilMs > nowMs)
      return { notBeforeMs: nowMs, expiresMs: this.#freeUntilMs, epoch: this.#epoch, probe: false };
    return this.#instants.takeDue(nowMs);
  }

  #enqueue(seat: Seat, nowMs: number, signal: AbortSignal): Promise<Instant> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(waiter);
        seat.waiting = false;
        signal.removeEventListener("abort", waiter.refuse);
      };
      const waiter: Waiter = {
        seat,
        sinceMs: nowMs,
        give: (instant) => {
          leave();
          resolve(instant);
        },
        refuse: () => {
          leave();
          reject(new LaneStopped());
        },
      };
      signal.addEventListener("abort", waiter.refuse);
      seat.waiting = true;
      this.#waiters.add(waiter);
      this.#armTimer(nowMs);
      this.#onChange();
    });
  }

  /** Gives every due instant to who waits longest; sets the timer for the next. */
  #release(): void {
    const nowMs = this.#clock.now();
    for (const waiter of this.#waiters) {
      const instant = this.#takeNow(nowMs);
      if (instant === null) break;
      waiter.give(instant);
    }
    this.#armTimer(nowMs);
    if (this.#phase === "winding") this.#refuseUnservable();
    if (this.#instants.held === 0) this.#onChange();
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
    const longMs = Math.max(STARVED_MS, 3 * (this.#everyMs ?? 0));
    for (const waiter of [...this.#waiters]) {
      if (allWait) waiter.sinceMs = nowMs;
      else if (nowMs - waiter.sinceMs > longMs) waiter.refuse();
    }
  }

  get #isPressed(): boolean {
    return this.#pressureMs > PRESSED_MS;
  }

  #usable(nowMs: number, everyMs: number): number {
    const turnMs = this.#turn?.meanMs ?? LEAD_MS;
    const afterHeldMs = (this.#instants.lastMs(nowMs) ?? Number.NEGATIVE_INFINITY) + everyMs;
    const aheadMs = Math.max(this.#roundTrip?.meanMs ?? 0, Math.min(...this.#aheadMs));
    return usableInstants({
      readyMs: this.#isPressed ? this.#foreseen(nowMs) : this.#spread(nowMs, turnMs),
      heldMs: this.#instants.all(),
      firstMs: Math.max(nowMs + aheadMs, afterHeldMs),
      everyMs,
      turnMs,
      slackMs: (this.#isPressed ? this.#slack : SLACK_UNPRESSED) * this.#graceMs,
      horizonMs: LEAD_MS,
      most: PERMITS_PER_ASK,
      fill: this.#isPressed ? 1 : FILL_UNPRESSED,
    });
  }

  /** When each lane will be ready, by how long a turn takes: lanes that started together end together. */
  #foreseen(nowMs: number): number[] {
    const readyMs: number[] = [];
    for (const seat of this.#seats) {
      const ms = this.#readyMs(seat, nowMs);
      if (ms !== Number.POSITIVE_INFINITY) readyMs.push(ms);
    }
    return readyMs;
  }

  /** The same when lanes run apart from each other: those in a call end evenly spread over a turn. */
  #spread(nowMs: number, turnMs: number): number[] {
    const readyMs: number[] = [];
    let calling = 0;
    for (const seat of this.#seats) {
      if (seat.waiting) readyMs.push(seat.readyMs);
      else if (seat.readyMs !== Number.POSITIVE_INFINITY) calling++;
    }
    const lanes = readyMs.length + calling;
    for (let nth = 1; nth <= calling; nth++) readyMs.push(nowMs + (nth * turnMs) / lanes);
    return readyMs;
  }

  /** When the lane can start its next call; a call that takes longer than usual ends any moment. */
  #readyMs(seat: Seat, nowMs: number): number {
    if (seat.waiting || seat.readyMs > nowMs) return seat.readyMs;
    return nowMs + (this.#turn?.spreadMs ?? 0) / 2;
  }

  /** When the first lane will wait; while the quota is not the limit, only lanes that do wait count. */
  #nextReadyMs(nowMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    if (!this.#isPressed) {
      for (const waiter of this.#waiters) next = Math.min(next, waiter.seat.readyMs);
      return next;
    }
    for (const seat of this.#seats) next = Math.min(next, this.#readyMs(seat, nowMs));
    return next;
  }

  #anyMidTry(): boolean {
    for (const waiter of this.#waiters) if (waiter.seat.midTry) return true;
    return false;
  }

  #roundTripMs(): number {
    const { meanMs, spreadMs } = this.#roundTrip ?? { meanMs: 0, spreadMs: 0 };
    return Math.min(meanMs + 2 * spreadMs + TIMER_MARGIN_MS, LEAD_MS);
  }

  #gatherMs(): number {
    const shareMs = (this.#turn?.meanMs ?? 0) * GATHER_SHARE;
    return Math.min(Math.max(shareMs, GATHER_LEAST_MS), GATHER_MOST_MS);
  }
}
