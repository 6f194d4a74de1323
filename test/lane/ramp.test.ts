/** A run that begins with a share of its limits: real lanes and a real Run core in virtual time. */
import { describe, expect, it } from "vitest";
import { patch } from "../../src/core/run/run.ts";
import { view } from "../../src/core/run/view.ts";
import { RAMP_DEFAULTS, SPEC_DEFAULTS } from "../../src/core/spec.ts";
import { LaneWorld, type WorldOptions } from "../support/laneWorld.ts";
import { neededBurst } from "../support/neededBurst.ts";

const EVERY_MS = 10_000;
const RAMP = { ...RAMP_DEFAULTS, step: "25%", everyMs: EVERY_MS };

function rampWorld(change: Partial<WorldOptions>): LaneWorld {
  const { spec = {}, ...rest } = change;
  return new LaneWorld({
    items: 2500,
    latencyMs: [90, 110],
    ...rest,
    spec: { chunkSize: 100, maxParallelism: 40, ramp: RAMP, ...spec },
  });
}

const shown = ({ run, time }: LaneWorld) =>
  view(run, { nowMs: time.nowMs, wallMs: time.nowMs, driven: true });

/** From and to when each share was in force, in the order of the steps. */
function phases(world: LaneWorld): readonly { share: number; fromMs: number; toMs: number }[] {
  const steps = shown(world).ramp?.steps ?? [];
  return steps.map(({ at, share }, n) => ({
    share,
    fromMs: Date.parse(at),
    toMs: Date.parse(steps[n + 1]?.at ?? "9999-01-01T00:00Z"),
  }));
}

function expectDone(world: LaneWorld): void {
  const indexes = world.rows().map(({ index }) => index);
  expect(indexes.sort((a, b) => a - b)).toEqual([...Array(world.run.state.items).keys()]);
}

describe("a ramp of the rate", () => {
  it("keeps each step's rate, and reaches all of it", async () => {
    const world = rampWorld({ spec: { quota: { requests: "100/s", burst: null } } });
    world.keep(4);
    await world.untilEnded();
    expectDone(world);
    expect(phases(world).map(({ share }) => share)).toEqual([0.5, 0.75, 1]);
    for (const { share, fromMs, toMs } of phases(world)) {
      const times = world.callTimes().filter((ms) => ms >= fromMs && ms < toMs);
      const rate = 100 * share;
      expect(neededBurst(times, rate)).toBeLessThanOrEqual(rate * 0.075 + 1);
      const forMs = Math.min(toMs, times.at(-1)!) - fromMs;
      expect(times.length).toBeGreaterThan(0.9 * rate * (forMs / 1000) - 20);
    }
    expect(shown(world).ramp).toMatchObject({ share: 1, ratePerSecond: 100, lanes: 40, isDone: true });
  });

  it("says what it does, and what comes next", async () => {
    const world = rampWorld({ spec: { quota: { requests: "100/s", burst: null } } });
    world.keep(4);
    world.time.after(5000, () => {});
    await world.time.runUntil(() => world.time.nowMs >= 5000, 5000);
    const { why, rate, ramp } = shown(world);
    expect(why).toMatch(/^ramping: 50\/s of 100\/s, next step in \d s if clean$/);
    expect([rate.limitPerSecond, rate.effectiveLimitPerSecond]).toEqual([100, 50]);
    expect(ramp).toMatchObject({ share: 0.5, ratePerSecond: 50, lanes: 20, isDone: false });
  });

  it("goes back from a step that the target does not take, and says why", async () => {
    const sent: number[] = [];
    const world = rampWorld({
      items: 4000,
      spec: { quota: { requests: "100/s", burst: null } },
      // Takes 85 calls in any second.
      outcome: (_, __, atMs) => {
        while (sent.length > 0 && sent[0]! <= atMs - 1000) sent.shift();
        if (sent.length >= 85) return { kind: "throttled", message: "429", status: 429, retryAfterMs: null };
        sent.push(atMs);
        return { kind: "ok", value: null, status: 200 };
      },
    });
    world.keep(4);
    await world.untilEnded();
    expectDone(world);
    const { steps = [] } = shown(world).ramp ?? {};
    expect(steps.slice(0, 4).map(({ share }) => share)).toEqual([0.5, 0.75, 1, 0.75]);
    expect(steps[3]?.because).toMatch(/ % of [\d,]+ calls failed, and ramp\.maxFailureRate allows 1 %$/);
  });

  it("survives a restart of the Run and of the process", async () => {
    const world = rampWorld({ spec: { quota: { requests: "100/s", burst: null } } });
    world.keep(4);
    world.time.after(15_000, () => {});
    await world.time.runUntil(() => world.time.nowMs >= 15_000, 15_000);
    expect(shown(world).ramp?.share).toBe(0.75);
    world.resumeElsewhere();
    expect(shown(world).ramp?.share).toBe(0.75);
    world.keep(4);
    await world.untilEnded();
    expectDone(world);
    expect(phases(world).map(({ share }) => share)).toEqual([0.5, 0.75, 1]);
  });
});

