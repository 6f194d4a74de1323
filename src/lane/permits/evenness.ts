/**
 * How much of the rate an invocation gives up to be even: the later calls may leave after a pause of the event loop,
 * the more of them leave together, and the sooner a permit is given up, the more of the rate is lost.
 *
 * Permits are given up early as long as no more than `COST` of the time is lost, for whatever reason. A machine whose
 * pauses are short loses less than that and holds the tighter bound; one whose pauses are long would lose more, and has
 * the looser. One that loses more than `COST` and `BEYOND` hardly keeps up, and has all of the time that a permit is
 * usable: what it has not done yet when the next pause comes would be lost as well. Everything is counted in time at the
 * invocation's own rate, so that it is the same at every rate.
 */

/** What a late loop takes off the time in which an instant is usable: its share at most, while losses are few. */
const MOST_SHARE = 0.6;
/** While more than `COST` is lost; while more than `BEYOND` is besides, nothing. */
const LOOSER_SHARE = 0.36;
/** Share of the rate that evenness may cost. */
const COST = 0.004;
/** What is lost beyond `COST` and this is not the price of evenness: the loop hardly keeps up. */
const BEYOND = 0.01;
/** From one bound to the next: the loss of so much. Back again takes 1 / `COST` (1 / `BEYOND`) times as long. */
const CREDIT_MS = 40;
/** Of one moment no more counts: what a long one loses, no bound would have saved. */
const MOST_OF_ONE_MS = 10;

export class Evenness {
  readonly #credit = new Credit(COST);
  readonly #reserve = new Credit(BEYOND);

  /** A permit for `everyMs` of the rate was handed out. */
  handedOut(everyMs: number): void {
    this.#credit.earn(everyMs);
    this.#reserve.earn(everyMs);
  }

  /** Permits for so much of the rate ran out at once, for whatever reason: what is lost otherwise is not there to spend. */
  lost(ms: number): void {
    this.#reserve.spend(this.#credit.spend(Math.min(ms, MOST_OF_ONE_MS)));
  }

  /** Most that lateness takes off `usableMs`. */
  mostOff(usableMs: number): number {
    const share = LOOSER_SHARE * this.#reserve.left + (MOST_SHARE - LOOSER_SHARE) * this.#credit.left;
    return share * usableMs;
  }
}

/** Pays for what is lost; losses up to a share of the time leave it as it is. */
class Credit {
  readonly #share: number;
  #ms = CREDIT_MS;

  constructor(share: number) {
    this.#share = share;
  }

  earn(ms: number): void {
    this.#ms = Math.min(CREDIT_MS, this.#ms + this.#share * ms);
  }

  /** Returns what it does not pay for. */
  spend(ms: number): number {
    const spentMs = Math.min(ms, this.#ms);
    this.#ms -= spentMs;
    return ms - spentMs;
  }

  /** 0 … 1. */
  get left(): number {
    return this.#ms / CREDIT_MS;
  }
}
