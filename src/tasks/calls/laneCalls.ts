/**
 * The calls of one lane that are under way, and what cuts them off: the lane has to stop, or their time is over.
 *
 * A lane makes one call after another, and one AbortController serves them until it was used: a new one for
 * every call, with its listeners, costs time and garbage.
 */
import { type LookFor, unknownReach } from "./reach.ts";
import { TimeLimits } from "./timeLimits.ts";

/** A call that can be cut off. */
export interface Cuttable {
  onStop(): void;
}

/** Cuts one call off. It knows what it did: to ask a controller for its signal, or that for its state, leaves the script. */
export class Cutter {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;
  #isSpent = false;

  get isSpent(): boolean {
    return this.#isSpent;
  }

  cut(reason: Error): void {
    this.#isSpent = true;
    this.#controller.abort(reason);
  }
}

export class LaneCalls {
  /** Ends when the lane has to stop. */
  readonly signal: AbortSignal;
  readonly limits: TimeLimits;
  /** Looks why a call had no answer. */
  readonly look: LookFor;
  readonly #calls = new Set<Cuttable>();
  #spare: Cutter | null = null;

  constructor(signal: AbortSignal, limits: TimeLimits, look: LookFor = unknownReach) {
    this.signal = signal;
    this.limits = limits;
    this.look = look;
    signal.addEventListener("abort", () => {
      for (const call of [...this.#calls]) call.onStop();
    });
  }

  began(call: Cuttable): void {
    this.#calls.add(call);
  }

  over(call: Cuttable): void {
    this.#calls.delete(call);
  }

  /** What no other call has, until `giveBack`. */
  takeCutter(): Cutter {
    const cutter = this.#spare ?? new Cutter();
    this.#spare = null;
    return cutter;
  }

  giveBack(cutter: Cutter): void {
    if (!cutter.isSpent) this.#spare = cutter;
  }
}

/** The lanes of one invocation, told apart by their signals. */
export class CallsOfLanes {
  readonly #limits = new TimeLimits();
  readonly #look: LookFor;
  readonly #lanes = new WeakMap<AbortSignal, LaneCalls>();

  constructor(look: LookFor = unknownReach) {
    this.#look = look;
  }

  of(signal: AbortSignal): LaneCalls {
    const known = this.#lanes.get(signal);
    if (known !== undefined) return known;
    const calls = new LaneCalls(signal, this.#limits, this.#look);
    this.#lanes.set(signal, calls);
    return calls;
  }
}
