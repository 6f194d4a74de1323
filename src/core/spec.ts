/**
 * The spec of a run as the rest of Weir sees it: checked, with every default filled in.
 * The zod schema that turns outside input into this lives in `src/runSpec/schema.ts`.
 */

import { MAX_AGAIN, RETRY_AFTER_HEEDED_MS } from "./limits.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface Spec {
  readonly name: string | null;
  readonly source: SourceSpec;
  readonly task: TaskSpec;
  /** Items per chunk. */
  readonly chunkSize: number;
  /** Lanes that may be live at once. */
  readonly maxParallelism: number;
  readonly quota: QuotaSpec | null;
  /** How much of a named target it gets beside others; null or absent: as much as any. */
  readonly share?: ShareSpec | null;
  /** What the run may cost at the target; null or absent: nothing is bounded. */
  readonly budget?: BudgetSpec | null;
  /** The hours in which calls may leave; null or absent: all. */
  readonly window?: WindowSpec | null;
  /** Begins with a share of rate and lanes; null or absent: with all of them. */
  readonly ramp?: RampSpec | null;
  /** When it is to be done, as the user wrote it: an instant, or a duration; null or absent: nobody says. */
  readonly deadline?: string | null;
  readonly pacing: PacingSpec;
  readonly retry: RetrySpec;
  readonly tolerate: TolerateSpec;
  readonly checkpoint: CheckpointSpec;
  /** The first items go alone, then a gate decides; null: no such stage. */
  readonly smoke: SmokeSpec | null;
  /** What of the rows' values becomes the report; null: no report. */
  readonly reduce: ReduceSpec | null;
  /** Told when the run has ended; null: nobody. */
  readonly onComplete: OnCompleteSpec | null;
  /** Permits hosts that are not public where a host comes from an item or a redirect. */
  readonly allowPrivate: boolean;
}

/** A source names its kind; its own module (`src/sources/<kind>.ts`) knows the rest. */
export interface SourceSpec {
  readonly kind: string;
  readonly [setting: string]: Json;
}

/** A task names its kind; its own module (`src/tasks/<kind>.ts`) knows the rest. */
export interface TaskSpec {
  readonly kind: string;
  readonly [setting: string]: Json;
}

/** A run's part of what it shares with others. */
export interface ShareSpec {
  /** Twice the weight is twice the share, while both can use theirs. */
  readonly weight: number;
}

export interface QuotaSpec {
  /** The named target whose limits it shares; null or absent: none. What stands beside it is a limit of the run's own. */
  readonly target?: string | null;
  /** As the user wrote it: a positive decimal with `/s`, `/min` or `/h`; null where only tokens are limited. */
  readonly requests: string | null;
  /** Requests the target tolerates at once; null when not said. */
  readonly burst: number | null;
  /** For each host on top of that, as `requests`; null or absent: hosts are not told apart. */
  readonly perHost?: string | null;
  /** Tokens, written like `requests`; null or absent: not limited. */
  readonly tokens?: string | null;
  /** Tokens the target tolerates at once; null or absent: not said. */
  readonly tokenBurst?: number | null;
}

/** The run pauses before it would pass one of these; null: no bound. */
export interface BudgetSpec {
  readonly tokens: number | null;
  readonly calls: number | null;
  readonly dollars: number | null;
}

/** Open while the clock of the zone shows a time from `from` on and before `to`; `window/window.ts` says it in full. */
export interface WindowSpec {
  /** "HH:MM". Later than `to`: it goes over midnight. */
  readonly from: string;
  /** "HH:MM", up to "24:00". */
  readonly to: string;
  /** An IANA name. */
  readonly timeZone: string;
  /** Days on which it begins; null: every day. */
  readonly days: readonly ("mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun")[] | null;
}

/** Shares are percentages as the user wrote them: "50%". */
export interface RampSpec {
  readonly from: string;
  readonly step: string;
  readonly everyMs: number;
  /** Share of calls, 0 to 1. */
  readonly maxFailureRate: number;
  /** Mean duration of a call against that of the quickest clean interval. */
  readonly maxLatencyGrowth: number;
}

