/**
 * The port through which a call gets its permit: the right to make one request at or after an instant.
 * The lane's pacer implements it; the tasks' way out (`egress.ts`) uses it.
 *
 * Invariant: a request leaves in the same synchronous step in which `use` said true, or not at all.
 */
import type { TokenCost } from "../../core/limiter/tokenQuota.ts";

export interface Permits {
  /** Permits have a cost of their own: `take` wants to know it. */
  readonly isCosted?: boolean;
  /**
   * Resolves when a permit's instant has come. Rejects with LaneStopped when the lane has to stop or `signal`
   * ends: then no call may be made. With `need` the permit is for that host: rejects with ItemNotDue when the host
   * rests and this try has made no call yet. With CallTooDear when `cost` is more than the quota ever allows at once.
   */
  take(signal: AbortSignal, need?: HostNeed, cost?: TokenCost): Promise<Permit>;
}

/** What a call needs that is for one host. */
export interface HostNeed {
  /** The host's name, without its port. */
  readonly host: string;
  /** Calls to it lie at least this far apart, whatever the spec says. */
  readonly spacingMs: number;
  /** What the host answers says nothing about others. */
  readonly isApart: boolean;
}

export interface Permit {
  /**
   * Spends the permit. False when it has expired or was withdrawn in the meantime: take another.
   * The call must leave in the same synchronous step.
   */
  use(): boolean;
  /** The call is over (its body too), however it ended. Once for every `use` that said true. */
  done(): void;
  /**
   * An answer came. Null: go on with it. Else go on when this resolves: calls are about to leave that what is to be done
   * with the answer would hold up.
   */
  giveWay(): Promise<void> | null;
  readonly epoch: number;
  readonly probe: boolean;
  /** Absent: it is for any host. */
  readonly need?: HostNeed | undefined;
}
