/** The faults of a simulation as they come and go: off for good once it has cleared. */
import type { EventLoop } from "./eventLoop.ts";
import { type FaultOptions, type FaultWindow, NO_FAULTS } from "./options.ts";
import type { Random } from "./random.ts";

export class Faults {
  readonly #loop: EventLoop;
  readonly #random: Random;
  #now: FaultOptions;
  #areOver = false;

  constructor(loop: EventLoop, random: Random, options: FaultOptions) {
    this.#loop = loop;
    this.#random = random;
    this.#now = options;
  }

  /** The faults in force. Clocks and distances stay as they are: they are no faults. */
  get now(): FaultOptions {
    return this.#now;
  }

  get areOver(): boolean {
    return this.#areOver;
  }

  /** From now on everything works. */
  end(): void {
    this.#areOver = true;
    const { clockOffsetMs, clockDrift, clockLagMs, distanceMs } = this.#now;
    this.#now = { ...NO_FAULTS, clockOffsetMs, clockDrift, clockLagMs, distanceMs };
  }

  /** Does `act` again and again, with how long it lasts, until faults end. */
  every(window: FaultWindow | null, act: (dwellMs: number) => void): void {
    if (window === null) return;
    this.#loop.after(this.#random.exponential(window.everyMs), () => {
      if (this.#areOver) return;
      act(this.#random.next() * window.dwellMs);
      this.every(window, act);
    });
  }
}

/** Something that is away for a while, and refuses single calls besides. */
export class Availability {
  readonly #loop: EventLoop;
  readonly #faults: Faults;
  readonly #random: Random;
  #awayUntilMs = 0;

  constructor(loop: EventLoop, faults: Faults, random: Random, window: FaultWindow | null) {
    this.#loop = loop;
    this.#faults = faults;
    this.#random = random;
    faults.every(window, (dwellMs) => {
      this.#awayUntilMs = loop.nowMs + dwellMs;
    });
  }

  refuses(probability: number): boolean {
    if (this.#faults.areOver) return false;
    return this.#loop.nowMs < this.#awayUntilMs || this.#random.chance(probability);
  }
}
