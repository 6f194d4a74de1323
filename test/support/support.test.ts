/** The referee is checked before the game: the target's limiter and the figures drawn from its log. */
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { failsOnce, isMissing, planFaults } from "./faults.ts";
import { arrivalFigures, mostInWindow, neededBurst } from "./neededBurst.ts";
import { StrictLimit } from "./strictLimit.ts";
import { startTarget } from "./target.ts";
import type { Target, TargetOptions } from "./targetOptions.ts";

const evenly = (count: number, everyMs: number) => Array.from({ length: count }, (_, i) => i * everyMs);
const arrivals = fc
  .array(fc.integer({ min: 0, max: 40 }), { maxLength: 200 })
  .map((gaps) => gaps.map((_, i) => gaps.slice(0, i + 1).reduce((sum, gap) => sum + gap, 0)));

describe("needed burst", () => {
  test.each([
    ["nothing", [], 1000, 0],
    ["one call", [5], 1000, 1],
    ["calls exactly at the rate", evenly(50, 1), 1000, 1],
    ["calls below the rate", evenly(50, 3), 1000, 1],
    ["ten at one instant", Array(10).fill(7), 1000, 10],
    ["twice the rate for 100 calls", evenly(100, 0.5), 1000, 50.5],
    ["two bursts with time to refill between", [0, 0, 0, 100, 100, 100], 100, 3],
    ["two bursts without", [0, 0, 0, 10, 10, 10], 100, 5],
  ])("of %s", (_, times, rate, needed) => {
    expect(neededBurst(times, rate)).toBeCloseTo(needed, 6);
  });

  test("is the smallest bucket that rejects nothing", () => {
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 20, max: 500 }), (times, ratePerSecond) => {
        const needed = neededBurst(times, ratePerSecond);
        const refusals = (burst: number) => {
          const limit = new StrictLimit({ ratePerSecond, burst });
          return times.filter((atMs) => limit.admit(atMs) !== null).length;
        };
        expect(refusals(needed + 1e-6)).toBe(0);
        if (needed > 1.01) expect(refusals(needed - 0.01)).toBeGreaterThan(0);
      }),
    );
  });
});

describe("windows", () => {
  test.each([
    [[0, 5, 9], 10, 3],
    [[0, 5, 10], 10, 2],
    [[0, 5, 10, 11, 12], 10, 4],
    [[], 10, 0],
  ])("of %j in %i ms hold at most %i", (times, windowMs, most) => {
    expect(mostInWindow(times, windowMs)).toBe(most);
  });

  test("agree with counting every window from every arrival", () => {
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 1, max: 200 }), (times, windowMs) => {
        const slow = times.map((from) => times.filter((t) => t >= from && t < from + windowMs).length);
        expect(mostInWindow(times, windowMs)).toBe(Math.max(0, ...slow));
      }),
    );
  });

  test("and means are over first to last", () => {
    expect(arrivalFigures(evenly(101, 10), 100)).toMatchObject({
      calls: 101,
      spanMs: 1000,
      meanPerSecond: 100,
      mostIn: { 10: 1, 100: 10, 1000: 100, 10000: 101 },
    });
  });
});

describe("the strict limit", () => {
  test("accepts at most rate × window + burst in any window", () => {
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 1, max: 20 }), (times, burst) => {
        const limit = new StrictLimit({ ratePerSecond: 100, burst });
        const accepted = times.filter((atMs) => limit.admit(atMs) === null);
        expect(neededBurst(accepted, 100)).toBeLessThanOrEqual(burst + 1e-6);
      }),
    );
  });

  test("refuses until the instant it names and accepts then", () => {
    const limit = new StrictLimit({ ratePerSecond: 10, burst: 1 });
    expect(limit.admit(0)).toBeNull();
    expect(limit.admit(30)).toBeCloseTo(70, 6);
    expect(limit.admit(99)).toBeCloseTo(1, 6);
    expect(limit.admit(100)).toBeNull();
  });
});

describe("faults", () => {
  test("hit close to the share asked for, and different ids for different faults", () => {
    const ids = Array.from({ length: 20_000 }, (_, i) => `u_${i}`);
    const missing = ids.filter((id) => isMissing(id, 0.01));
    const once = ids.filter((id) => failsOnce(id, 0.01));
    for (const hit of [missing, once]) expect(Math.abs(hit.length - 200)).toBeLessThan(50);
    expect(missing.filter((id) => failsOnce(id, 0.01)).length).toBeLessThan(15);
  });

  test("follow the steps of the first rule that matches, call by call", () => {
    const fault = planFaults({
      rules: [
        { ids: "^a$", steps: [{ do: "hang" }, { do: "drop" }], after: "ok" },
        { ids: "^[ab]$", steps: [{ do: "garbage" }], after: "repeat" },
      ],
      refuseFromCall: 100,
    });
    const ask = (id: string, callOfId: number, callOfAll = 1) => fault({ id, callOfId, callOfAll })?.do;
    expect([ask("a", 1), ask("a", 2), ask("a", 3)]).toEqual(["hang", "drop", undefined]);
    expect([ask("b", 1), ask("b", 9), ask("c", 1)]).toEqual(["garbage", "garbage", undefined]);
    expect(ask("c", 1, 100)).toBe("status");
  });
});

describe("the target", () => {
  const running: Target[] = [];
  afterEach(async () => {
    for (const target of running.splice(0)) await target.close();
  });
  const start = async (options: TargetOptions) => {
    const target = await startTarget(options);
    running.push(target);
    return target;
  };

  test("answers 429 with Retry-After over its limit and logs every arrival", async () => {
    const target = await start({ limit: { ratePerSecond: 1, burst: 2 } });
    const answers = [];
    for (const id of ["a", "b", "c"]) answers.push(await fetch(`${target.url}/v1/users/${id}`));
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 429]);
    expect(answers[2]?.headers.get("retry-after")).toBe("1");
    expect(await target.stats()).toMatchObject({ calls: 3, distinctIds: 3, perStatus: { 200: 2, 429: 1 } });
    const { ids, atMs } = await target.log();
    expect(ids).toEqual(["a", "b", "c"]);
    expect([...atMs].sort((x, y) => x - y)).toEqual(atMs);
  });

  test("keeps whole requests as they came", async () => {
    const target = await start({ capture: 1 });
    const body = '{"name":"a/b"}';
    await fetch(`${target.url}/v1/users/a%2Fb?x=1`, { method: "POST", headers: { "x-key": "k" }, body });
    expect(await target.captured()).toMatchObject([
      { method: "POST", url: "/v1/users/a%2Fb?x=1", headers: { "x-key": "k" }, body },
    ]);
  });

  test("drops, cuts and refuses when told to", async () => {
    const target = await start({
      rules: [
        { ids: "drop", steps: [{ do: "drop" }], after: "repeat" },
        { ids: "cut", steps: [{ do: "closeMidBody" }], after: "repeat" },
      ],
    });
    await expect(fetch(`${target.url}/v1/users/drop`)).rejects.toThrow();
    await expect(fetch(`${target.url}/v1/users/cut`).then((answer) => answer.text())).rejects.toThrow();
    await target.set({ down: true });
    await expect(fetch(`${target.url}/v1/users/ok`)).rejects.toThrow();
    await target.set({ down: false });
    expect((await fetch(`${target.url}/v1/users/ok`)).status).toBe(200);
  });
});
