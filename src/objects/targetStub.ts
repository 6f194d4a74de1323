/** A named target by its name. */
import type { Env } from "./env.ts";
import type { Target } from "./target.ts";

/** A fresh stub: after a fault another one is needed. */
export function targetByName(env: Pick<Env, "TARGET">, name: string): Target {
  return env.TARGET.getByName(name) as unknown as Target;
}
