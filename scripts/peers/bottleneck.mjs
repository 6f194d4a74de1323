/**
 * Bottleneck on Redis: every process takes its share of the ids and asks the shared limiter before each call.
 * Settings: those of Bottleneck, and `concurrency`: calls one process hands over at once.
 */
import Bottleneck from "bottleneck";
import IORedis from "ioredis";
import { caller, ignore, setup } from "./call.mjs";

const { concurrency, ...settings } = setup.settings;
const call = caller(setup.url);
const limiter = new Bottleneck({
  ...settings,
  id: "calls",
  datastore: "ioredis",
  clearDatastore: false,
  Redis: IORedis,
  clientOptions: { host: "127.0.0.1", port: setup.redisPort },
});
limiter.on("error", (error) => console.error(error.message));
await limiter.ready();

let next = setup.process;
async function work() {
  while (next < setup.ids) {
    const id = next;
    next += setup.processes;
    await limiter.schedule(() => call(id)).catch(ignore);
  }
}
await Promise.all(Array.from({ length: concurrency }, work));
await limiter.disconnect();
