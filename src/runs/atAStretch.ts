/** Work of a request that computes without a pause on what somebody sent: whoever watches the runtime can see it. */
import { REQUEST_COMPUTED, REQUEST_COMPUTES } from "../core/requestMarks.ts";
import type { Env } from "../objects/env.ts";

/** What `act` gives. Says so before and after where a process of one's own looks after the runtime. */
export function atAStretch<T>(env: Pick<Env, "WEIR_GENERATION">, act: () => T): T {
  if (env.WEIR_GENERATION === undefined) return act();
  console.debug(REQUEST_COMPUTES);
  try {
    return act();
  } finally {
    console.debug(REQUEST_COMPUTED);
  }
}
