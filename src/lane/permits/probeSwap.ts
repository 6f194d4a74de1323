/**
 * Which lane makes a probe's call. The Run asks for an item of a kind, tried before or not, in turn. Where every waiting
 * lane has one of the other kind, one lane goes for another: it comes back with one that was tried, once one is due, or
 * with a new one before those that are due, and the probe is kept for who comes next.
 */
import type { Instant } from "./instants.ts";
import type { Seat } from "./seat.ts";

/** A lane that waits for a permit. */
export interface ProbeTaker {
  readonly seat: Pick<Seat, "isTried" | "canSwapTo" | "prefersNew">;
  give(instant: Instant): void;
  /** It is to come back with an item of the other kind, if it has one. */
  swap(): void;
}

export class ProbeSwap {
  #kept: Instant | null = null;

  /** Gives the probe to a lane among `waiters`, `first` where it matters to nobody, or keeps it and sends one for an item. */
  give(probe: Instant, first: ProbeTaker, waiters: readonly ProbeTaker[]): void {
    const { prefers } = probe;
    if (prefers === undefined) {
      first.give(probe);
      return;
    }
    const fitting = waiters.find(({ seat }) => seat.isTried === (prefers === "tried"));
    const swapping = waiters.find(({ seat }) => seat.canSwapTo(prefers));
    if (fitting !== undefined || swapping === undefined) {
      (fitting ?? first).give(probe);
      return;
    }
    this.#kept = probe;
    swapping.seat.prefersNew = prefers === "untried";
    swapping.swap();
  }

  /** The probe that was kept; null: there is none. */
  take(): Instant | null {
    const kept = this.#kept;
    this.#kept = null;
    return kept;
  }
}
