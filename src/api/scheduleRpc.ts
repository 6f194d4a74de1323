/** Calling a Schedule from the API: by id, with a fresh stub; refusals become ours. All methods are safe to repeat. */

import type { ScheduleView } from "../core/schedule/scheduleView.ts";
import type { Env } from "../objects/env.ts";
import type { Control } from "../objects/run.ts";
import type { Schedule } from "../objects/schedule.ts";
import { scheduleById } from "../objects/scheduleStub.ts";
import { Refusal } from "../runs/refusal.ts";
import { isScheduleId } from "../schedule/ids.ts";

/** The schedule as it is now; refuses with `not_found`. */
export async function viewScheduleById(env: Env, id: string): Promise<ScheduleView> {
  const view = isScheduleId(id) ? await scheduleById(env, id).view(true) : null;
  if (view === null) throw noSchedule(id);
  return view;
}

/** Calls a method that may refuse. */
export async function controlSchedule<T>(
  env: Env,
  id: string,
  call: (schedule: Schedule) => Promise<Control<T>>,
): Promise<T> {
  if (!isScheduleId(id)) throw noSchedule(id);
  const outcome = await call(scheduleById(env, id));
  switch (outcome.kind) {
    case "ok":
      return outcome.value;
    case "conflict":
      throw new Refusal("conflict", outcome.message);
    case "not-found":
      throw noSchedule(id);
    default:
      return outcome satisfies never;
  }
}

export function noSchedule(id: string): Refusal {
  return new Refusal("not_found", `there is no schedule ${JSON.stringify(id.slice(0, 64))}`);
}
