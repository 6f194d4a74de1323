/** What refused calls teach: a rare one little, too many the rate that was taken, and how that grows again. */
import { describe, expect, test } from "vitest";
import {
  type Configured,
  type Feedback,
  type Learnt,
  learn,
  reconfigure,
  startFeedback,
} from "../../../src/core/limiter/feedback.ts";
import { createQuota } from "../../../src/core/limiter/quota.ts";
import { RARE_REFUSALS } from "../../../src/core/limits.ts";
import type { Report, Trouble } from "../../../src/core/protocol.ts";
import { report } from "../../support/coreRun.ts";
import { type SimulatedCall, type SimulationOptions, simulateQuota } from "../../support/quotaSimulation.ts";

const throttle = (index: number, change: Partial<Trouble> = {}): Trouble => ({
  kind: "throttled",
  index,
  epoch: 1,
  retryAfterMs: null,
  probe: false,
  ...change,
});

const throttles = (count: number, change: Partial<Trouble> = {}): readonly Trouble[] =>
  Array.from({ length: count }, (_, at) => throttle(at, change));

const told = (answered: number, troubles: readonly Trouble[] = []): Report => {
  const throttled = troubles.filter((t) => t.kind === "throttled").length;
  return report({ calls: answered + troubles.length, answered, troubles, throttled });
};

const THOUSAND: Configured = { perSecond: 1000 };

function step(
  feedback: Feedback,
  next: Report,
  nowMs: number,
  { configured = THOUSAND, epoch = 1 }: { configured?: Configured; epoch?: number } = {},
): Learnt {
  const learnt = learn(feedback, next, { nowMs, epoch, configured });
  const isHigher = (learnt.feedback.ratePerSecond ?? Infinity) > (feedback.ratePerSecond ?? Infinity);
  // What a closed window refused says nothing of the rate.
  if (isHigher && learnt.pauseMs === null) expect(next.answered).toBeGreaterThan(0);
  expect(learnt.feedback.ratePerSecond ?? 0).toBeLessThanOrEqual(configured.perSecond ?? Infinity);
  return learnt;
}

/** Two seconds of `perSecond` answered calls, then the reports. */
function run(
  reports: readonly Report[],
  { perSecond = 1000, configured = THOUSAND }: { perSecond?: number; configured?: Configured } = {},
): Learnt {
  let feedback = startFeedback(configured, 0);
  for (let nowMs = 0; nowMs < 2000; nowMs += 100)
    feedback = step(feedback, told(perSecond / 10), nowMs, { configured }).feedback;
  let learnt: Learnt = { feedback, lowered: false, pauseMs: null };
  for (const [i, next] of reports.entries())
    learnt = step(learnt.feedback, next, 2000 + i * 20, { configured });
  return learnt;
}

describe("a rare refusal", () => {
  test("costs what the rate grows by in as many calls as have one refusal among them", () => {
    const { feedback, lowered, pauseMs } = run([told(20, [throttle(1)])]);
    expect(feedback.ratePerSecond).toBeCloseTo(1000 - (1000 * 0.002) / (RARE_REFUSALS * 1000), 0);
    expect({ lowered, pauseMs }).toEqual({ lowered: false, pauseMs: null });
  });

  test("costs a slow rate three in a hundred at most", () => {
    const { feedback } = run([told(0, [throttle(1)])], { perSecond: 10, configured: { perSecond: 1 } });
    expect(feedback.ratePerSecond).toBeGreaterThanOrEqual(0.97);
  });

  test.each<[rule: string, troubles: readonly Trouble[]]>([
    ["of an older epoch changes nothing", [throttle(1, { epoch: 0 })]],
    ["of a probe says nothing about the rate", [throttle(1, { probe: true })]],
  ])("%s", (_, troubles) => {
    expect(run([told(20, troubles)]).feedback.ratePerSecond).toBe(1000);
  });

  test("of the item that was refused last says nothing about the rate", () => {
    const once = run([told(20, [throttle(1)])]).feedback.ratePerSecond;
    expect(run([told(20, [throttle(1)]), told(20, [throttle(1)])]).feedback.ratePerSecond).toBe(once);
  });

  test("with the wait that is the shortest to be said pauses nobody", () => {
    const asking = throttles(3, { retryAfterMs: 1000 });
    expect(run([told(20, asking.slice(0, 1)), told(20, asking.slice(1))]).pauseMs).toBeNull();
  });
});

