/**
 * `weir-run/worker`: the Worker that is deployed, with what a project adds to it.
 *
 * ```ts
 * import { createWorker } from "weir-run/worker";
 * import config from "./weir.config.ts";
 * export { RunObject, ScheduleObject, TargetObject } from "weir-run/worker";
 * export default createWorker(config);
 * ```
 */
import type { WeirConfig } from "./config.ts";
import {
  createWeirWorker,
  RunObject as Run,
  ScheduleObject as Schedule,
  TargetObject as Target,
} from "./weirWorker.ts";

/** What a Worker's module exports as its default; bindings as Weir's `wrangler.jsonc` declares them. */
export interface WeirWorker {
  fetch(request: Request, env: never, context: never): Response | Promise<Response>;
  queue(batch: never, env: never, context: never): Promise<void>;
  scheduled(controller: never, env: never, context: never): Promise<void>;
}

/** A class of Durable Objects, to be exported by the Worker's module under its own name. */
export type ObjectClass = new (state: never, env: never) => object;

export const RunObject: ObjectClass = Run;
export const ScheduleObject: ObjectClass = Schedule;
export const TargetObject: ObjectClass = Target;

/** Once per Worker. Throws what is wrong with the config, and then the Worker does not start. */
export function createWorker(config: WeirConfig = {}): WeirWorker {
  return createWeirWorker(config);
}
