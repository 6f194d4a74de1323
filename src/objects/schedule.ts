/**
 * The Schedule object's RPC surface, and a schedule as everybody sees it. Every method is safe to repeat. Expected
 * refusals are values; a thrown error is a platform fault. Times in views are ISO 8601 UTC strings or null.
 */
import type { FireOutcome, Overlap, ScheduleSettings } from "../core/schedule/scheduleState.ts";
import type { Json } from "../core/spec.ts";
import type { Control } from "./run.ts";

export interface CreateSchedule {
  readonly id: string;
  readonly settings: ScheduleSettings;
  readonly watermarkMs: number | null;
  readonly createdAtMs: number;
  /** SHA-256 of the request: another request for the same id is a conflict. */
  readonly bodySha256: string;
}

export interface ChangeSchedule {
  readonly settings: ScheduleSettings;
  /** Undefined: it stays as it is. */
  readonly watermarkMs?: number | null;
}

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

export interface Schedule {
  create(input: CreateSchedule): Promise<Control<ScheduleView>>;
  view(withSpec: boolean): Promise<ScheduleView | null>;
  /** What it is made of, for a change; null when it is unknown. */
  settings(): Promise<{ readonly settings: ScheduleSettings; readonly watermarkMs: number | null } | null>;
  change(change: ChangeSchedule): Promise<Control<ScheduleView>>;
  pause(): Promise<Control<ScheduleView>>;
  resume(): Promise<Control<ScheduleView>>;
  /**
   * Fires now, for the instant `atMs`. An instant that has its run already gives that fire. A conflict where this
   * Weir does not drive schedules.
   */
  fire(atMs: number): Promise<Control<FireView>>;
  /** Fires, the latest instant first: those before `beforeMs` (null: all). */
  fires(beforeMs: number | null, limit: number): Promise<FireView[]>;
  /** Looks at what is due and at the runs that have not ended. False when the schedule is unknown. */
  look(): Promise<boolean>;
  /** Enters it into D1's index again. False when the schedule is unknown. */
  reindex(): Promise<boolean>;
  destroy(): Promise<void>;
}