/** Per lane: at least `minIntervalMs` plus a random part of `jitterMs` between the starts of two items. */
export interface PacingSpec {
  readonly minIntervalMs: number;
  readonly jitterMs: number;
}

export interface RetrySpec {
  /** Tries that were not throttled, first one included. */
  readonly maxAttempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** Throttled tries of one item before it becomes a failed row; `throttling.ts` says how time counts beside them. */
  readonly maxThrottles: number;
  /** The longest that an announced wait is heeded before the item asks again; absent in older runs: the default. */
  readonly maxRetryAfterMs?: number;
  /** An item waits at least so long after a throttled try, whatever the target says; absent in older runs: 0. */
  readonly throttledMinDelayMs?: number;
  /** Answers "not ready, ask again" to one item before it becomes a failed row; absent in older runs: the default. */
  readonly maxAgain?: number;
}

export interface TolerateSpec {
  /** Share of failed rows, 0 to 1, above which `then` happens. */
  readonly failureRate: number;
  /** Judged over the last `over` settled items, from 50 on. */
  readonly over: number;
  readonly then: "pause" | "fail";
}

export interface SmokeSpec {
  readonly items: number;
  /** manual: always awaits approval. */
  readonly gate: "auto" | "manual";
  /** Share of failed rows, 0 to 1, up to which the automatic gate opens. */
  readonly maxFailureRate: number;
}

/** Field of the report → how it comes about. A rule looks at the field of the same name in each row's value. */
export type ReduceSpec = { readonly [field: string]: ReduceRule };

export type ReduceRule =
  | "sum"
  | "count"
  | "min"
  | "max"
  | "mean"
  | "merge"
  /** Weighted by another field. */
  | { readonly mean: string }
  /** The rows with the largest field `by`. */
  | { readonly top: number; readonly by: string }
  /** A reducer of one's own (`ownReducers.ts`), over the field `of`, by default the one of the same name. */
  | { readonly own: string; readonly of?: string | undefined };

export interface OnCompleteSpec {
  /** Absolute http(s) URL; gets one signed POST of the run's JSON. */
  readonly url: string;
}

/** A part is cut when any of these is reached. */
export interface CheckpointSpec {
  readonly items: number;
  readonly bytes: number;
  readonly ms: number;
}

/** What a spec that says nothing gets (contract). */
export const SPEC_DEFAULTS = {
  chunkSize: 1000,
  maxParallelism: 10,
  quota: null,
  budget: null,
  window: null,
  ramp: null,
  deadline: null,
  pacing: { minIntervalMs: 0, jitterMs: 0 },
  retry: {
    maxAttempts: 5,
    baseDelayMs: 1000,
    maxDelayMs: 60_000,
    maxThrottles: 20,
    maxRetryAfterMs: RETRY_AFTER_HEEDED_MS,
    throttledMinDelayMs: 0,
    maxAgain: MAX_AGAIN,
  },
  tolerate: { failureRate: 0.5, over: 1000, then: "pause" },
  checkpoint: { items: 100, bytes: 1_000_000, ms: 30_000 },
  smoke: null,
  reduce: null,
  onComplete: null,
  allowPrivate: false,
} as const satisfies Omit<Spec, "name" | "source" | "task">;

/**
 * What a retry gets that says nothing: items that failed before will often fail again, and none of them is news. A
 * share of all is never passed.
 */
export const RETRY_TOLERATE = { ...SPEC_DEFAULTS.tolerate, failureRate: 1 } as const satisfies TolerateSpec;

/** What a window that says only some of it gets: whole days, by UTC. */
export const WINDOW_DEFAULTS = {
  from: "00:00",
  to: "24:00",
  timeZone: "UTC",
  days: null,
} as const satisfies WindowSpec;

/** What a ramp that says only `{}` gets. */
export const RAMP_DEFAULTS = {
  from: "50%",
  step: "10%",
  everyMs: 30_000,
  maxFailureRate: 0.01,
  maxLatencyGrowth: 1.5,
} as const satisfies RampSpec;

/** What a smoke stage that says only `{}` gets. */
export const SMOKE_DEFAULTS = { items: 20, gate: "auto", maxFailureRate: 0.1 } as const satisfies SmokeSpec;
