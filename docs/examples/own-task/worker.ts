/** What `wrangler deploy` deploys: Weir with this project's config. */
import { createWorker } from "weir-run/worker";
import config from "./weir.config.ts";

export { RunObject, ScheduleObject, TargetObject } from "weir-run/worker";

export default createWorker(config);
