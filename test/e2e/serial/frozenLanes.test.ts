/**
 * Half of a run's lanes are frozen (SIGSTOP of their process) for longer than their leases last, then let go. The
 * commits that were under way are late: the Run refuses them, and the parts they named are adopted.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LEASE_MARGIN_MS, LEASE_TTL_MS } from "../../../src/core/limits.ts";
import { freezeHalf } from "../../support/frozenHalf.ts";
import { repeatedCalls, wrongRows } from "../../support/killedRun.ts";
import { neededBurst } from "../../support/neededBurst.ts";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { startTwoProcesses, type TwoProcesses } from "../../support/twoProcesses.ts";

const PLAN = { ids: 5000, lanes: 20, ratePerSecond: 125, chunkSize: 50, fromCall: 300 };

describe("lanes frozen past their leases and then let go", () => {
  let target: Target;
  let weir: TwoProcesses;

  beforeEach(async () => {
    target = await spawnTarget({ latencyMs: [20, 60] });
    weir = await startTwoProcesses();
  });
  afterEach(async () => {
    await weir.close();
    await target.close();
  });

  test("commit nothing, double nothing and pass no bound", async () => {
    const forMs = LEASE_TTL_MS + LEASE_MARGIN_MS + 2000;
    const thawed = await freezeHalf(weir, target, { ...PLAN, forMs, lateCommits: true });
    expect(thawed.doneAtThaw).toBeLessThan(PLAN.ids);
    expect(thawed.run).toMatchObject({ status: "completed", counts: { done: PLAN.ids, ok: PLAN.ids } });
    expect(wrongRows(thawed.rows, PLAN.ids)).toBe(0);
    expect(thawed.refused.length).toBeGreaterThan(0);
    expect(thawed.adopted).toBe(thawed.refused.filter(({ sha256 }) => sha256 !== null).length);
    expect(repeatedCalls(thawed.log)).toBeLessThanOrEqual(PLAN.lanes * PLAN.chunkSize);
    expect(thawed.stats.maxInFlight).toBeLessThanOrEqual(PLAN.lanes);
    expect(neededBurst(thawed.log.atMs, PLAN.ratePerSecond)).toBeLessThanOrEqual(
      Math.max(PLAN.ratePerSecond * 0.075, 1) + 1,
    );
  });
});
