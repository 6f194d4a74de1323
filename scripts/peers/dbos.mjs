/** DBOS: a durable queue on PostgreSQL. Settings: `rateLimit`, `minPollingIntervalMs`, `workerConcurrency`. */
import { DBOS } from "@dbos-inc/dbos-sdk";
import { caller, setup } from "./call.mjs";

const QUEUE = "calls";
/** Calls enqueued at once. */
const AT_ONCE = 20;

const call = caller(setup.url);
const callOne = DBOS.registerWorkflow((id) => DBOS.runStep(() => call(id), { name: "call" }), {
  name: "callOne",
});
DBOS.setConfig({ name: "peers", systemDatabaseUrl: setup.postgresUrl, logLevel: "error" });
await DBOS.launch();
await DBOS.registerQueue(QUEUE, setup.settings);

let next = 0;
async function enqueue() {
  while (next < setup.ids) await DBOS.startWorkflow(callOne, { queueName: QUEUE })(next++);
}
await Promise.all(Array.from({ length: AT_ONCE }, enqueue));
