/** Rebuilds D1's list of schedules from their names in R2 and from the Schedule objects. Safe to repeat. */
import { SCHEDULES_AT_ONCE } from "../core/limits.ts";
import type { Env } from "../objects/env.ts";
import { scheduleById } from "../objects/scheduleStub.ts";
import { recordedSchedules } from "../storage/index/schedules.ts";
import { isScheduleId } from "./ids.ts";

/** How many are in the list now. Throws when R2, D1 or an object refuses. */
export async function reindexSchedules(env: Env): Promise<number> {
  let entered = 0;
  let group: string[] = [];
  const enter = async () => {
    const found = await Promise.all(group.map((id) => scheduleById(env, id).reindex()));
    entered += found.filter((isThere) => isThere).length;
    group = [];
  };
  for await (const id of recordedSchedules(env.BUCKET)) {
    if (isScheduleId(id)) group.push(id);
    if (group.length === SCHEDULES_AT_ONCE) await enter();
  }
  await enter();
  return entered;
}
