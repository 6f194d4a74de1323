/**
 * The minute's tick: every schedule that is due, or whose runs have not ended, takes a turn. It decides nothing, and
 * a tick that comes twice or late does no harm: the Schedule objects know what is decided.
 */
import { MAX_SCHEDULES, SCHEDULES_AT_ONCE } from "../core/limits.ts";
import type { Env } from "../objects/env.ts";
import { drivesSchedules, scheduleById } from "../objects/scheduleStub.ts";
import { deleteScheduleRow, schedulesDue } from "../storage/index/schedules.ts";

/** Never throws. Does nothing where this Weir fires no schedules. */
export async function tickSchedules(env: Env, nowMs: number): Promise<void> {
  if (!drivesSchedules(env)) return;
  try {
    const due = await schedulesDue(env.DB, nowMs, MAX_SCHEDULES);
    for (let at = 0; at < due.length; at += SCHEDULES_AT_ONCE) {
      await Promise.all(due.slice(at, at + SCHEDULES_AT_ONCE).map((id) => look(env, id)));
    }
  } catch (error) {
    console.warn("the tick found no list of schedules:", error);
  }
}

async function look(env: Env, id: string): Promise<void> {
  try {
    // A row without its schedule is left of a deletion that broke off.
    if (!(await scheduleById(env, id).look())) await deleteScheduleRow(env.DB, id);
  } catch (error) {
    console.warn(`schedule ${id} took no turn:`, error);
  }
}
