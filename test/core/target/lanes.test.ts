/** Calls at once under one target: no more lanes than it allows, and a turn for each where they are too few. */
import { describe, expect, it } from "vitest";
import { fairLanes, fairShares } from "../../../src/core/target/fairShares.ts";
import { TargetWorld } from "../../support/targetWorld.ts";

const live = (world: TargetWorld) =>
  world.runs.reduce((sum, run) => sum + (run.isDead ? 0 : run.driver.run!.semaphore.live.size), 0);

describe("lanes of a target", () => {
  it("are shared by runs that come and go, and never more than there are", () => {
    const world = new TargetWorld({ settings: { maxParallelism: 20 } });
    let most = 0;
    const watch = () => {
      most = Math.max(most, live(world));
    };
    const a = world.join({ lanes: 50 });
    world.play(3000, watch);
    expect(live(world)).toBe(20);
    const b = world.join({ lanes: 50 });
    world.play(6000, watch);
    expect([a, b].map((run) => run.driver.run!.semaphore.live.size)).toEqual([10, 10]);
    b.driver.change((run) => {
      run.state.status = "paused";
    });
    world.play(4000, watch);
    expect(a.driver.run!.semaphore.live.size).toBe(20);
    expect(most).toBeLessThanOrEqual(20);
  });

  it("of a run that died go to others when its last lane's lease is over, and not before", () => {
    const world = new TargetWorld({ settings: { maxParallelism: 10 } });
    const a = world.join({ lanes: 50 });
    const b = world.join({ lanes: 50 });
    world.play(6000);
    b.isDead = true;
    world.play(31_000);
    expect(a.driver.run!.semaphore.live.size).toBe(5);
    world.play(35_000);
    expect(a.driver.run!.semaphore.live.size).toBe(10);
  });

  it("are given back where the target does not answer, before they are another run's", () => {
    const world = new TargetWorld({ settings: { maxParallelism: 10 } });
    const a = world.join({ lanes: 50 });
    world.play(3000);
    world.isAway = true;
    world.play(16_500);
    expect(a.driver.run!.semaphore.live.size).toBe(0);
    world.isAway = false;
    world.play(5000);
    expect(a.driver.run!.semaphore.live.size).toBe(10);
  });

  it("too few for all go round", () => {
    const world = new TargetWorld({ settings: { maxParallelism: 1 } });
    const runs = [world.join({ lanes: 5 }), world.join({ lanes: 5 })];
    const had = new Set<string>();
    world.play(45_000, () => {
      for (const run of runs) if (run.driver.run!.semaphore.live.size > 0) had.add(run.id);
    });
    expect(had.size).toBe(2);
  });
});

describe("fair shares", () => {
  const claim = (want: number | null, weight = 1, most: number | null = null) => ({ want, weight, most });

  it.each([
    [100, [claim(null), claim(null)], [50, 50]],
    [100, [claim(null, 3), claim(null)], [75, 25]],
    [100, [claim(10), claim(null)], [10, 90]],
    [100, [claim(10), claim(20)], [45, 55]],
    [100, [claim(10, 1, 15), claim(20, 1, 30)], [15, 30]],
    [100, [claim(0), claim(5)], [0, 100]],
    [0, [claim(null)], [0]],
    [100, [], []],
  ])("of %d for %j are %j", (limit, claims, shares) => {
    expect(fairShares(limit, claims).map((share) => Math.round(share * 1e6) / 1e6)).toEqual(shares);
  });

  it("in lanes are whole, and those without one come first and take turns", () => {
    const three = [claim(null), claim(null), claim(null)];
    expect(fairLanes(2, three, 0)).toEqual([1, 1, 0]);
    expect(fairLanes(2, three, 1)).toEqual([0, 1, 1]);
    expect(fairLanes(2, three, 2)).toEqual([1, 0, 1]);
    expect(fairLanes(7, [claim(null), claim(null)], 0)).toEqual([4, 3]);
    expect(fairLanes(5, [claim(null, 10), claim(null)], 3)).toEqual([4, 1]);
  });
});
