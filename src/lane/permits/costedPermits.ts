/**
 * Permits with a cost of their own: each waiting call is told to the Run by number, and granted, refused or left
 * waiting by number.
 *
 * Invariants: a ticket is held from its grant until it is settled, and every ticket is settled exactly once: with
 * what its call used, or as unused. While a call waits every request carries it, so a lost or restarted Run
 * hears of it again. Whose turn it is, is the Run's to say (`core/limiter/costed.ts`); what is forfeit is asked for anew.
 */

import type { TokenCost } from "../../core/limiter/tokenQuota.ts";
import type { CostedAnswer, CostedAsk, SettledCall, Told } from "../../core/protocol.ts";
import { CallTooDear, LaneStopped } from "../../tasks/task.ts";
import type { Clock } from "../clock.ts";
import type { Instant, Ticket } from "./instants.ts";
import { type AnswerMoment, usableMs } from "./runClock.ts";
import type { Seat } from "./seat.ts";

/** A call that waits, for its permit or for its permit's instant. */
interface Waiter {
  readonly seat: Seat;
  readonly cost: TokenCost;
  readonly give: (instant: Instant) => void;
  readonly refuse: (reason: Error) => void;
  /** The permit it waits with; null: none yet. */
  instant: Instant | null;
}

export class CostedPermits {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #waiters = new Map<number, Waiter>();
  /** Tickets whose calls are under way or about to leave. */
  readonly #open = new Map<number, Ticket>();
  readonly #unused = new Set<number>();
  #settled: SettledCall[] = [];
  #told: Told | null = null;
  #nextCall = 1;
  #askAtMs = Number.POSITIVE_INFINITY;

  /** `onChange`: `askAtMs` may have moved. */
  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** When to ask; Infinity: nobody waits for a permit. */
  askAtMs(): number {
    return this.#isAnyWaiting() ? this.#askAtMs : Number.POSITIVE_INFINITY;
  }

  /** Resolves when the permit's instant has come. Rejects with LaneStopped or CallTooDear. */
  wait(seat: Seat, cost: TokenCost, signal: AbortSignal): Promise<Instant> {
    const call = this.#nextCall++;
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(call);
        seat.waiting = false;
        signal.removeEventListener("abort", stop);
      };
      const refuse = (reason: Error) => {
        leave();
        reject(reason);
      };
      const stop = () => this.#giveUp(call);
      const give = (instant: Instant) => {
        leave();
        resolve(instant);
      };
      signal.addEventListener("abort", stop);
      seat.waiting = true;
      this.#waiters.set(call, { seat, cost, give, refuse, instant: null });
      this.#askAtMs = Math.min(this.#askAtMs, this.#clock.now());
      this.#onChange();
    });
  }

  /** What the next request says; called once for every request that leaves. */
  take(): CostedAsk {
    const waiting = [...this.#waiters]
      .filter(([, waiter]) => waiter.instant === null)
      .map(([call, { cost }]) => ({ call, ...cost }));
    let tokens = 0;
    for (const ticket of this.#open.values()) tokens += ticket.cost;
    const ask = {
      waiting,
      held: { calls: this.#unused.size, tokens },
      settled: this.#settled,
      told: this.#told,
    };
    this.#settled = [];
    this.#told = null;
    this.#askAtMs = Number.POSITIVE_INFINITY;
    return ask;
  }

  /** Takes in an answer. */
  apply(answer: CostedAnswer | undefined, at: AnswerMoment): void {
    if (answer === undefined) return;
    for (const { call, message } of answer.impossible) {
      this.#waiters.get(call)?.refuse(new CallTooDear(message));
    }
    for (const granted of answer.granted) this.#grant(granted, answer.graceMs, at);
    if (this.#isAnyWaiting()) this.#askAtMs = at.receivedMs + answer.askAgainInMs;
  }

  /** The call's permit could not be used. */
  forfeit(ticket: Ticket): void {
    this.#settle(ticket, { reserved: ticket.cost, usage: null, unused: true });
  }

  /** The permit was used: its call has left. */
  used(ticket: Ticket): void {
    this.#unused.delete(ticket.call);
  }

  /** The call is over. */
  settle(ticket: Ticket, end: Omit<SettledCall, "reserved">): void {
    this.#settle(ticket, { reserved: ticket.cost, ...end });
  }

  /** The target said something of its own ledger: the latest word counts. */
  hear(told: Told): void {
    this.#told = told;
  }

  /** Winding down: who holds no permit goes. */
  refuseWithoutPermit(): void {
    for (const [call, waiter] of [...this.#waiters]) {
      if (waiter.instant === null && !waiter.seat.midTry) this.#giveUp(call);
    }
  }

  /** No further call. */
  refuseAll(): void {
    for (const call of [...this.#waiters.keys()]) this.#giveUp(call);
  }

  /** The seat's lane begins no try any more. */
  stop(seat: Seat): void {
    for (const [call, waiter] of [...this.#waiters]) {
      if (waiter.seat === seat && !seat.midTry) this.#giveUp(call);
    }
  }

  #isAnyWaiting(): boolean {
    for (const waiter of this.#waiters.values()) if (waiter.instant === null) return true;
    return false;
  }

  #grant(granted: CostedAnswer["granted"][number], graceMs: number, at: AnswerMoment): void {
    const { call, cost, probe } = granted;
    const ticket: Ticket = { call, cost };
    this.#open.set(call, ticket);
    this.#unused.add(call);
    const waiter = this.#waiters.get(call);
    if (waiter === undefined) {
      this.forfeit(ticket);
      return;
    }
    const { leastMs, mostMs } = at;
    const notBeforeMs = mostMs + granted.inMs;
    const expiresMs = notBeforeMs + usableMs(graceMs, mostMs - leastMs);
    const instant: Instant = { notBeforeMs, expiresMs, epoch: at.epoch, probe, ticket };
    waiter.instant = instant;
    this.#clock.after(Math.max(0, notBeforeMs - this.#clock.now()), () => {
      if (waiter.instant === instant && this.#waiters.get(call) === waiter) waiter.give(instant);
    });
  }

  #giveUp(call: number): void {
    const waiter = this.#waiters.get(call);
    if (waiter === undefined) return;
    if (waiter.instant?.ticket !== undefined) this.forfeit(waiter.instant.ticket);
    waiter.refuse(new LaneStopped());
  }

  #settle(ticket: Ticket, settled: SettledCall): void {
    if (!this.#open.delete(ticket.call)) return;
    this.#unused.delete(ticket.call);
    this.#settled.push(settled);
  }
}
