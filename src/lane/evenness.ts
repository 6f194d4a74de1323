/**
 * How much of the rate an invocation gives up to be even: the later calls may leave after a pause of the event loop,
 * the more of them leave together, and the sooner a permit is given up, the more of the rate is lost.
 *
 * Permits are given up early as long as no more than `COST` of the time is lost, for whatever reason. A machine whose
 * pauses are short loses less than that and holds the tighter bound; one whose pauses are long would lose more, and has
 * the looser. Everything is counted in time at the invocation's own rate, so that it is the same at every rate.
 */

/** What a late loop takes off the time in which an instant is usable: its share at most, while losses are few. */
const MOST_SHARE = 0.6;
/** And while they are not. */
const LEAST_SHARE = 0.36;
/** Share of the rate that evenness may cost. */
const COST = 0.004;
/** From the tighter bound to the looser: the loss of so much. Back again takes 1 / COST times as long. */
const CREDIT_MS = 40;
/** Of one moment no more counts: what a long one loses, no bound would have saved. */
const MOST_OF_ONE_MS = 10;

export class Evenness {
  #creditMs = CREDIT_MS;

  /** A permit for `everyMs` of the rate was handed out. */
  handedOut(everyMs: number): void {
    this.#creditMs = Math.min(CREDIT_MS, this.#creditMs + COST * everyMs);
  }

  /** Permits for so much of the rate ran out at once, for whatever reason: what is lost otherwise is not there to spend. */
  lost(ms: number): void {
    this.#creditMs = Math.max(0, this.#creditMs - Math.min(ms, MOST_OF_ONE_MS));
  }

  /** Most that lateness takes off `usableMs`. */
  mostOff(usableMs: number): number {
    return (LEAST_SHARE + ((MOST_SHARE - LEAST_SHARE) * this.#creditMs) / CREDIT_MS) * usableMs;
  }
}
