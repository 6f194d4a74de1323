/** The Worker as it is deployed from a clone: Weir without anything added. */
import { createWeirWorker } from "./package/weirWorker.ts";

export { RunObject, ScheduleObject, TargetObject } from "./package/weirWorker.ts";

export default createWeirWorker();
