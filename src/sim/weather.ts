/** The faults of a simulation as they come and go: off for good once it has cleared. */
import type { EventLoop } from "./eventLoop.ts";
import { FAIR_WEATHER, type FaultOptions, type Spell } from "./options.ts";
import type { Random } from "./random.ts";

export class Weather {
  readonly #loop: EventLoop;
  readonly #random: Random;
  #faults: FaultOptions;
  #isClear = false;

  constructor(loop: EventLoop, random: Random, faults: FaultOptions) {
    this.#loop = loop;
    this.#random = random;
    this.#faults = faults;
  }

  /** The faults in force. Clocks and distances stay as they are: they are not weather. */
  get faults(): FaultOptions {
    return this.#faults;
  }

  get isClear(): boolean {
    return this.#isClear;
  }

  /** From now on everything works. */
  clear(): void {
    this.#isClear = true;
    const { clockOffsetMs, clockDrift, clockLagMs, distanceMs } = this.#faults;
    this.#faults = { ...FAIR_WEATHER, clockOffsetMs, clockDrift, clockLagMs, distanceMs };
  }

  /** Does `act` again and again, with how long it lasts, until it clears. */
  every(spell: Spell | null, act: (dwellMs: number) => void): void {
    if (spell === null) return;
    this.#loop.after(this.#random.exponential(spell.everyMs), () => {
      if (this.#isClear) return;
      act(this.#random.next() * spell.dwellMs);
      this.every(spell, act);
    });
  }
}

/** Something that is away for a while, and refuses single calls besides. */
export class Availability {
  readonly #loop: EventLoop;
  readonly #weather: Weather;
  readonly #random: Random;
  #awayUntilMs = 0;

  constructor(loop: EventLoop, weather: Weather, random: Random, spell: Spell | null) {
    this.#loop = loop;
    this.#weather = weather;
    this.#random = random;
    weather.every(spell, (dwellMs) => {
      this.#awayUntilMs = loop.nowMs + dwellMs;
    });
  }

  refuses(probability: number): boolean {
    if (this.#weather.isClear) return false;
    return this.#loop.nowMs < this.#awayUntilMs || this.#random.chance(probability);
  }
}
