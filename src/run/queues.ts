/** The chunk queues by their number, as `wrangler.toml` names them, and the lanes of the invocations they start. */

import { CHUNK_QUEUES } from "../core/limits.ts";
import type { QueueMessage } from "../core/protocol.ts";
import { lanesPerInvocation } from "../core/run/dispatch.ts";
import type { Env } from "../objects/env.ts";

export function laneQueue(env: Env, queue: number): Queue<QueueMessage> {
  const queues = [env.LANES_0, env.LANES_1, env.LANES_2, env.LANES_3];
  return queues[queue % CHUNK_QUEUES]!;
}

/** Lanes that one invocation of a run holds at most. */
export function invocationLanes(env: Env, maxParallelism: number): number {
  return lanesPerInvocation(env.WEIR_GENERATION ?? "", maxParallelism, Number(env.WEIR_INVOCATIONS ?? 1));
}
