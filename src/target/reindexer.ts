/** Rebuilds D1's list of targets from their names in R2 and from the Target objects. Safe to repeat. */
import type { Env } from "../objects/env.ts";
import { targetByName } from "../objects/targetStub.ts";
import { recordedTargets, upsertTarget } from "../storage/index/targets.ts";

/** How many are in the list now. Throws when R2, D1 or an object refuses. */
export async function reindexTargets(env: Env): Promise<number> {
  let entered = 0;
  for await (const name of recordedTargets(env.BUCKET)) {
    const view = await targetByName(env, name).view();
    if (view === null) continue;
    await upsertTarget(env.DB, { name, createdAt: view.createdAt });
    entered += 1;
  }
  return entered;
}
