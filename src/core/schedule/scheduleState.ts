/**
 * What a schedule is: its rules, its fires, and the state between two decisions. Times are milliseconds since 1970,
 * UTC. The decisions are in `schedule.ts` and `overlap.ts`.
 */
import type { Json } from "../spec.ts";

/** What happens when a fire comes while a run of the schedule has not ended. */
export const OVERLAPS = ["skip", "queue-one", "cancel-running", "allow"] as const;
export type Overlap = (typeof OVERLAPS)[number];

export interface ScheduleRules {
  readonly overlap: Overlap;
  /** A fire that was missed (no Weir was running) is made up for when it is not older than this. */
  readonly catchUpMs: number;
  /** Failed runs in a row that pause the schedule; 0: never. */
  readonly pauseAfterFailures: number;
  /** The watermark advances also with a run that completed with failed rows. */
  readonly advanceWithFailures: boolean;
}

/** The same, and what of its spec decides about a fire. */
export interface FireRules extends ScheduleRules {
  /** The spec says `{{watermark}}`: a run covers what lies between the watermark and its instant. */
  readonly usesWatermark: boolean;
}

/** What a schedule that says nothing gets. */
export const SCHEDULE_DEFAULTS = {
  timeZone: "UTC",
  overlap: "skip",
  catchUpMs: 3_600_000,
  pauseAfterFailures: 3,
  advanceWithFailures: false,
} as const satisfies ScheduleRules & { readonly timeZone: string };

/** What a fire can come to. */
export const FIRE_OUTCOMES = [
  "waiting",
  "starting",
  "running",
  "completed",
  "completed-with-failures",
  "failed",
  "cancelled",
  "skipped",
  "missed",
  "refused",
] as const;
export type FireOutcome = (typeof FIRE_OUTCOMES)[number];

/** One instant of a schedule and what came of it. */
export interface Fire {
  /** Names the fire: a schedule has one for an instant. */
  readonly scheduledAtMs: number;
  readonly cause: "cron" | "manual";
  readonly outcome: FireOutcome;
  /** One sentence where the outcome needs one. */
  readonly why: string | null;
  readonly run: string | null;
  /** What `{{watermark}}` stood for; null before the start. */
  readonly watermarkMs: number | null;
  /** Which setting of the watermark that was. */
  readonly watermarkEpoch: number;
  readonly firedAtMs: number;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
}

export interface ScheduleState {
  /** Every instant of the expression up to here is decided. */
  readonly seenMs: number;
  /** Why nothing fires by itself; null while it does. */
  readonly pausedWhy: string | null;
  readonly watermarkMs: number | null;
  /** Counts how often the watermark was set by hand: runs from before then do not move it. */
  readonly watermarkEpoch: number;
  readonly failuresInRow: number;
  /** Fires that are waiting, starting or running, in the order in which they came. */
  readonly open: readonly Fire[];
}

/** A decision: the state after it, and the fires that are over by it. */
export interface Step {
  readonly state: ScheduleState;
  readonly closed: readonly Fire[];
}

/** What is due since `seenMs`. */
export interface Due {
  /** The newest instant, ms; null when there is none. */
  readonly newestMs: number | null;
  /** That instant had its run already: it was fired by hand. */
  readonly isKnown: boolean;
  /** Earlier ones, counted up to `MISSED_COUNTED`; `lastMs` is the newest of them. */
  readonly earlier: { readonly count: number; readonly isMore: boolean; readonly lastMs: number } | null;
}

/** A fire as it comes: nothing is decided yet. */
export function newFire(scheduledAtMs: number, cause: Fire["cause"], nowMs: number): Fire {
  return {
    scheduledAtMs,
    cause,
    outcome: "waiting",
    why: null,
    run: null,
    watermarkMs: null,
    watermarkEpoch: 0,
    firedAtMs: nowMs,
    startedAtMs: null,
    endedAtMs: null,
  };
}

/** The fire that waits for its turn. */
export function waitingFire(state: ScheduleState): Fire | undefined {
  return state.open.find((fire) => fire.outcome === "waiting");
}

/** What a schedule consists of besides its state. */
export interface ScheduleSettings extends ScheduleRules {
  readonly name: string | null;
  readonly cron: string;
  readonly timeZone: string;
  /** As the user wrote it, placeholders and all. */
  readonly spec: { readonly [key: string]: Json };
}
