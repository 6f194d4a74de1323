/**
 * The Schedule object's RPC surface. Every method is safe to repeat. Expected refusals are values; a thrown error is a
 * platform fault.
 */
import type { ScheduleSettings } from "../core/schedule/scheduleState.ts";
import type { FireView, ScheduleView } from "../core/schedule/scheduleView.ts";
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
