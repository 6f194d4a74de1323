/** Throttled answers under one target: what one run sees slows all, once a round, and a pause is everyone's. */
import { describe, expect, it } from "vitest";
import { neededBurst } from "../../support/neededBurst.ts";
import { type PlayedRun, TargetWorld } from "../../support/targetWorld.ts";

function two(settings: object = {}): { world: TargetWorld; a: PlayedRun; b: PlayedRun } {
  const world = new TargetWorld({ settings: { requests: "500/s", ...settings } });
  const [a, b] = [world.join(), world.join()];
  world.play(10_000);
  return { world, a, b };
}

/** Throttled answers to so many different items, under the run's present epoch. */
function throttled(run: PlayedRun, items: number, retryAfterMs: number | null) {
  const { epoch } = run.driver.run!.state.quota;
  const troubles = Array.from({ length: items }, (_, index) => ({
    kind: "throttled" as const,
    ...{ index, epoch, retryAfterMs, probe: false },
  }));
  return { throttled: items, troubles, troublesSinceAnswer: items };
}

/** The same between answers: too many to be rare, and not all. */
function tooMany(run: PlayedRun) {
  return {
    ...throttled(run, TOO_MANY, null),
    answered: TOO_MANY,
    calls: 2 * TOO_MANY,
    troublesSinceAnswer: 1,
  };
}

const TOO_MANY = 40;

describe("a 429 that one run sees", () => {
  it("slows every run of the target within a second", () => {
    const { world, a, b } = two();
    const before = world.target.target!.quota.epoch;
    a.says = tooMany(a);
    const seenMs = world.nowMs;
    world.play(1000);
    const inForce = world.target.target!.quota.feedback.ratePerSecond!;
    expect(world.target.target!.quota.epoch).toBe(before + 1);
    expect(inForce).toBeLessThan(500);
    expect(b.driver.run!.state.quota.settings.ratePerSecond).toBeLessThan(250);
    world.play(1000);
    // Instants of the former share are taken back: what counts is what was issued since.
    expect(b.rate(seenMs + 1800, seenMs + 2000)).toBeLessThan(250);
  });

  it("costs all of them a small step, and begins no round, where it is rare", () => {
    const { world, a, b } = two();
    const before = world.target.target!.quota.epoch;
    a.says = throttled(a, 1, null);
    world.play(1000);
    expect(world.target.target!.quota.epoch).toBe(before);
    expect(b.driver.run!.state.quota.settings.ratePerSecond).toBeGreaterThan(225);
  });

  it("lowers the limit once a round, whoever else sees one of the same round", () => {
    const { world, a, b } = two();
    const before = world.target.target!.quota.epoch;
    a.says = tooMany(a);
    b.says = tooMany(b);
    world.play(1500);
    expect(world.target.target!.quota.epoch).toBe(before + 1);
  });

  it("with a wait for several items is everyone's pause", () => {
    const { world, a, b } = two();
    a.says = throttled(a, 4, 5000);
    const seenMs = world.nowMs;
    world.play(1000);
    const issued = b.instants.length;
    expect(b.driver.run!.target!.pausedUntilMs).toBeGreaterThan(seenMs + 4000);
    world.play(3000);
    expect(b.instants.length).toBe(issued);
    world.play(6000);
    expect(b.instants.length).toBeGreaterThan(issued);
  });

  it("under a permit of an older limit lowers nothing", () => {
    const { world, a } = two();
    const { epoch } = world.target.target!.quota;
    const old = throttled(a, 2, null);
    a.says = { ...old, troubles: old.troubles.map((one) => ({ ...one, epoch: one.epoch - 1 })) };
    world.play(1500);
    expect(world.target.target!.quota.epoch).toBe(epoch);
  });

  it("is reported by programs as well, once a round", () => {
    const { world, b } = two({ reserve: 0.1 });
    const report = { count: 0, waitMs: 0, throttled: TOO_MANY, retryAfterMs: null };
    const { epoch } = world.target.permits({ ...report, throttled: 0, epoch: null })!;
    world.target.permits({ ...report, epoch });
    world.target.permits({ ...report, epoch });
    expect(world.target.target!.quota.epoch).toBe(epoch + 1);
    world.play(1000);
    expect(b.driver.run!.state.quota.settings.ratePerSecond).toBeLessThan(220);
  });
});

describe("the reserve", () => {
  it("is a program's within two seconds, and each of its permits within 100 ms at the median", () => {
    const world = new TargetWorld({ settings: { requests: "500/s", reserve: 0.1 } });
    world.join();
    world.join();
    world.play(8000);
    expect(world.takePermits(1, 0)!.sendInMs).toEqual([0]);
    const took: number[] = [];
    const waiting: number[] = [];
    let dueMs = world.nowMs;
    let askMs = 0;
    world.play(20_000, () => {
      if (world.nowMs >= dueMs) {
        waiting.push(world.nowMs);
        dueMs += 20;
      }
      while (waiting.length > 0 && world.nowMs >= askMs) {
        const answer = world.takePermits(1, 1000)!;
        const [inMs] = answer.sendInMs;
        if (inMs === undefined) {
          askMs = world.nowMs + answer.askAgainInMs!;
          break;
        }
        took.push(world.nowMs - waiting.shift()! + inMs);
      }
    });
    const late = took.slice(400).sort((x, y) => x - y);
    expect(late[Math.floor(late.length / 2)]).toBeLessThan(100);
    expect(neededBurst(world.instants(), 500)).toBeLessThanOrEqual(3);
  });

  it("is the runs' but for a tenth while nobody asks", () => {
    const world = new TargetWorld({ settings: { requests: "500/s", reserve: 0.2 } });
    const run = world.join();
    world.play(10_000);
    expect(run.rate(world.nowMs - 5000, world.nowMs)).toBeGreaterThan(480);
    world.takePermits(1, 0);
    expect(world.takePermits(0, 0)!.epoch).toBe(1);
  });
});
