/** The Worker as the `weir` command runs it, without anything added. */
import { createEmbeddedWorker } from "./package/embeddedWorker.ts";

export { RunObject, ScheduleObject, Schema } from "./package/embeddedWorker.ts";

export default createEmbeddedWorker();