describe("too many refusals", () => {
  test("lower the rate once and begin a new epoch, however many come together", () => {
    const { feedback, lowered } = run([told(90, throttles(10))]);
    expect(lowered).toBe(true);
    expect(feedback.ratePerSecond).toBeCloseTo(920, -1);
    expect(step(feedback, told(80, throttles(20)), 2020, { epoch: 2 }).feedback.ratePerSecond).toBe(
      feedback.ratePerSecond,
    );
  });

  test("take it to what was taken where that was not enough", () => {
    const first = run([told(50, throttles(50))]);
    const { feedback, lowered } = step(
      first.feedback,
      told(60, throttles(40, { epoch: 2, again: true })),
      2200,
      {
        epoch: 2,
      },
    );
    expect(lowered).toBe(true);
    expect(feedback.ratePerSecond).toBeLessThan(0.85 * 1000);
    expect(feedback.ratePerSecond).toBeGreaterThanOrEqual(0.55 * 1000);
  });

  test("of items that were never refused before take it to 0.4 of it and no further", () => {
    const rate = (again: Partial<Trouble>) => {
      let learnt = run([told(2, throttles(98))]);
      for (let epoch = 2; epoch < 30; epoch++) {
        const next = told(2, throttles(98, { epoch, ...again }));
        learnt = step(learnt.feedback, next, 2000 + epoch * 200, { epoch });
      }
      return learnt.feedback.ratePerSecond ?? Number.NaN;
    };
    expect(rate({})).toBe(400);
    expect(rate({ again: true })).toBeLessThan(100);
  });

  test("set a rate where there is no quota", () => {
    const { feedback } = run([told(10, throttles(90))], { configured: { perSecond: null } });
    expect(feedback.ratePerSecond).toBeGreaterThan(400);
    expect(feedback.ratePerSecond).toBeLessThan(1300);
  });

  test("of calls close behind others lower the rate by a little, then keep calls apart", () => {
    let learnt = run([]);
    for (let i = 0; i < 8; i++) {
      const next = { ...told(18, throttles(2, { close: true })), close: 4 };
      learnt = step(learnt.feedback, next, 2000 + 100 * i);
      expect(learnt.lowered).toBe(false);
    }
    expect(learnt.feedback.evenness?.level).toBeGreaterThan(0);
    expect(learnt.feedback.ratePerSecond).toBeGreaterThan(600);
  });

  test("with an announced wait and nobody answered pause all, and leave the rate as it was", () => {
    const walls = [1, 2, 3].map((index) => told(0, [throttle(index, { retryAfterMs: 5000 })]));
    const { feedback, pauseMs } = run(walls);
    expect(pauseMs).toBe(5000);
    expect(feedback.ratePerSecond).toBe(1000);
    const long = [1, 2, 3].map((index) => told(0, [throttle(index, { retryAfterMs: 1e9 })]));
    expect(run(long).pauseMs).toBe(60_000);
  });
});

describe("growth", () => {
  const lowered = run([told(80, throttles(20))]).feedback;

  /** The rate after each second of `answered` calls. */
  function grow(seconds: number, answered: number): number[] {
    let feedback = lowered;
    return Array.from({ length: seconds }, (_, i) => {
      for (let at = 0; at < 1000; at += 100)
        feedback = step(feedback, told(answered / 10), 2100 + i * 1000 + at, { epoch: 2 }).feedback;
      return Math.round(feedback.ratePerSecond ?? Number.NaN);
    });
  }

  test("is quick to just under the rate that was refused, then slow, doubling, up to what is configured", () => {
    const rates = grow(40, 1000);
    expect(rates[0]).toBeGreaterThan(940);
    expect(rates[3]).toBeLessThan(990);
    expect(rates.at(-1)).toBe(1000);
  });

  test("needs answered calls: errors never raise the rate", () => {
    expect(grow(60, 0).at(-1)).toBe(Math.round(lowered.ratePerSecond ?? 0));
  });

  test("needs a rate that is used", () => {
    expect(grow(60, 100).at(-1)).toBeLessThan(960);
  });
});

