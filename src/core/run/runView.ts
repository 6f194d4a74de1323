/** The run as users see it (REST contract). Times are ISO 8601 UTC strings or null. */

import type { Operations } from "../protocol.ts";
import type { Json, Spec } from "../spec.ts";
import type { Usage } from "../usage.ts";
import type { Notice } from "./notice.ts";

export const RUN_STATUSES = [
  "planning",
  "smoke",
  "awaiting-approval",
  "running",
  "paused",
  "finishing",
  "completed",
  "completed-with-failures",
  "failed",
  "cancelled",
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

export interface DeadlineView {
  readonly at: string;
  /** How much too late it was or will be; null: it was in time, or as far as is known it will be. */
  readonly missedBySeconds: number | null;
  /** Calls a second, from now on, that it takes; null: the run does not work, nothing is left, or no rate would do. */
  readonly neededPerSecond: number | null;
}

export interface RampView {
  /** Of rate and lanes, more than 0 up to 1. */
  readonly share: number;
  /** Null without a quota of requests. */
  readonly ratePerSecond: number | null;
  readonly lanes: number;
  /** All limits are in force, and an interval with them was clean. */
  readonly isDone: boolean;
  /** Null where no step follows. */
  readonly nextStepAt: string | null;
  /** The latest, the newest last. `because`: what stopped the step before; null for a step up. */
  readonly steps: readonly { readonly at: string; readonly share: number; readonly because: string | null }[];
}

export interface RunView {
  readonly id: string;
  readonly name: string | null;
  readonly status: RunStatus;
  /** Always one sentence. */
  readonly why: string;
  readonly spec: Spec;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly parentRunId: string | null;
  readonly eta: string | null;
  /** How far the ramp is; null without one. Absent where an older Weir answers. */
  readonly ramp?: RampView | null;
  /** Whether it will be, or was, done in time; null without a deadline. Absent where an older Weir answers. */
  readonly deadline?: DeadlineView | null;
  readonly counts: {
    readonly items: number | null;
    readonly done: number;
    readonly ok: number;
    readonly failed: number;
    readonly attempts: number;
    readonly throttled: number;
    /** Requests that left: hops of redirects and repeats too. Absent where an older Weir answers. */
    readonly calls?: number;
  };
  readonly chunks: {
    readonly total: number;
    readonly done: number;
    readonly active: number;
    readonly pending: number;
  };
  readonly lanes: { readonly live: number; readonly max: number };
  readonly rate: {
    readonly limitPerSecond: number | null;
    readonly effectiveLimitPerSecond: number | null;
    readonly currentPerSecond: number;
  };
  /** The report so far, as far as its fields are one number or text; null without `reduce`. */
  readonly totals: { readonly [field: string]: Json } | null;
  /** Tokens used; null where no call told of any and no budget is set. */
  readonly usage: {
    /** Of the tries whose answers are rows, committed with them. `dollars` null without a price. */
    readonly rows: Usage & { readonly dollars: number | null };
    /** Of every call, also those that came to nothing; what a budget is held against. */
    readonly spent: Usage & {
      readonly calls: number;
      readonly unreportedTokens: number;
      readonly dollars: number | null;
    };
  } | null;
  /** The last call that got no good answer, and how many items are under retry; null: none since the run was started. */
  readonly fault: {
    /** One line, secrets masked. */
    readonly message: string;
    /** Null: there was no answer. */
    readonly status: number | null;
    readonly at: string;
    readonly retrying: number;
  } | null;
  /** What became of the notice at the end; null without `onComplete` or before the end. */
  readonly onComplete: Omit<Notice, "dueAtMs"> | null;
  /** Which committed parts cannot be read, as a sentence; absent: none that is known. */
  readonly unreadable?: string;
  readonly coordinatorRequests: number;
  readonly operations: Operations;
}

export function isEnded(status: RunStatus): boolean {
  return (
    status === "completed" ||
    status === "completed-with-failures" ||
    status === "failed" ||
    status === "cancelled"
  );
}
