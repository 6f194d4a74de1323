/** A run by its id, as `Run`: the platform's RPC types cannot follow `Json`, which contains itself. */
import type { Env } from "./env.ts";
import type { Run } from "./run.ts";

/** A fresh stub: after a fault another one is needed. */
export function runById(env: Pick<Env, "RUN">, id: string): Run {
  return env.RUN.getByName(id) as unknown as Run;
}
