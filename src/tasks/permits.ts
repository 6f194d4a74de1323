/**
 * The port through which a call gets its permit: the right to make one request at or after an instant.
 * The lane's pacer implements it; the tasks' way out (`egress.ts`) uses it.
 *
 * Invariant: a request leaves in the same synchronous step in which `use` said true, or not at all.
 */

export interface Permits {
  /**
   * Resolves when a permit's instant has come. Rejects with LaneStopped when the lane has to stop or `signal`
   * ends: then no call may be made.
   */
  take(signal: AbortSignal): Promise<Permit>;
}

export interface Permit {
  /**
   * Spends the permit. False when it has expired or was withdrawn in the meantime: take another.
   * The call must leave in the same synchronous step.
   */
  use(): boolean;
  /** The call is over (its body too), however it ended. Once for every `use` that said true. */
  done(): void;
  readonly epoch: number;
  readonly probe: boolean;
}
