/** A ramp is a cap beside a target's share: the smaller one is in force. */
import { describe, expect, it } from "vitest";
import { patch, type Run, settingsInForce } from "../../../src/core/run/run.ts";
import { lanesAllowed, takeShare } from "../../../src/core/run/targetShare.ts";
import { view } from "../../../src/core/run/view.ts";
import { RAMP_DEFAULTS, SPEC_DEFAULTS, type Spec } from "../../../src/core/spec.ts";
import { plannedRun } from "../../support/coreRun.ts";

const QUOTA: Spec["quota"] = { target: "crm", requests: "100/s", burst: null };
const AT = { nowMs: 10, wallMs: 10 };

function sharing(perSecond: number, lanes: number | null): Run {
  const run = plannedRun(1000, { quota: QUOTA, maxParallelism: 40, ramp: RAMP_DEFAULTS });
  give(run, perSecond, lanes);
  return run;
}

function give(run: Run, perSecond: number, lanes: number | null): void {
  const limits = { perSecond, tokensPerSecond: null, lanes };
  const answer = {
    kind: "share" as const,
    share: limits,
    ttlMs: 10_000,
    askAgainInMs: 1000,
    epoch: 1,
    pauseMs: 0,
    of: limits,
    configuredPerSecond: 200,
    burst: null,
    runs: 2,
  };
  takeShare(run, answer, { sentMs: 0, nowMs: 0 }, () => settingsInForce(run));
}

const effective = (run: Run) => view(run, { ...AT, driven: true }).rate.effectiveLimitPerSecond;

describe("a ramp under a share", () => {
  it("bounds a share that is larger, and is bounded by one that is smaller", () => {
    const large = sharing(80, 30);
    expect([effective(large), lanesAllowed(large)]).toEqual([50, 20]);
    const small = sharing(30, 10);
    expect([effective(small), lanesAllowed(small)]).toEqual([30, 10]);
  });

  it("that is taken away leaves the share", () => {
    const run = sharing(80, 30);
    expect(patch(run, { ramp: null }, SPEC_DEFAULTS, AT)).toEqual({ kind: "ok" });
    expect([effective(run), lanesAllowed(run)]).toEqual([80, 30]);
  });

  it("is changed while the share is nothing, and no limiter runs at 0", () => {
    const run = sharing(80, 30);
    give(run, 0, 0);
    expect(patch(run, { ramp: null, quota: { requests: "60/s" } }, SPEC_DEFAULTS, AT)).toEqual({
      kind: "ok",
    });
    expect([effective(run), lanesAllowed(run)]).toEqual([60, 0]);
  });
});

describe("a share of tokens", () => {
  const tokens: Spec["quota"] = { target: "crm", requests: null, burst: null, tokens: "60000/min" };

  it("is no throttling, and cannot be given up", () => {
    const run = plannedRun(1000, { quota: tokens });
    const share = { perSecond: null, tokensPerSecond: 500, lanes: null };
    const of = { ...share, tokensPerSecond: 1000 };
    const at = { ttlMs: 10_000, askAgainInMs: 1000, epoch: 1, pauseMs: 0, burst: null, runs: 2 };
    takeShare(
      run,
      { kind: "share", share, of, configuredPerSecond: null, ...at },
      { sentMs: 0, nowMs: 0 },
      () => settingsInForce(run),
    );
    expect(view(run, { ...AT, driven: true }).why).not.toContain("throttled");
    expect(patch(run, { quota: { requests: "5/s", tokens: null } }, SPEC_DEFAULTS, AT)).toMatchObject({
      kind: "conflict",
      message: expect.stringContaining("quota.tokens cannot be removed under a target"),
    });
  });
});
