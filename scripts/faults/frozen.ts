/** Half of the lanes stand still (SIGSTOP of their process): for longer than their leases, and for five seconds. */
import { LEASE_MARGIN_MS, LEASE_TTL_MS } from "../../src/core/limits.ts";
import { freezeHalf } from "../../test/support/frozenHalf.ts";
import { repeatedCalls, wrongRows } from "../../test/support/killedRun.ts";
import { neededBurst } from "../../test/support/neededBurst.ts";
import { startTwoProcesses } from "../../test/support/twoProcesses.ts";
import { figure, type Scene } from "./scene.ts";

const LANES = 100;
const RATE = { lanes: LANES, ratePerSecond: 1000, chunkSize: 200, fromCall: 5000 };

/** Their leases are over when they are let go, and commits that were under way come late. */
export const frozen: Scene = frozenFor(
  { ...RATE, ids: 45_000, forMs: LEASE_TTL_MS + LEASE_MARGIN_MS + 2000, lateCommits: true },
  "**45,000 ids at 1,000/s, half of 100 lanes frozen for 33 s** (a lease lasts 30 s), their commits under way delivered after it",
);

/** They go on with what they have. */
export const stalled: Scene = frozenFor(
  { ...RATE, ids: 20_000, forMs: 5000, lateCommits: false },
  "**20,000 ids at 1,000/s, half of 100 lanes frozen for 5 s**",
);

function frozenFor(plan: Parameters<typeof freezeHalf>[2], title: string): Scene {
  return async (_, target) => {
    const weir = await startTwoProcesses();
    try {
      const thawed = await freezeHalf(weir, target, plan);
      const { counts } = thawed.run;
      const parts = thawed.refused.filter(({ sha256 }) => sha256 !== null).length;
      return {
        title,
        figures: [
          figure("rows", thawed.rows.length, { is: plan.ids }),
          figure("ids without exactly one row", wrongRows(thawed.rows, plan.ids), { is: 0 }),
          figure("failed rows", counts.failed, { is: 0 }),
          figure("items done when the lanes were let go", thawed.doneAtThaw, { most: plan.ids - 1 }),
          figure("late commits refused", thawed.refused.length, plan.lateCommits ? { least: 1 } : { is: 0 }),
          figure("parts of theirs that others adopted", thawed.adopted, { is: parts }),
          figure("calls repeated", repeatedCalls(thawed.log), { most: (LANES / 2) * 2 * plan.chunkSize }),
          figure("most calls in flight at the target", thawed.stats.maxInFlight, { most: LANES }),
          figure("needed burst, calls", neededBurst(thawed.log.atMs, 1000).toFixed(1), { most: 76 }),
          figure("answered 429", thawed.stats.perStatus["429"] ?? 0),
        ],
      };
    } finally {
      await weir.close();
    }
  };
}
