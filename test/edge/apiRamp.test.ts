/** A ramp over REST: its defaults, its plan, what the run's JSON says of it, and a change while it goes. */
import { describe, expect, it } from "vitest";
import type { RunView } from "../../src/core/run/runView.ts";
import { RAMP_DEFAULTS } from "../../src/core/spec.ts";
import { answer, call } from "./callApi.ts";
import { ended, numbers, SLOW, start, USERS } from "./runsOverApi.ts";

const source = { kind: "items", items: numbers(20) };
const task = { kind: "http", url: USERS };

describe("a run with a ramp", () => {
  it("begins with a share of its limits, says so, and is given all of them", async () => {
    const made = await start({ source, ...SLOW, quota: { requests: "10/h" }, maxParallelism: 8, ramp: {} });
    expect(made.spec.ramp).toEqual(RAMP_DEFAULTS);
    expect(made.ramp).toMatchObject({ share: 0.5, lanes: 4, isDone: false, nextStepAt: null });
    expect(made.ramp?.steps).toEqual([{ at: expect.any(String), share: 0.5, because: null }]);
    expect(made.rate.effectiveLimitPerSecond).toBeCloseTo(5 / 3600, 9);
    const changed = await answer<RunView>(
      await call("PATCH", `/v1/runs/${made.id}`, { ramp: { from: "20%", step: null } }),
    );
    expect(changed.body.spec.ramp).toEqual({ ...RAMP_DEFAULTS, from: "20%" });
    expect(changed.body.ramp).toMatchObject({ share: 0.2, lanes: 2 });
    const whole = await answer<RunView>(await call("PATCH", `/v1/runs/${made.id}`, { ramp: null }));
    expect([whole.body.ramp, whole.body.spec.ramp]).toEqual([null, null]);
    expect(whole.body.rate.effectiveLimitPerSecond).toBeCloseTo(10 / 3600, 9);
    await call("POST", `/v1/runs/${made.id}/cancel`);
  });

  it("ends as any other, with the steps that were taken", async () => {
    const { id } = await start({ source, task, quota: { requests: "1000/s" }, ramp: {} });
    const run = await ended(id);
    expect([run.counts.done, run.ramp?.share, run.ramp?.steps.length]).toEqual([20, 0.5, 1]);
  });

  it.each([
    [{ from: "half" }, "ramp.from"],
    [{ everyMs: 1 }, "ramp.everyMs"],
    [{ every: 1 }, "ramp.every"],
  ])("is refused with %j", async (ramp, path) => {
    const { status, body } = await answer(await call("POST", "/v1/runs", { source, task, ramp }));
    expect([status, body.error.path]).toEqual([400, path]);
  });

  it("is planned with its steps", async () => {
    const spec = { source, task, quota: { requests: "10/min" }, maxParallelism: 5 };
    const plan = async (change: object) =>
      (await answer<Record<string, unknown>>(await call("POST", "/v1/plans", { ...spec, ...change }))).body;
    const without = await plan({});
    const ramped = await plan({ ramp: { from: "50%", step: "25%", everyMs: 30_000 } });
    expect([without.ramp, ramped.ramp]).toEqual([
      null,
      [
        { afterSeconds: 0, share: 0.5, ratePerSecond: 0.0833333, lanes: 3 },
        { afterSeconds: 30, share: 0.75, ratePerSecond: 0.125, lanes: 4 },
        { afterSeconds: 60, share: 1, ratePerSecond: 0.166667, lanes: 5 },
      ],
    ]);
    // Half of 30 s and a quarter of 30 s are missing.
    expect(ramped.etaSeconds).toBe(Math.ceil(Number(without.etaSeconds) + 22.5));
  });
});
