/**
 * The watchdog: pokes runs that have not ended, so that one whose alarm was lost goes on. It decides nothing;
 * a run that is well does nothing when poked.
 */
import type { Env } from "../objects/env.ts";
import { runById } from "../objects/runStub.ts";
import { unendedRuns } from "../storage/index/catalog.ts";

/** Object calls made in one tick. */
const POKES_PER_TICK = 100;
/** Runs among which the ticks take turns. */
const RUNS_WATCHED = 10_000;
const TICK_MS = 60_000;

/** Pokes the next `POKES_PER_TICK` of the runs that have not ended; all of them get their turn. Never throws. */
export async function pokeQuietRuns(env: Env, nowMs: number): Promise<void> {
  try {
    const runs = await unendedRuns(env.DB, RUNS_WATCHED);
    const turns = Math.max(1, Math.ceil(runs.length / POKES_PER_TICK));
    const first = (Math.floor(nowMs / TICK_MS) % turns) * POKES_PER_TICK;
    const poked = runs.slice(first, first + POKES_PER_TICK).map((id) => runById(env, id).poke());
    const failed = (await Promise.allSettled(poked)).filter((outcome) => outcome.status === "rejected");
    if (failed.length > 0) console.warn(`${failed.length} runs could not be poked:`, failed[0]?.reason);
  } catch (error) {
    console.warn("the watchdog found no list of runs:", error);
  }
}
