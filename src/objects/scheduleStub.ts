/** A schedule by its id, and whether this Weir fires schedules at all. */
import type { Env } from "./env.ts";
import type { Schedule } from "./schedule.ts";

/** A fresh stub: after a fault another one is needed. The platform's RPC types cannot follow `Json`. */
export function scheduleById(env: Pick<Env, "SCHEDULE">, id: string): Schedule {
  return env.SCHEDULE.getByName(id) as unknown as Schedule;
}

/** Deployed always; embedded only in a process that stays: what another one started would lie still when it ends. */
export function drivesSchedules(env: Pick<Env, "WEIR_GENERATION" | "WEIR_SCHEDULES">): boolean {
  return env.WEIR_GENERATION === undefined || env.WEIR_SCHEDULES === "driven";
}
