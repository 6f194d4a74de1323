/** BullMQ: jobs in Redis, `limiter` on the workers. Settings: `max`, `duration`, `concurrency` of one process. */
import { Queue, Worker } from "bullmq";
import { caller, setup } from "./call.mjs";

const connection = { host: "127.0.0.1", port: setup.redisPort, maxRetriesPerRequest: null };
const NAME = "calls";
/** Jobs added at once. */
const BULK = 2000;

if (setup.role === "produce") {
  const queue = new Queue(NAME, { connection });
  for (let first = 0; first < setup.ids; first += BULK) {
    const length = Math.min(BULK, setup.ids - first);
    const jobs = Array.from({ length }, (_, i) => ({
      name: "call",
      data: first + i,
      opts: { removeOnComplete: true, removeOnFail: true },
    }));
    await queue.addBulk(jobs);
  }
  await queue.close();
} else {
  const call = caller(setup.url);
  const { max, duration, concurrency } = setup.settings;
  new Worker(NAME, (job) => call(job.data), { connection, concurrency, limiter: { max, duration } });
}