describe("a limit that is not known", () => {
  const AUTO: Configured = { perSecond: null, isAuto: true };

  test("is begun small, and doubled each second while nothing is refused, up to a ceiling", () => {
    const ceiling = { perSecond: 200, isAuto: true };
    let feedback = startFeedback(ceiling, 0);
    expect(feedback.ratePerSecond).toBe(10);
    const rates = Array.from({ length: 8 }, (_, i) => {
      for (let at = 0; at < 1000; at += 100) {
        const calls = Math.ceil((feedback.ratePerSecond ?? 0) / 10);
        feedback = step(feedback, told(calls), i * 1000 + at + 100, { configured: ceiling }).feedback;
      }
      return feedback.ratePerSecond ?? Number.NaN;
    });
    expect(rates[0]).toBeGreaterThan(17);
    expect(rates[2]).toBeGreaterThan(60);
    expect(rates.at(-1)).toBe(200);
  });

  test("is not free: a rate is in force from the first call on", () => {
    expect(startFeedback(AUTO, 0).ratePerSecond).toBe(10);
  });
});

describe("a change of what is configured", () => {
  const lowered = run([told(80, throttles(20))]).feedback;
  const learnt = lowered.ratePerSecond;

  test.each([
    ["a raise is believed at once", { perSecond: 2000 }, 2000],
    ["a cut keeps what was learnt below it", { perSecond: 950 }, learnt],
    ["a cut below what was learnt holds", { perSecond: 500 }, 500],
    ["no quota is believed too", { perSecond: null }, null],
    ["to find it out keeps what was found", { perSecond: null, isAuto: true }, learnt],
  ])("%s", (_, to, rate) => {
    expect(reconfigure(lowered, { from: THOUSAND, to }, 2000).ratePerSecond).toBe(rate);
  });
});

describe("a limit told as twice what the target allows", () => {
  const TRUE = { ratePerSecond: 500, burst: 100 };
  const scenario = (seed: number, saysRetryAfter: boolean): SimulationOptions => ({
    quota: createQuota({ ratePerSecond: 1000, burst: null }, 0),
    seed,
    invocations: 4,
    lanesPerInvocation: 25,
    limits: [
      { fromMs: 0, limit: TRUE },
      { fromMs: 70_000, limit: { ratePerSecond: 1000, burst: 100 } },
    ],
    saysRetryAfter,
    untilMs: 130_000,
  });

  test.each(
    [1, 2, 3, 4].flatMap((seed) => [
      { seed, says: false },
      { seed, says: true },
    ]),
  )("is found, kept to, and left again (seed $seed, Retry-After: $says)", ({ seed, says }) => {
    const { calls, rates } = simulateQuota(scenario(seed, says));
    expect(count(calls, 0, 10_000, "throttled")).toBeLessThanOrEqual(300);
    const accepted = count(calls, 10_000, 70_000, "accepted");
    const throttled = count(calls, 10_000, 70_000, "throttled");
    expect(throttled / (accepted + throttled)).toBeLessThanOrEqual(0.02);
    expect(accepted).toBeGreaterThanOrEqual(0.9 * 500 * 60);
    expect(rates.some(({ atMs, perSecond }) => atMs > 70_000 && (perSecond ?? 0) > 900)).toBe(true);
    expect(count(calls, 129_000, 130_000, "accepted")).toBeGreaterThan(900);
  });

  test("a target that is down for 10 s gets single probes and then no burst", () => {
    const outage = { fromMs: 10_000, toMs: 20_000 };
    const limits = [{ fromMs: 0, limit: { ratePerSecond: 1000, burst: 76 } }];
    const { calls } = simulateQuota({ ...scenario(1, true), limits, outages: [outage], untilMs: 30_000 });
    // Connections are made all the time: one probe a second.
    expect(count(calls, 10_500, 20_000, "down")).toBeLessThanOrEqual(10);
    expect(count(calls, 0, 30_000, "throttled")).toBe(0);
    expect(count(calls, 27_000, 30_000, "accepted")).toBeGreaterThan(2900);
  });
});

function count(
  calls: readonly SimulatedCall[],
  fromMs: number,
  toMs: number,
  answer: SimulatedCall["answer"],
): number {
  return calls.filter((call) => call.atMs >= fromMs && call.atMs < toMs && call.answer === answer).length;
}
