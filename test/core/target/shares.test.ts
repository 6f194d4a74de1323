/** Runs under one target: what each gets, how fast it moves on, and that all together never pass the limit. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { heldByAll } from "../../../src/core/target/holdings.ts";
import { reserveHeld } from "../../../src/core/target/reserve.ts";
import { neededBurst } from "../../support/neededBurst.ts";
import { type PlayedRun, TargetWorld } from "../../support/targetWorld.ts";

/** What is given out of the rate at this moment, per second. */
function givenOut(world: TargetWorld): number {
  const { target, nowMs } = world.target.look()!;
  return heldByAll(target.holders.values(), "perSecond", nowMs) + reserveHeld(target.reserve, nowMs);
}

describe("runs under one target", () => {
  it("share its rate evenly, and one alone has all of it", () => {
    const world = new TargetWorld({ settings: { requests: "500/s" } });
    const a = world.join();
    world.play(5000);
    const b = world.join();
    const joinedMs = world.nowMs;
    world.play(15_000);
    expect(a.rate(joinedMs - 3000, joinedMs)).toBeGreaterThan(495);
    for (const run of [a, b]) {
      const rate = run.rate(joinedMs + 4000, joinedMs + 14_000);
      expect(rate).toBeGreaterThan(240);
      expect(rate).toBeLessThan(260);
    }
    expect(neededBurst(world.instants(), 500)).toBeLessThanOrEqual(2);
  });

  it("are stored when what is given out changes, not at every ask", () => {
    const world = new TargetWorld({ settings: { requests: "500/s" } });
    world.join();
    world.join();
    world.play(20_000);
    const before = world.stored;
    world.play(20_000);
    // Two runs ask some 80 times: their leases are renewed, and nothing else changes.
    expect(world.stored - before).toBeLessThan(20);
  });

  it("get shares by their weights", () => {
    const world = new TargetWorld({ settings: { requests: "400/s" } });
    const heavy = world.join({ weight: 3 });
    const light = world.join();
    world.play(14_000);
    const fromMs = world.nowMs - 10_000;
    expect(heavy.rate(fromMs, world.nowMs)).toBeCloseTo(300, -1);
    expect(light.rate(fromMs, world.nowMs)).toBeCloseTo(100, -1);
  });

  it("leave to others what they cannot use, within 2 s", () => {
    const world = new TargetWorld({ settings: { requests: "500/s" } });
    const a = world.join();
    const b = world.join();
    world.play(10_000);
    b.wants = 0;
    const fromMs = world.nowMs;
    world.play(10_000);
    expect(a.rate(fromMs + 2000, fromMs + 9000)).toBeGreaterThan(475);
    expect(neededBurst(world.instants(), 500)).toBeLessThanOrEqual(2);
  });

  it("of which one can use a part only give the rest to the other", () => {
    const world = new TargetWorld({ settings: { requests: "500/s" } });
    const fast = world.join();
    const slow = world.join({ wants: 100 });
    world.play(20_000);
    const fromMs = world.nowMs - 10_000;
    expect(slow.rate(fromMs, world.nowMs)).toBeGreaterThan(95);
    expect(fast.rate(fromMs, world.nowMs)).toBeGreaterThan(370);
  });

  it("keep to limits of their own beside it", () => {
    const world = new TargetWorld({ settings: { requests: "500/s" } });
    const bounded = world.join({ requests: "50/s" });
    const free = world.join();
    world.play(14_000);
    const fromMs = world.nowMs - 8000;
    expect(bounded.rate(fromMs, world.nowMs)).toBeLessThanOrEqual(50.2);
    expect(free.rate(fromMs, world.nowMs)).toBeGreaterThan(440);
  });

  it("hand all of it on within 10 s of a death, and nothing before the dead one's share has run out", () => {
    const world = new TargetWorld({ settings: { requests: "500/s" } });
    const a = world.join();
    const b = world.join();
    world.play(10_000);
    b.isDead = true;
    const diedMs = world.nowMs;
    world.play(16_000);
    expect(a.rate(diedMs, diedMs + 7000)).toBeLessThan(260);
    expect(a.rate(diedMs + 11_000, diedMs + 15_000)).toBeGreaterThan(475);
    expect(neededBurst(world.instants(), 500)).toBeLessThanOrEqual(2);
  });

  it("give theirs back at once when they pause, and get it again when they go on", () => {
    const world = new TargetWorld({ settings: { requests: "500/s" } });
    const a = world.join();
    const b = world.join();
    world.play(10_000);
    b.driver.change((run) => {
      run.state.status = "paused";
    });
    const pausedMs = world.nowMs;
    world.play(8000);
    expect(a.rate(pausedMs + 3000, pausedMs + 7000)).toBeGreaterThan(475);
    b.driver.change((run) => {
      run.state.status = "running";
    });
    const resumedMs = world.nowMs;
    world.play(9000);
    expect(b.rate(resumedMs + 4000, resumedMs + 8000)).toBeGreaterThan(225);
  });

  it("take on a changed limit within 3 s", () => {
    const world = new TargetWorld({ settings: { requests: "500/s" } });
    const runs = [world.join(), world.join()];
    world.play(10_000);
    const { settings } = world.target.target!;
    const both = (fromMs: number, toMs: number) => runs.reduce((sum, run) => sum + run.rate(fromMs, toMs), 0);
    world.target.configure({ ...settings, requests: "100/s" });
    const cutMs = world.nowMs;
    world.play(8000);
    expect(both(cutMs + 3000, cutMs + 7000)).toBeLessThanOrEqual(101);
    expect(both(cutMs + 3000, cutMs + 7000)).toBeGreaterThan(93);
    world.target.configure({ ...settings, requests: "600/s" });
    const raisedMs = world.nowMs;
    world.play(8000);
    expect(both(raisedMs + 3000, raisedMs + 7000)).toBeGreaterThan(570);
  });

  it("share a rate of a few calls a minute and pass it by one call each at most", () => {
    const world = new TargetWorld({ settings: { requests: "6/min" } });
    world.join();
    world.join();
    world.play(300_000);
    const calls = world.instants().filter((at) => at < world.nowMs).length;
    expect(calls).toBeGreaterThan(24);
    expect(neededBurst(world.instants(), 0.1)).toBeLessThanOrEqual(2);
  });

  it("are given no more than its limit, whatever is lost, late, frozen, dead or restarted", {
    timeout: 240_000,
  }, () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000 }), fc.boolean(), (seed, restarts) => {
        const settings = { requests: "300/s", reserve: 0.1 };
        const world = new TargetWorld({ settings, seed, delayMs: [2, 200], loss: 0.1 });
        let most = 0;
        world.join();
        for (let second = 0; second < 40; second++) {
          misfortune(world, restarts);
          world.play(1000, () => {
            most = Math.max(most, givenOut(world));
          });
        }
        // A target that begins anew counts what was stored, which is more than what is out.
        if (!restarts) expect(most).toBeLessThanOrEqual(300 + 1e-6);
        expect(neededBurst(world.instants(), 300)).toBeLessThanOrEqual(world.runs.length + 1);
      }),
      { numRuns: 16 },
    );
  });
});

/** Something happens to somebody. */
function misfortune(world: TargetWorld, restarts: boolean): void {
  const { random, runs } = world;
  const run: PlayedRun | undefined = runs[Math.floor(random() * runs.length)];
  const chance = random();
  if (chance < 0.15 && runs.length < 5)
    world.join({ weight: 1 + Math.floor(random() * 3), aheadMs: random() * 2000 });
  else if (chance < 0.25 && restarts) world.restartTarget();
  else if (chance < 0.4 && run !== undefined && !run.isDead) run.restart();
  else if (chance < 0.45 && run !== undefined) run.isDead = true;
  else if (chance < 0.55 && run !== undefined) run.isFrozen = !run.isFrozen;
  else if (chance < 0.7 && run !== undefined)
    run.wants = random() < 0.5 ? Number.POSITIVE_INFINITY : random() * 400;
  else if (chance < 0.8) world.isAway = !world.isAway;
  else if (chance < 0.95) world.takePermits(Math.ceil(random() * 20), random() * 2000);
}