describe("a ramp of lanes alone", () => {
  /** The most calls under way at once that began in a phase; each takes 100 ms. */
  const mostAtOnce = (times: readonly number[]) =>
    Math.max(...times.map((ms, n) => times.slice(0, n + 1).filter((other) => other > ms - 100).length));

  it("has no more of them than the step allows", async () => {
    const world = rampWorld({ latencyMs: [100, 100], spec: { maxParallelism: 20 }, items: 4000 });
    world.keep(4);
    await world.untilEnded();
    expectDone(world);
    expect(phases(world).map(({ share }) => share)).toEqual([0.5, 0.75, 1]);
    for (const { share, fromMs, toMs } of phases(world)) {
      const times = world.callTimes().filter((ms) => ms >= fromMs && ms < toMs);
      expect(mostAtOnce(times)).toBeLessThanOrEqual(20 * share);
      expect(mostAtOnce(times)).toBeGreaterThan(20 * share - 5);
    }
  });

  it("goes back where calls take longer with more of them, and gives lanes back", async () => {
    const under = (world: LaneWorld) => world.run.semaphore.live.size;
    const world: LaneWorld = rampWorld({
      items: 4000,
      spec: { maxParallelism: 20 },
      callMs: () => (under(world) > 15 ? 250 : 100),
    });
    world.keep(4);
    await world.time.runUntil(() => (shown(world).ramp?.steps.length ?? 0) === 4, 120_000);
    const { steps = [] } = shown(world).ramp ?? {};
    expect(steps.map(({ share }) => share)).toEqual([0.5, 0.75, 1, 0.75]);
    expect(steps[3]?.because).toMatch(/^calls took 2\d\d ms, 2\.\d+ times the 100 ms before/);
    expect(shown(world).why).toMatch(
      /^ramping: 15 of 20 lanes, next step in 20 s if clean; it went back a step: calls took/,
    );
    world.time.after(2000, () => {});
    const atMs = world.time.nowMs + 2000;
    await world.time.runUntil(() => world.time.nowMs >= atMs, atMs);
    expect(under(world)).toBe(15);
  });
});

describe("a ramp that is changed while the run goes", () => {
  it("ends, and begins anew", async () => {
    const world = rampWorld({ items: 6000, spec: { quota: { requests: "100/s", burst: null } } });
    const at = () => ({ nowMs: world.time.nowMs, wallMs: world.time.nowMs });
    const effective = () => shown(world).rate.effectiveLimitPerSecond;
    world.keep(4);
    world.time.after(5000, () => {
      expect(patch(world.run, { ramp: null }, SPEC_DEFAULTS, at())).toEqual({ kind: "ok" });
      expect([shown(world).ramp, effective()]).toEqual([null, 100]);
    });
    world.time.after(8000, () => {
      patch(world.run, { ramp: { from: "10%" } }, SPEC_DEFAULTS, at());
      expect([shown(world).spec.ramp, effective()]).toEqual([{ ...RAMP_DEFAULTS, from: "10%" }, 10]);
    });
    world.time.after(9000, () => {
      patch(world.run, { quota: { requests: "200/s" }, maxParallelism: 100 }, SPEC_DEFAULTS, at());
      expect(shown(world)).toMatchObject({ ramp: { ratePerSecond: 20, lanes: 10 } });
      expect(effective()).toBe(20);
      patch(world.run, { ramp: null }, SPEC_DEFAULTS, at());
    });
    await world.untilEnded();
    expectDone(world);
  });
});
