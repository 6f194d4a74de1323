/**
 * A process of the simulated world: its clock, and everything that reaches it.
 *
 * Its clock has an offset and a drift of its own, stands still while the processor works, so it may lag, and may be set;
 * its timers are late. It can be frozen (everything that happens to it waits until it is let go, its clock goes on: a
 * stall of the event loop is a short one) and it can die (nothing happens to it any more, at once).
 */
import { type Clock, steadyClock } from "../lane/clock.ts";
import type { Cancel, EventLoop } from "./eventLoop.ts";
import type { Random } from "./random.ts";

export interface ProcessOptions {
  readonly offsetMs: number;
  /** Its clock gains this share of the time that passes. */
  readonly drift: number;
  /** How late the next timer is. */
  readonly timerLateMs: () => number;
  /** How long the processor works unseen by the clock before the next call leaves. */
  readonly lagMs: () => number;
  /** Readings go back where the clock is set back: a planted bug. */
  readonly isRaw?: boolean;
}

export class Process {
  readonly clock: Clock;
  readonly #loop: EventLoop;
  readonly #options: ProcessOptions;
  #isAlive = true;
  #frozenUntilMs = 0;
  #setByMs = 0;

  constructor(loop: EventLoop, random: Random, options: ProcessOptions) {
    this.#loop = loop;
    this.#options = options;
    const read = () => loop.nowMs * (1 + options.drift) + options.offsetMs + this.#setByMs;
    const timer = (ms: number, act: () => void) => this.after(ms, act);
    const steady = steadyClock({ read, timer, random: () => random.next() });
    this.clock = options.isRaw === true ? { ...steady, now: read, after: timer } : steady;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get lagMs(): number {
    return this.#options.lagMs();
  }

  kill(): void {
    this.#isAlive = false;
  }

  freeze(untilMs: number): void {
    this.#frozenUntilMs = Math.max(this.#frozenUntilMs, untilMs);
  }

  thaw(): void {
    this.#frozenUntilMs = 0;
  }

  /** Somebody sets the clock of its machine. */
  setClock(byMs: number): void {
    this.#setByMs += byMs;
  }

  /** A timer, in whole milliseconds: never early, usually a little late. */
  after(ms: number, act: () => void): Cancel {
    let isSet = true;
    const delayMs = Math.ceil(Math.max(0, ms)) / (1 + this.#options.drift) + this.#options.timerLateMs();
    const cancel = this.#loop.after(delayMs, () => this.deliver(() => isSet && act()));
    return () => {
      isSet = false;
      cancel();
    };
  }

  /** Something reaches the process: at once, when it is let go, or never. */
  deliver(act: () => void): void {
    if (!this.#isAlive) return;
    if (this.#frozenUntilMs > this.#loop.nowMs) this.#loop.at(this.#frozenUntilMs, () => this.deliver(act));
    else act();
  }

  /** Never resolves in a process that dies before. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }
}
