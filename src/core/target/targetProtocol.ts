/**
 * What a run and a named target exchange: an ask, which reports, and a share in return. Only durations cross between
 * the two; each side counts them on its own clock.
 */

/** An amount in each of the three dimensions. */
export interface Amounts {
  readonly perSecond: number;
  readonly tokensPerSecond: number;
  readonly lanes: number;
}

/** The same, null where the target does not limit the dimension. */
export interface Limits {
  readonly perSecond: number | null;
  readonly tokensPerSecond: number | null;
  readonly lanes: number | null;
}

export type Dimension = keyof Amounts;

export const DIMENSIONS = ["perSecond", "tokensPerSecond", "lanes"] as const satisfies readonly Dimension[];

/** What a run can use in one dimension. */
export interface Want {
  /** Null: all that it can get; 0: nothing. */
  readonly want: number | null;
  /** The run's own limit; null: none. */
  readonly most: number | null;
}

/** Calls that were throttled under the target's limit, as far as the controller needs to know them. */
export interface SharedTrouble {
  readonly index: number;
  /** Its permit was issued under the run's present epoch. */
  readonly isCurrent: boolean;
  readonly retryAfterMs: number | null;
  readonly probe: boolean;
}

/** What a run's lanes reported since the last ask that was answered. */
export interface SharedReport {
  readonly calls: number;
  readonly throttled: number;
  readonly answered: number;
  readonly inFlight: number;
  /** At most `TROUBLES_PER_REPORT`, in the order in which they ended. */
  readonly troubles: readonly SharedTrouble[];
  /** How many of them, from the end, came after the last answered call. */
  readonly troublesSinceAnswer: number;
}

export interface TargetAsk {
  readonly run: string;
  /** Embedding process that drives the run; "" when deployed. */
  readonly generation: string;
  /** Grows with every ask of the run, also over its restarts. An older one that comes late is not answered. */
  readonly seq: number;
  readonly weight: number;
  readonly wants: { readonly [D in Dimension]: Want };
  /** What the run may use by its present share, and how many lanes are live; null in a dimension without a limit. */
  readonly holds: Limits;
  /**
   * Instants that were issued under a larger share, or are not over: so much of the rate is in use for `forMs` yet.
   * Null: as much as the target has recorded, for the run has forgotten it in a restart.
   */
  readonly tail: {
    readonly perSecond: number | null;
    readonly tokensPerSecond: number | null;
    readonly forMs: number;
  };
  /** How long a lane may keep the outside system busy when its process is gone. */
  readonly lingerMs: number;
  /** The target's epoch that came with the run's present share; 0: it has none. */
  readonly epoch: number;
  readonly report: SharedReport;
  /** The run leaves its outside system alone for so long, by its own judgement; 0: it does not. */
  readonly pausedForMs: number;
  /** It makes no further call: paused, waiting for a person, or at its end. */
  readonly leaves: boolean;
  /** It has ended for good: it uses the target no more. */
  readonly ended: boolean;
}

export type TargetAnswer =
  | {
      readonly kind: "share";
      readonly share: Limits;
      /** The share is good for so long from the moment at which the ask was sent. */
      readonly ttlMs: number;
      readonly askAgainInMs: number;
      /** Nothing may leave for so long: the outside system asked one of the runs for it. */
      readonly pauseMs: number;
      readonly epoch: number;
      /** The limits in force for all together: below the configured ones after a throttled answer. */
      readonly of: Limits;
      /** As configured, requests per second. */
      readonly configuredPerSecond: number | null;
      /** Requests that the outside system tolerates at once; null when not said. */
      readonly burst: number | null;
      /** Runs that want a part of it now. */
      readonly runs: number;
    }
  /** The run holds nothing any more. */
  | { readonly kind: "left" }
  /** A newer ask was answered already. */
  | { readonly kind: "stale" }
  /** The target was removed. */
  | { readonly kind: "gone" };

/** What a program that is not Weir asks for. */
export interface PermitsAsk {
  /** 0 only reports. */
  readonly count: number;
  /** The longest that the program would wait for the last of them. */
  readonly waitMs: number;
  /** Calls that were answered 429 since it last asked, and the longest Retry-After among them. */
  readonly throttled: number;
  readonly retryAfterMs: number | null;
  /** The epoch that came with the permits of those calls; null: not known. */
  readonly epoch: number | null;
}

export interface PermitsAnswer {
  /** One for each permit: the call may leave so long after the answer, and up to `graceMs` later. Ascending. */
  readonly sendInMs: readonly number[];
  readonly graceMs: number;
  /** When to ask for those that were not given; null: all were. */
  readonly askAgainInMs: number | null;
  readonly epoch: number;
}
