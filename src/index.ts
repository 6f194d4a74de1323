/** The Worker as it is deployed from a clone: Weir without anything added. */
import { createWorker } from "./package/worker.ts";

export { RunObject, ScheduleObject } from "./package/worker.ts";

export default createWorker();
