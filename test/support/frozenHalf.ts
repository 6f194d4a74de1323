/**
 * One run in two processes whose far half is frozen in the middle of it and let go again.
 *
 * A freeze longer than the leases begins while commits of far lanes are on their way: what stood in them arrives
 * after their leases are over, and others have gone on with their chunks.
 */
import type { RunView } from "../../src/core/run/runView.ts";
import type { ArrivalLog } from "./arrivals.ts";
import type { RefusedCommit } from "./farLanes.ts";
import type { Target, TargetStats } from "./targetOptions.ts";
import type { TwoProcesses } from "./twoProcesses.ts";
import { until } from "./until.ts";
import type { TestRow } from "./weir.ts";

export interface FrozenHalf {
  readonly ids: number;
  readonly lanes: number;
  readonly ratePerSecond: number;
  readonly chunkSize: number;
  /** When the target has seen so many calls. */
  readonly fromCall: number;
  readonly forMs: number;
  /** Commits of the far lanes that are under way when it begins are delivered after it. */
  readonly lateCommits: boolean;
}

export interface Thawed {
  readonly run: RunView;
  /** Items done when the far half was let go: fewer than all, or the freeze proves nothing. */
  readonly doneAtThaw: number;
  readonly rows: readonly TestRow[];
  readonly log: ArrivalLog;
  readonly stats: TargetStats;
  readonly refused: readonly RefusedCommit[];
  /** Of the refused commits: those whose part counts, because another lane adopted it. */
  readonly adopted: number;
}

/** Runs it to its end. */
export async function freezeHalf(weir: TwoProcesses, target: Target, options: FrozenHalf): Promise<Thawed> {
  const { id } = await weir.startRun({
    source: { kind: "range", from: 0, to: options.ids, step: 1 },
    task: { kind: "http", url: `${target.url}/v1/users/{{item}}` },
    chunkSize: options.chunkSize,
    maxParallelism: options.lanes,
    quota: { requests: `${options.ratePerSecond}/s` },
  });
  await until("the middle of the run", async () => (await target.stats()).calls >= options.fromCall, 60_000);
  if (options.lateCommits) {
    await weir.shutGate();
    await until("a commit under way", async () => (await weir.gate()).held > 0);
  }
  weir.freeze();
  const endMs = performance.now() + options.forMs;
  await until("the end of the freeze", () => performance.now() >= endMs, options.forMs + 10_000);
  const doneAtThaw = (await weir.view(id)).counts.done;
  weir.thaw();
  await weir.openGate();
  const run = await weir.ended(id, 120_000);
  const { refused } = await until("the late commits to be answered", async () => {
    const gate = await weir.gate();
    return gate.held === 0 && gate;
  });
  const counted = new Set((await weir.manifest(id)).map((part) => part.sha256));
  return {
    run,
    doneAtThaw,
    rows: await weir.rows(id),
    log: await target.log(),
    stats: await target.stats(),
    refused,
    adopted: refused.filter(({ sha256 }) => sha256 !== null && counted.has(sha256)).length,
  };
}
