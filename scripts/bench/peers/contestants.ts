/** Who takes part, and with which settings: as their documents show them first, and the best we know. */

export interface Contestant {
  readonly name: string;
  /** As it is printed. */
  readonly setting: string;
  /** In scripts/peers. */
  readonly file: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Worker processes. */
  readonly processes: number;
  readonly store: "redis" | "postgres" | null;
  /** A process that fills the queue before the workers start. */
  readonly produces?: true;
  readonly ratePerSecond: number;
  readonly ids: number;
  /** Frozen half and half in the scene of faults. */
  readonly isFrozen?: true;
}

const RATE = { ratePerSecond: 1000, ids: 20_000 } as const;
/** DBOS writes several rows a call: PostgreSQL beside everything else on two cores allows no more. */
const SLOW_RATE = { ratePerSecond: 200, ids: 4000 } as const;

export const CONTESTANTS: readonly Contestant[] = [
  {
    name: "p-throttle",
    setting: "`{limit: 1000, interval: 1000}`",
    file: "pThrottle.mjs",
    settings: { limit: 1000, interval: 1000 },
    processes: 1,
    store: null,
    ...RATE,
  },
  {
    name: "p-throttle",
    setting: "`{limit: 1000, interval: 1000, strict: true}`",
    file: "pThrottle.mjs",
    settings: { limit: 1000, interval: 1000, strict: true },
    processes: 1,
    store: null,
    ...RATE,
  },
  {
    name: "p-queue",
    setting: "`{intervalCap: 1000, interval: 1000}`",
    file: "pQueue.mjs",
    settings: { intervalCap: 1000, interval: 1000 },
    processes: 1,
    store: null,
    ...RATE,
  },
  {
    name: "p-queue",
    setting: "best: `{intervalCap: 10, interval: 10, concurrency: 500}`",
    file: "pQueue.mjs",
    settings: { intervalCap: 10, interval: 10, concurrency: 500 },
    processes: 1,
    store: null,
    ...RATE,
  },
  {
    name: "plain script",
    setting: "250 workers, each sleeps 250 ms",
    file: "plainScript.mjs",
    settings: { workers: 250, minusCall: false },
    processes: 1,
    store: null,
    ...RATE,
  },
  {
    name: "plain script",
    setting: "best: 1,000 workers, sleep shortened by the call",
    file: "plainScript.mjs",
    settings: { workers: 1000, minusCall: true },
    processes: 1,
    store: null,
    ...RATE,
  },
  {
    name: "requests-and-tokens loop (Python)",
    setting: "the whole limit",
    file: "requestsAndTokens.py",
    settings: { share: 1 },
    processes: 1,
    store: null,
    ...RATE,
  },
  {
    name: "requests-and-tokens loop (Python)",
    setting: "advised: half of the limit",
    file: "requestsAndTokens.py",
    settings: { share: 0.5 },
    processes: 1,
    store: null,
    ...RATE,
  },
  {
    name: "BullMQ",
    setting: "4 workers, `{max: 1000, duration: 1000}`",
    file: "bullmq.mjs",
    settings: { max: 1000, duration: 1000, concurrency: 100 },
    processes: 4,
    store: "redis",
    produces: true,
    ...RATE,
  },
  {
    name: "BullMQ",
    setting: "best: 4 workers, `{max: 10, duration: 10}`",
    file: "bullmq.mjs",
    settings: { max: 10, duration: 10, concurrency: 100 },
    processes: 4,
    store: "redis",
    produces: true,
    isFrozen: true,
    ...RATE,
  },
  {
    name: "Bottleneck on Redis",
    setting: "4 processes, reservoir of 1,000 each second",
    file: "bottleneck.mjs",
    settings: {
      reservoir: 1000,
      reservoirRefreshAmount: 1000,
      reservoirRefreshInterval: 1000,
      concurrency: 100,
    },
    processes: 4,
    store: "redis",
    ...RATE,
  },
  {
    name: "Bottleneck on Redis",
    setting: "best: 4 processes, `{minTime: 1}`",
    file: "bottleneck.mjs",
    settings: { minTime: 1, concurrency: 100 },
    processes: 4,
    store: "redis",
    isFrozen: true,
    ...RATE,
  },
  {
    name: "DBOS, at 200/s",
    setting: "`{limitPerPeriod: 200, periodSec: 1}`",
    file: "dbos.mjs",
    settings: { rateLimit: { limitPerPeriod: 200, periodSec: 1 } },
    processes: 1,
    store: "postgres",
    ...SLOW_RATE,
  },
  {
    name: "DBOS, at 200/s",
    setting: "best: `{limitPerPeriod: 20, periodSec: 0.1}`, polled every 100 ms",
    file: "dbos.mjs",
    settings: { rateLimit: { limitPerPeriod: 20, periodSec: 0.1 }, minPollingIntervalMs: 100 },
    processes: 1,
    store: "postgres",
    ...SLOW_RATE,
  },
];
