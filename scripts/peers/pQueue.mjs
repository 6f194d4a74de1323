/** p-queue: one process. Settings: `intervalCap`, `interval`, `concurrency`. */
import PQueue from "p-queue";
import { caller, ignore, setup } from "./call.mjs";

const queue = new PQueue(setup.settings);
const call = caller(setup.url);
for (let id = 0; id < setup.ids; id++) queue.add(() => call(id)).catch(ignore);
await queue.onIdle();
