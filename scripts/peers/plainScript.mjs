/**
 * A script as people write it: so many workers over one list, each sleeps between its calls. Settings: `workers`, and
 * `minusCall`: the sleep is shortened by what the call took.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { caller, ignore, setup } from "./call.mjs";

const { workers, minusCall } = setup.settings;
const call = caller(setup.url);
const everyMs = (1000 * workers) / setup.ratePerSecond;
let next = 0;

async function work() {
  while (next < setup.ids) {
    const startedMs = performance.now();
    await call(next++).catch(ignore);
    await sleep(minusCall ? Math.max(0, everyMs - (performance.now() - startedMs)) : everyMs);
  }
}
await Promise.all(Array.from({ length: workers }, work));
