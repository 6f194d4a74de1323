/**
 * Which lane makes a probe's call. The Run asks for an item of a kind, tried before or not, in turn. Where every waiting
 * lane has an item that was never tried, one lane goes for another: it comes back with one that was, once one is due,
 * and the probe is kept for who comes next.
 */
import type { Instant } from "./instants.ts";
import type { Seat } from "./seat.ts";

/** A lane that waits for a permit. */
export interface ProbeTaker {
  readonly seat: Pick<Seat, "isTried" | "canSwap">;
  give(instant: Instant): void;
  /** It is to come back with an item that was tried before, if it has one. */
  swap(): void;
}

export class ProbeSwap {
  #kept: Instant | null = null;

  /** Gives the probe to a lane among `waiters`, `first` where it matters to nobody, or keeps it and sends one for an item. */
  give(probe: Instant, first: ProbeTaker, waiters: readonly ProbeTaker[]): void {
    const wantsTried = probe.prefers === "tried";
    const fitting = waiters.find(({ seat }) => seat.isTried === wantsTried);
    const swapping = wantsTried ? waiters.find(({ seat }) => seat.canSwap) : undefined;
    if (probe.prefers === undefined || fitting !== undefined || swapping === undefined) {
      (fitting ?? first).give(probe);
      return;
    }
    this.#kept = probe;
    swapping.swap();
  }

  /** The probe that was kept; null: there is none. */
  take(): Instant | null {
    const kept = this.#kept;
    this.#kept = null;
    return kept;
  }
}
