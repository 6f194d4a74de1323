/** The Worker as the `weir` command runs it, without anything added. */
import { createEmbeddedWorker } from "./package/embeddedWorker.ts";

export { RunObject, ScheduleObject, Schema, TargetObject } from "./package/embeddedWorker.ts";

export default createEmbeddedWorker();
