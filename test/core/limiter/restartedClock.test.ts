/** What a restart of the Run must not believe: that its clock still says how long it was away. */
import { describe, expect, it } from "vitest";
import { observeClock } from "../../../src/core/limiter/clockMap.ts";
import {
  afterLeap,
  createQuota,
  grant,
  type Quota,
  restoreQuota,
  withoutHolders,
} from "../../../src/core/limiter/quota.ts";
import { restartRun } from "../../../src/core/run/run.ts";
import { Invocation, plannedRun } from "../../support/coreRun.ts";

const NOW_MS = 1_000_000;
const HOUR_MS = 3_600_000;

/** A quota of 100/s that gave out 100 instants, and where the last of them lies. */
function spent(): { readonly quota: Quota; readonly lastMs: number } {
  const asked = grant(createQuota({ ratePerSecond: 100, burst: null }, NOW_MS), {
    nowMs: NOW_MS,
    want: 100,
    holder: "i",
  });
  const { grant: given } = asked;
  if (given.kind !== "granted") throw new Error("granted");
  return { quota: asked.quota, lastMs: NOW_MS + given.firstInMs + (given.count - 1) * given.everyMs };
}

function firstInMs(quota: Quota, nowMs: number): number {
  const asked = grant(quota, { nowMs, want: 1, holder: "i" }).grant;
  return asked.kind === "granted" ? asked.firstInMs : asked.kind === "deferred" ? asked.askAgainInMs : 0;
}

describe("a restarted run", () => {
  it("waits for the instants that are out, however far its clock was set forward", () => {
    const { quota, lastMs } = spent();
    const steppedMs = NOW_MS + HOUR_MS;
    expect(restoreQuota(quota, steppedMs).tat.tatMs).toBeGreaterThan(lastMs + HOUR_MS);
  });

  it("waits for them as well when its clock was set back", () => {
    const { quota, lastMs } = spent();
    expect(restoreQuota(quota, NOW_MS).tat.tatMs).toBeGreaterThan(lastMs);
  });

  it("waits one interval when all who held instants are gone", () => {
    const { quota } = spent();
    const laterMs = NOW_MS + HOUR_MS;
    const freed = withoutHolders(restoreQuota(quota, laterMs), laterMs);
    expect(firstInMs(freed, laterMs)).toBeLessThan(12);
    expect(firstInMs(freed, laterMs)).toBeGreaterThanOrEqual(10);
  });

  it("answers so that nobody goes by its former clock", () => {
    const run = plannedRun(10);
    const before = new Invocation(run, "a").ask(1000).clockMs ?? 0;
    const restarted = restartRun(run.state, run, 1008);
    const after = new Invocation(restarted, "b").ask(1008).clockMs ?? 0;
    const map = observeClock(null, { sentMs: 0, receivedMs: 2, remoteMs: before });
    const fresh = observeClock(null, { sentMs: 3, receivedMs: 2000, remoteMs: after });
    expect(observeClock(map, { sentMs: 3, receivedMs: 2000, remoteMs: after })).toEqual(fresh);
  });
});

describe("a clock that leaps", () => {
  it("keeps new instants behind those that may still be unused", () => {
    const { quota, lastMs } = spent();
    const leaptMs = NOW_MS + HOUR_MS;
    const leapt = afterLeap(quota, NOW_MS, leaptMs);
    expect(firstInMs(leapt, leaptMs)).toBeGreaterThanOrEqual(lastMs - NOW_MS);
  });

  it("changes nothing when nothing is out", () => {
    const quota = createQuota({ ratePerSecond: 100, burst: null }, NOW_MS);
    expect(afterLeap(quota, NOW_MS + 1, NOW_MS + HOUR_MS)).toBe(quota);
  });
});
