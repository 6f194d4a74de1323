/** Beyond one machine: the same core, simulated with more lanes, slower targets, and several limiters on one target. */
import { LANES_PER_INVOCATION_DEPLOYED } from "../../../src/core/limits.ts";
import { mostInWindow, neededBurst } from "../../../test/support/neededBurst.ts";
import { shown } from "../journal.ts";
import type { Scene } from "../scene.ts";
import { type Simulated, simulateDeployed } from "../simulated.ts";

interface Size {
  readonly lanes: number;
  /** Lanes of one invocation; absent: as deployed. */
  readonly lanesPerInvocation?: number;
  readonly latencyMs: number;
  readonly items: number;
  readonly chunkSize: number;
}

const SIZES: readonly Size[] = [
  { lanes: 1000, lanesPerInvocation: 4, latencyMs: 150, items: 200_000, chunkSize: 100 },
  { lanes: 500, latencyMs: 150, items: 60_000, chunkSize: 100 },
  { lanes: 1000, latencyMs: 150, items: 60_000, chunkSize: 50 },
  { lanes: 1000, latencyMs: 1000, items: 40_000, chunkSize: 40 },
  { lanes: 1250, latencyMs: 1000, items: 40_000, chunkSize: 32 },
  { lanes: 1000, latencyMs: 30_000, items: 5000, chunkSize: 5 },
  { lanes: 10_000, latencyMs: 1000, items: 60_000, chunkSize: 6 },
  { lanes: 10_000, latencyMs: 30_000, items: 20_000, chunkSize: 2 },
];

export const scale: Scene = {
  name: "scale",
  minutes: 1.2,
  isSimulated: true,
  async play(journal) {
    journal.say(
      "",
      "**Simulated with the same core, deployed**: 1,000/s, GCRA burst 100, log-normal latency, at most 250 invocations a queue",
    );
    const sizes: string[][] = [];
    for (const size of SIZES) sizes.push(await sizeRow(size));
    journal.table(
      [
        "lanes allowed",
        "an invocation",
        "median latency",
        "lanes at work at most",
        "calls/s in the middle",
        "lanes could do, calls/s",
        "needed burst",
        "coordinator requests/s",
        "in the fullest second",
        "requests per call in the middle",
        "in all of the run",
      ],
      sizes,
    );
    journal.say(
      "",
      "**Several limiters under one target**, each with its share of the rate and its own run:",
    );
    journal.table(
      [
        "rate",
        "limiters",
        "calls/s in the middle, % of the rate",
        "needed burst of all together",
        "as time at the rate, ms",
        "most in 1 s, % over",
        "coordinator requests/s, each",
      ],
      [await shards(10_000, 10), await shards(100_000, 100)],
    );
  },
};

async function sizeRow(size: Size): Promise<string[]> {
  const one = await simulateDeployed({ ...size, seed: 1, ratePerSecond: 1000 });
  const { report } = one;
  if (report.violation !== null) throw new Error(`${report.violation.rule}: ${report.violation.message}`);
  const middle = middleOf(one);
  const meanMs = size.latencyMs * Math.exp(0.4 ** 2 / 2);
  return [
    shown(size.lanes),
    shown(size.lanesPerInvocation ?? LANES_PER_INVOCATION_DEPLOYED),
    `${shown(size.latencyMs)} ms`,
    shown(report.mostUnderWay),
    shown(middle.perSecond),
    shown((report.mostUnderWay * 1000) / meanMs),
    shown(report.neededBurst, 1),
    shown(middle.askedPerSecond),
    shown(Math.max(...one.asked.map((count) => count ?? 0))),
    shown(middle.askedPerSecond / middle.perSecond, 3),
    shown(report.coordinatorRequests / report.calls, 3),
  ];
}

/** Rates between a quarter and three quarters of the calls: neither start nor end is in them. */
function middleOf({ atMs, asked }: Simulated): {
  readonly perSecond: number;
  readonly askedPerSecond: number;
} {
  const fromMs = atMs[Math.floor(atMs.length / 4)] as number;
  const toMs = atMs[Math.floor((3 * atMs.length) / 4)] as number;
  const calls = atMs.filter((ms) => ms >= fromMs && ms < toMs).length;
  const requests = asked.slice(
    Math.ceil(fromMs / 1000),
    Math.max(Math.ceil(fromMs / 1000) + 1, Math.floor(toMs / 1000)),
  );
  return {
    perSecond: (calls * 1000) / (toMs - fromMs),
    askedPerSecond: requests.reduce((sum, count) => sum + (count ?? 0), 0) / requests.length,
  };
}

/** A run's items by shard; what the one target sees is all of their calls. */
async function shards(ratePerSecond: number, limiters: number): Promise<string[]> {
  const share = ratePerSecond / limiters;
  const seconds = 8;
  const all: number[] = [];
  let asked = 0;
  for (let seed = 1; seed <= limiters; seed++) {
    const shard = await simulateDeployed({
      seed,
      items: share * seconds,
      chunkSize: 20,
      lanes: 500,
      ratePerSecond: share,
      latencyMs: 150,
    });
    if (shard.report.violation !== null) throw new Error(shard.report.violation.message);
    for (const ms of shard.atMs) all.push(ms);
    asked += middleOf(shard).askedPerSecond;
  }
  const [fromMs, toMs] = [2000, (seconds - 1.5) * 1000];
  const middle = Float64Array.from(all.filter((ms) => ms >= fromMs && ms < toMs)).sort();
  const burst = neededBurst(middle, ratePerSecond);
  return [
    `${shown(ratePerSecond)}/s`,
    shown(limiters),
    shown((100_000 * middle.length) / (ratePerSecond * (toMs - fromMs)), 1),
    shown(burst),
    shown((burst * 1000) / ratePerSecond, 1),
    shown(100 * (mostInWindow(middle, 1000) / ratePerSecond - 1), 2),
    shown(asked / limiters),
  ];
}
