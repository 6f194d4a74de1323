/**
 * Ids of schedules (`s_` and eighteen characters, as a run's), and of the runs they start: the run of a fire has one
 * id, whoever makes it and however often, so that two tries of the same fire meet in the same Run.
 */
import { newRunId, RANDOM_BYTES } from "../runs/runId.ts";

/** A new id; `random` holds `RANDOM_BYTES` random bytes. */
export function newScheduleId(nowMs: number, random: Uint8Array): string {
  return newRunId(nowMs, random).replace(/^r/, "s");
}

/** The id of the schedule that a request with this Idempotency-Key creates. */
export async function scheduleIdOf(key: string): Promise<string> {
  return newScheduleId(0, await digest(`schedule ${key}`));
}

/** True for text that one of the two could have made. Nothing else is ever looked up. */
export function isScheduleId(text: string): boolean {
  return /^s_[0-9a-hjkmnp-tv-z]{18}$/.test(text);
}

/** The id of the run that a schedule starts for an instant. */
export async function runIdOf(schedule: string, scheduledAtMs: number): Promise<string> {
  return newRunId(Math.max(0, scheduledAtMs), await digest(`${schedule} ${scheduledAtMs}`));
}

async function digest(text: string): Promise<Uint8Array> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(bytes).slice(0, RANDOM_BYTES);
}
