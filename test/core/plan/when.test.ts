import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { estimatePlan } from "../../../src/core/plan/estimate.ts";
import { planWhen } from "../../../src/core/plan/when.ts";
import { WINDOW_DEFAULTS } from "../../../src/core/spec.ts";

const HOUR_MS = 3_600_000;
const NOON = Date.UTC(2026, 0, 1, 12);
const NIGHT = { ...WINDOW_DEFAULTS, from: "22:00", to: "02:00" };
const plain = {
  nowMs: NOON,
  window: null,
  dueMs: null,
  workMs: 6 * HOUR_MS,
  calls: 1000,
  turnMs: 200,
  ramp: null,
};

describe("when a planned run is done", () => {
  it("is after its work, or after as many nights as it takes", () => {
    expect(planWhen(plain)).toEqual({ etaMs: 6 * HOUR_MS, opening: null, deadline: null });
    const when = planWhen({ ...plain, window: NIGHT });
    expect(when.etaMs).toBe(36 * HOUR_MS);
    expect(when.opening).toEqual({ isOpen: false, changesAtMs: NOON + 10 * HOUR_MS });
  });

  it("is not told where it takes hundreds of openings", () => {
    const { etaMs } = planWhen({ ...plain, window: { ...NIGHT, to: "22:01" } });
    expect(etaMs).toBe(null);
  });

  it("misses a deadline between two nights, and a rate would keep it", () => {
    const when = planWhen({ ...plain, window: NIGHT, dueMs: NOON + 20 * HOUR_MS, calls: 21_600 });
    expect(when.deadline).toEqual({
      atMs: NOON + 20 * HOUR_MS,
      missedByMs: 16 * HOUR_MS,
      perSecond: 1.51,
      lanes: 1,
    });
  });

  it("knows no rate where no call may leave before the deadline, nor where the items are not known", () => {
    const due = { ...plain, window: NIGHT, dueMs: NOON + HOUR_MS };
    expect(planWhen(due).deadline).toMatchObject({ missedByMs: 35 * HOUR_MS, perSecond: null, lanes: null });
    expect(planWhen({ ...due, calls: null }).deadline).toMatchObject({ missedByMs: null, perSecond: null });
  });

  it("is in time with the rate and the lanes that it names, as the plan itself reckons", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 200_000 }),
        fc.integer({ min: 1, max: 2000 }),
        fc.integer({ min: 5000, max: 100_000_000 }),
        (items, callMs, forMs) => {
          const when = planWhen({ ...plain, calls: items, turnMs: callMs, dueMs: NOON + forMs });
          const { perSecond, lanes } = when.deadline ?? {};
          if (perSecond == null || lanes == null || perSecond > 1_000_000) return;
          const plan = estimatePlan({
            items,
            chunkSize: items,
            maxParallelism: lanes + 2,
            ratePerSecond: perSecond,
            callMs,
            lanesPerChunk: lanes + 2,
          });
          // A plan is in whole seconds, its lanes end together, and its first chunk is handed over.
          if (plan.limitedBy === "quota") expect(plan.etaSeconds * 1000).toBeLessThan(forMs + 1001);
        },
      ),
    );
  });
});
