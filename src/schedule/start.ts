/**
 * Makes the run of a fire. Repeating it gives the same run: its id follows from the fire, and a run that is there is
 * never described anew.
 */

import type { Fire } from "../core/schedule/scheduleState.ts";
import type { Json } from "../core/spec.ts";
import type { Env } from "../objects/env.ts";
import { Refusal } from "../runs/refusal.ts";
import { callRun } from "../runs/runRpc.ts";
import { readySpec, startRun } from "../runs/startRun.ts";
import { SourceError } from "../sources/source.ts";
import { runIdOf } from "./ids.ts";
import { fillPlaceholders } from "./placeholders.ts";
import type { Start } from "./turn.ts";

/** Refused: the spec, its input or a secret is not there. Throws for a fault of the platform. */
export async function startFire(
  env: Env,
  about: { readonly schedule: string; readonly spec: Json },
  fire: Fire,
): Promise<Start> {
  const run = await runIdOf(about.schedule, fire.scheduledAtMs);
  if ((await callRun(env, run, (one) => one.view())) !== null) return { kind: "started", run };
  try {
    const ready = await readySpec(env, fillPlaceholders(about.spec, fire));
    await startRun(env, run, ready, about.schedule);
    return { kind: "started", run };
  } catch (error) {
    const isRefusal =
      error instanceof SourceError || (error instanceof Refusal && error.code !== "unavailable");
    if (!isRefusal) throw error;
    return { kind: "refused", why: error.message };
  }
}
