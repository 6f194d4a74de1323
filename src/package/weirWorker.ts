/**
 * The Worker: requests go to the API, messages to the lanes, the minute's tick to the schedules and the watchdog.
 * Wiring only.
 */
import { createApp } from "../api/app.ts";
import type { QueueMessage } from "../core/protocol.ts";
import { consume } from "../lane/consumer.ts";
import type { Env } from "../objects/env.ts";
import { pokeQuietRuns } from "../run/watchdog.ts";
import { tickSchedules } from "../schedule/tick.ts";
import { cleanUploads } from "../storage/inputs/uploads.ts";
import type { WeirConfig } from "./config.ts";
import { extendApi } from "./extendApi.ts";

export { RunObject } from "../run/object.ts";
export { ScheduleObject } from "../schedule/object.ts";
export { TargetObject } from "../target/object.ts";

/** Once per Worker. Throws what is wrong with the config, and then the Worker does not start. */
export function createWeirWorker(config: WeirConfig = {}) {
  extendApi(config);
  const app = createApp();
  return {
    fetch: app.fetch,
    queue: consume,
    async scheduled(controller, env) {
      await tickSchedules(env, Date.now());
      await pokeQuietRuns(env, controller.scheduledTime);
      await cleanUploads(env.BUCKET, controller.scheduledTime);
    },
  } satisfies ExportedHandler<Env, QueueMessage>;
}
