/**
 * One lane's place at the pacer: how the lane gets permits, and what the pacer knows of when it needs the next.
 *
 * Invariants: no permit is spent after the lane's deadline, after the run began to drain, under an older epoch,
 * before its instant or after its grace. A try that has already sent a request (a redirect on its way) may go on
 * taking permits while its lane is asked to stop; no new try may begin.
 */

import type { TokenCost } from "../../core/limiter/tokenQuota.ts";
import type { SettledCall, Told } from "../../core/protocol.ts";
import type { HostNeed, Permit, Permits } from "../../tasks/calls/permits.ts";
import { LaneStopped } from "../../tasks/task.ts";
import type { Instant, Ticket } from "./instants.ts";

/** What a seat needs of its pacer. */
export interface SeatHost {
  now(): number;
  /**
   * Resolves with an instant that is due, in order of arrival. Rejects with LaneStopped, with `need` also with
   * ItemNotDue, with `cost` also with CallTooDear.
   */
  wait(seat: Seat, signal: AbortSignal, need?: HostNeed, cost?: TokenCost): Promise<Instant>;
  isCurrent(instant: Instant, nowMs: number): boolean;
  readonly isCosted: boolean;
  /** A call leaves. True: closer behind the one before than permits lie apart. */
  used(seat: Seat, instant: Instant, nowMs: number): boolean;
  forfeited(instant: Instant): void;
  /** A call with a cost of its own is over. */
  settle(ticket: Ticket, end: Omit<SettledCall, "reserved">): void;
  /** The target said something of its own ledger. */
  hear(told: Told): void;
  ended(durationMs: number): void;
  /** An answer came: see `Permit.giveWay`. */
  giveWay(): Promise<void> | null;
  left(seat: Seat): void;
  /** Sends the seat's lane away from the queue unless a try is under way. */
  stop(seat: Seat): void;
  /** The lane needs permits sooner or later than it seemed. */
  changed(): void;
}

export class Seat implements Permits {
  readonly #host: SeatHost;
  readonly #deadlineMs: () => number;
  /** When the lane can start its next call: the past while it waits, Infinity while it needs none. */
  readyMs = Number.POSITIVE_INFINITY;
  waiting = false;
  /** Start of the last call, when the time until the next `take` is a turn. */
  turnFromMs: number | null = null;
  /** Calls the lane has left, the one under way among them. */
  readonly callsLeft: () => number;
  /** Set while the lane must not begin a try. */
  stopping = false;
  #lastPermit: Permit | null = null;
  #lastIsClose = false;
  #usedInTry = 0;
  /** The item of the try has waited for its turn already. */
  hasWaited = false;
  /** A try of the item has ended before. */
  isTried = false;
  /** Its lane may put the item back and take another. */
  #canSwap = false;
  #triedAtMs = Number.NEGATIVE_INFINITY;
  prefersNew = false;
  /** Of the try's calls, where permits have a cost of their own. */
  #tickets: Ticket[] = [];

  /** `deadlineMs` tells the end of the lane's lease on the local clock. */
  constructor(host: SeatHost, deadlineMs: () => number, callsLeft: () => number) {
    this.#host = host;
    this.#deadlineMs = deadlineMs;
    this.callsLeft = callsLeft;
  }

  /** A new try of an item begins; `hasWaited`: the item was deferred before. */
  beginTry(item: {
    readonly hasWaited: boolean;
    readonly isTried: boolean;
    readonly canSwap: boolean;
  }): void {
    this.hasWaited = item.hasWaited;
    this.isTried = item.isTried;
    this.#canSwap = item.canSwap;
    this.#usedInTry = 0;
    this.#lastPermit = null;
  }

  /** The try is over. Only its last request can have told what it used: `end` is its, the others' reservations stand. */
  endTry(end: Omit<SettledCall, "reserved">, told: Told | undefined): void {
    if (told !== undefined) this.#host.hear(told);
    const tickets = this.#tickets;
    this.#tickets = [];
    for (const [at, ticket] of tickets.entries()) {
      this.#host.settle(ticket, at === tickets.length - 1 ? end : { usage: null });
    }
  }

  /** The permit the try's last request left with; null when none left. */
  get lastPermit(): Permit | null {
    return this.#lastPermit;
  }

  /** The try's last request left closer behind the call before it than permits lie apart. */
  get lastIsClose(): boolean {
    return this.#lastIsClose;
  }

  /** When the try's first request left. */
  get triedAtMs(): number {
    return this.#triedAtMs;
  }

  get isCosted(): boolean {
    return this.#host.isCosted;
  }

  /** Its item is of the other kind, nothing of it has left, and its lane may take another. */
  canSwapTo(kind: "tried" | "untried"): boolean {
    return this.#canSwap && this.isTried !== (kind === "tried") && !this.midTry;
  }

  /** Whether its lane is to take a new item before those that are due; says so once. */
  takePrefersNew(): boolean {
    const prefersNew = this.prefersNew;
    this.prefersNew = false;
    return prefersNew;
  }

  get midTry(): boolean {
    return this.#usedInTry > 0;
  }

  /** The lane will make no call before then (Infinity: not until it says otherwise by taking a permit). */
  idleUntil(readyMs: number): void {
    this.readyMs = readyMs;
    this.turnFromMs = null;
    this.#host.changed();
  }

  leave(): void {
    this.#host.left(this);
  }

  /** No try may begin any more. */
  stop(): void {
    this.stopping = true;
    this.#host.stop(this);
  }

  async take(signal: AbortSignal, need?: HostNeed, cost?: TokenCost): Promise<Permit> {
    if (this.#host.now() >= this.#deadlineMs()) throw new LaneStopped();
    if (this.stopping && !this.midTry) throw new LaneStopped();
    return new SeatPermit(this.#host, this, await this.#host.wait(this, signal, need, cost));
  }

  /** Spends an instant; false (and forfeit) when it cannot be used any more. */
  spend(permit: Permit, instant: Instant, nowMs: number): boolean {
    const usable =
      this.#host.isCurrent(instant, nowMs) && nowMs < this.#deadlineMs() && (this.midTry || !this.stopping);
    if (!usable) {
      this.#host.forfeited(instant);
      return false;
    }
    if (instant.ticket !== undefined) this.#tickets.push(instant.ticket);
    if (this.#usedInTry === 0) this.#triedAtMs = nowMs;
    this.#usedInTry += 1;
    this.#lastPermit = permit;
    this.#lastIsClose = this.#host.used(this, instant, nowMs);
    return true;
  }
}

class SeatPermit implements Permit {
  readonly #host: SeatHost;
  readonly #seat: Seat;
  readonly #instant: Instant;
  #usedAtMs: number | null = null;
  #spent = false;

  constructor(host: SeatHost, seat: Seat, instant: Instant) {
    this.#host = host;
    this.#seat = seat;
    this.#instant = instant;
  }

  get epoch(): number {
    return this.#instant.epoch;
  }

  get probe(): boolean {
    return this.#instant.probe;
  }

  get need(): HostNeed | undefined {
    return this.#instant.need;
  }

  use(): boolean {
    if (this.#spent) return false;
    this.#spent = true;
    const nowMs = this.#host.now();
    if (!this.#seat.spend(this, this.#instant, nowMs)) return false;
    this.#usedAtMs = nowMs;
    return true;
  }

  giveWay(): Promise<void> | null {
    return this.#host.giveWay();
  }

  done(): void {
    if (this.#usedAtMs === null) return;
    this.#host.ended(this.#host.now() - this.#usedAtMs);
    this.#usedAtMs = null;
  }
}
