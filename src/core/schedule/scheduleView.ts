/** A schedule and its fires as everybody sees them. Times are ISO 8601 in UTC, or null. */
import type { Json } from "../spec.ts";
import type { FireOutcome, Overlap } from "./scheduleState.ts";

/** A fire as users see it (REST contract). */
export interface FireView {
  readonly scheduledAt: string;
  readonly cause: "cron" | "manual";
  readonly outcome: FireOutcome;
  readonly why: string | null;
  readonly run: string | null;
  readonly watermark: string | null;
  readonly firedAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
}

/** A schedule as users see it (REST contract). */
export interface ScheduleView {
  readonly id: string;
  readonly name: string | null;
  /** What its runs do, short: the kind of the task and its URL where it has one. */
  readonly task: string;
  readonly status: "active" | "paused";
  /** Always one sentence. */
  readonly why: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly overlap: Overlap;
  readonly catchUpMs: number;
  readonly pauseAfterFailures: number;
  readonly advanceWithFailures: boolean;
  readonly watermark: string | null;
  readonly failuresInRow: number;
  readonly createdAt: string;
  /** The next instants; none while it is paused. */
  readonly next: readonly string[];
  /** Fires that wait, start or run. */
  readonly open: readonly FireView[];
  /** The last fire that is over. */
  readonly last: FireView | null;
  /** With its placeholders; absent in lists. */
  readonly spec?: { readonly [key: string]: Json };
}
