/**
 * A process of the simulated world: its clock, its timers, and the routines that run in it.
 *
 * Its clock has an offset and a drift of its own and stands still while the processor works, so it may lag; its
 * timers are late. It can be frozen (everything that happens to it waits until it is let go, its clock goes on) and
 * it can die (nothing happens to it any more, at once).
 *
 * A routine is a generator that yields what it waits for: code that reads like the asynchronous code it models and
 * still runs synchronously, in an order that only the event loop decides.
 */
import type { Cancel, EventLoop } from "./eventLoop.ts";

/** Something to wait for: calls `resume` once, now or later. */
export type Wait<T> = (resume: (value: T) => void) => void;
export type Routine<T> = Generator<Wait<unknown>, T, unknown>;

/** Waits inside a routine: `const answer = yield* until(call(…))`. */
export function* until<T>(wait: Wait<T>): Routine<T> {
  return (yield wait) as T;
}

export interface ProcessOptions {
  readonly offsetMs: number;
  /** Its clock gains this share of the time that passes. */
  readonly drift: number;
  /** How late the next timer is. */
  readonly timerLateMs: () => number;
  /** How long the processor works unseen by the clock before the next call leaves. */
  readonly lagMs: () => number;
}

export class Process {
  readonly loop: EventLoop;
  readonly options: ProcessOptions;
  #isAlive = true;
  #frozenUntilMs = 0;

  constructor(loop: EventLoop, options: ProcessOptions) {
    this.loop = loop;
    this.options = options;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Its own clock: comparing two of them is always wrong. */
  now(): number {
    return this.loop.nowMs * (1 + this.options.drift) + this.options.offsetMs;
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

  /** A timer: never early, usually a little late. */
  after(ms: number, act: () => void): Cancel {
    const delayMs = Math.max(0, ms) / (1 + this.options.drift) + this.options.timerLateMs();
    return this.loop.after(Math.ceil(delayMs * 16) / 16, () => this.deliver(act));
  }

  /** Something reaches the process: at once, when it is let go, or never. */
  deliver(act: () => void): void {
    if (!this.#isAlive) return;
    if (this.#frozenUntilMs > this.loop.nowMs) this.loop.at(this.#frozenUntilMs, () => this.deliver(act));
    else act();
  }

  sleep(ms: number): Wait<void> {
    return (resume) => this.after(ms, () => resume());
  }

  /** Runs a routine in this process; `done` hears of its end unless the process dies first. */
  spawn(routine: Routine<void>, done: () => void = () => {}): void {
    const step = (value: unknown): void => {
      if (!this.#isAlive) return;
      const { done: isDone, value: wait } = routine.next(value);
      if (isDone) done();
      else wait((result) => this.deliver(() => this.loop.soon(() => step(result))));
    };
    this.loop.soon(() => step(undefined));
  }
}

/** Somebody waits for something to change; every `fire` wakes all who wait at that moment. */
export class Signal {
  #waiting: (() => void)[] = [];

  readonly wait: Wait<void> = (resume) => {
    this.#waiting.push(() => resume());
  };

  fire(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }
}
