/** A schedule and its fires as users see them. */
import { NEXT_FIRES_SHOWN } from "../core/limits.ts";
import type { ScheduleSettings } from "../core/schedule/scheduleState.ts";
import { type Fire, type ScheduleState, waitingFire } from "../core/schedule/scheduleState.ts";
import type { FireView, ScheduleView } from "../core/schedule/scheduleView.ts";
import type { Json } from "../core/spec.ts";
import { isoOrNull } from "../core/time.ts";
import type { ScheduleStore } from "./store.ts";

/**
 * The schedule as it is now; null when it is unknown. `drives`: this Weir fires schedules. `runWhy`: what its run
 * that has not ended says of itself.
 */
export function viewSchedule(
  store: ScheduleStore,
  reader: {
    readonly nowMs: number;
    readonly drives: boolean;
    readonly withSpec: boolean;
    readonly runWhy: string | null;
  },
): ScheduleView | null {
  const { about } = store;
  if (about === null) return null;
  const { state } = store;
  const { spec, ...settings } = about.settings;
  const isPaused = state.pausedWhy !== null;
  const next = isPaused ? [] : store.calendar.next(reader.nowMs, NEXT_FIRES_SHOWN);
  const last = store.lastFire();
  return {
    id: about.id,
    status: isPaused ? "paused" : "active",
    why: whyOf(state, next, reader),
    ...settings,
    task: taskOf(spec),
    watermark: isoOrNull(state.watermarkMs),
    failuresInRow: state.failuresInRow,
    createdAt: new Date(about.createdAtMs).toISOString(),
    next: next.map((ms) => new Date(ms).toISOString()),
    open: state.open.map(viewFire),
    last: last === null ? null : viewFire(last),
    ...(reader.withSpec ? { spec } : {}),
  };
}

/** Characters of a task in a list. */
const TASK_SHOWN_CHARS = 200;

function taskOf({ task }: ScheduleSettings["spec"]): string {
  if (typeof task !== "object" || task === null) return "";
  const { kind, url } = task as { readonly [key: string]: Json };
  return [kind, url]
    .filter((word) => typeof word === "string")
    .join(" ")
    .slice(0, TASK_SHOWN_CHARS);
}

/** A fire as users see it. */
export function viewFire(fire: Fire): FireView {
  return {
    scheduledAt: new Date(fire.scheduledAtMs).toISOString(),
    cause: fire.cause,
    outcome: fire.outcome,
    why: fire.why,
    run: fire.run,
    watermark: isoOrNull(fire.watermarkMs),
    firedAt: new Date(fire.firedAtMs).toISOString(),
    startedAt: isoOrNull(fire.startedAtMs),
    endedAt: isoOrNull(fire.endedAtMs),
  };
}

function whyOf(
  state: ScheduleState,
  next: readonly number[],
  { drives, runWhy }: { readonly drives: boolean; readonly runWhy: string | null },
): string {
  const busy = state.open.find((fire) => fire.outcome === "running");
  const run =
    busy === undefined ? "" : `run ${busy.run} has not ended${runWhy === null ? "" : ` (${runWhy})`}`;
  const waits = waitingFire(state) === undefined || run === "" ? "" : "one fire waits: ";
  if (state.pausedWhy !== null) return `paused: ${state.pausedWhy}${run === "" ? "" : `; ${run}`}`;
  if (!drives) return "fires only while weir dev runs here";
  if (run !== "") return `${waits}${run}`;
  if (state.open.length > 0) return "its run is being started";
  return next[0] === undefined ? "no instant is left" : `fires next at ${new Date(next[0]).toISOString()}`;
}
