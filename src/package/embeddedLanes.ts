/**
 * The Worker's lanes as the `weir` command runs them: the consumer of its queues alone, so that the heap in which calls
 * are made holds nothing of API, Run and schedules (docs/design/runtime.md).
 */
import type { QueueMessage } from "../core/protocol.ts";
import { consume } from "../lane/consumer.ts";
import { markConsole } from "../lane/items/taskConsole.ts";
import type { Env } from "../objects/env.ts";
import type { WeirConfig } from "./config.ts";
import { extendLanes } from "./extend.ts";

/** Once per Worker. */
export function createEmbeddedLanes(config: WeirConfig = {}) {
  extendLanes(config);
  markConsole();
  return { queue: consume } satisfies ExportedHandler<Env, QueueMessage>;
}
