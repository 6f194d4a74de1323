import { describe, expect, test } from "vitest";
import {
  type Feedback,
  type Learnt,
  learn,
  reconfigure,
  startFeedback,
} from "../../../src/core/limiter/feedback.ts";
import { createQuota } from "../../../src/core/limiter/quota.ts";
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

const told = (answered: number, troubles: readonly Trouble[] = []): Report =>
  report({ answered, troubles, throttled: troubles.filter((t) => t.kind === "throttled").length });

/** A second of `perSecond` answered calls, then the report. The rate never rises above what is configured. */
function run(
  reports: readonly Report[],
  { perSecond = 1000, configured = 1000 as number | null } = {},
): Learnt {
  let feedback = startFeedback(configured, 0);
  for (let nowMs = 0; nowMs < 1000; nowMs += 100)
    feedback = step(feedback, told(perSecond / 10), nowMs, configured).feedback;
  let learnt: Learnt = { feedback, lowered: false, pauseMs: null };
  for (const [i, next] of reports.entries()) learnt = step(learnt.feedback, next, 990 + i, configured);
  return learnt;
}

function step(feedback: Feedback, next: Report, nowMs: number, configured: number | null): Learnt {
  const learnt = learn(feedback, next, { nowMs, epoch: 1, configuredPerSecond: configured });
  const isHigher = (learnt.feedback.ratePerSecond ?? Infinity) > (feedback.ratePerSecond ?? Infinity);
  if (isHigher) expect(next.answered).toBeGreaterThan(0);
  expect(learnt.feedback.ratePerSecond ?? 0).toBeLessThanOrEqual(configured ?? Infinity);
  return learnt;
}

describe("a throttled answer", () => {
  test.each<
    [rule: string, reports: Report[], outcome: { rate: number; lowered: boolean; pauseMs: number | null }]
  >([
    ["takes the rate to 0.85 of it", [told(0, [throttle(1)])], { rate: 850, lowered: true, pauseMs: null }],
    [
      "of an older epoch changes nothing",
      [told(0, [throttle(1, { epoch: 0 })])],
      { rate: 1000, lowered: false, pauseMs: null },
    ],
    [
      "lowers the rate once, however many come together",
      [told(0, [throttle(1), throttle(2), throttle(3)])],
      { rate: 850, lowered: true, pauseMs: null },
    ],
    [
      "of a probe says nothing about the rate",
      [told(0, [throttle(1, { probe: true })])],
      { rate: 1000, lowered: false, pauseMs: null },
    ],
    [
      "of the item that was throttled last says nothing about the rate",
      [told(0, [throttle(1)]), told(0, [throttle(1)])],
      { rate: 850, lowered: false, pauseMs: null },
    ],
    [
      "of items that were never throttled before takes it to 0.4 of it and no further",
      Array.from({ length: 10 }, (_, at) => told(0, [throttle(at)])),
      { rate: 400, lowered: false, pauseMs: null },
    ],
    [
      "of an item that comes back and is throttled again takes it further",
      [...Array.from({ length: 10 }, (_, at) => told(0, [throttle(at)])), told(0, [throttle(1)])],
      { rate: 340, lowered: true, pauseMs: null },
    ],
    [
      "of another item does",
      [told(0, [throttle(1, { epoch: 0 })]), told(0, [throttle(2)])],
      { rate: 850, lowered: true, pauseMs: null },
    ],
    [
      "of three items with Retry-After pauses all",
      [told(0, [throttle(1, { retryAfterMs: 500 }), throttle(2), throttle(3, { retryAfterMs: 2000 })])],
      { rate: 850, lowered: true, pauseMs: 2000 },
    ],
    [
      "pauses for a minute at most",
      [
        told(
          0,
          [1, 2, 3].map((i) => throttle(i, { retryAfterMs: 1e9 })),
        ),
      ],
      { rate: 850, lowered: true, pauseMs: 60_000 },
    ],
    [
      "of two items does not pause",
      [
        told(
          0,
          [1, 2, 1, 2].map((i) => throttle(i, { retryAfterMs: 2000 })),
        ),
      ],
      { rate: 850, lowered: true, pauseMs: null },
    ],
    [
      "of three items of different epochs does not pause where others were answered",
      [0, 1, 2].map((i) => told(1, [throttle(i, { epoch: i - 1, retryAfterMs: 2000 })])),
      { rate: 850, lowered: true, pauseMs: null },
    ],
    [
      "of three items of one epoch after the other pauses where nobody was answered",
      [
        told(
          0,
          [0, 1, 2].map((i) => throttle(i, { epoch: i - 1, retryAfterMs: 2000 })),
        ),
      ],
      { rate: 850, lowered: true, pauseMs: 2000 },
    ],
    [
      "pauses once an epoch",
      [
        told(
          0,
          [1, 2, 3].map((i) => throttle(i, { epoch: 0, retryAfterMs: 2000 })),
        ),
        told(0, [throttle(4, { epoch: 0, retryAfterMs: 2000 })]),
      ],
      { rate: 1000, lowered: false, pauseMs: null },
    ],
  ])("%s", (_, reports, outcome) => {
    const { feedback, lowered, pauseMs } = run(reports);
    expect({ rate: feedback.ratePerSecond, lowered, pauseMs }).toEqual(outcome);
  });

  test("takes the rate to what was accepted in the last second where that is less", () => {
    const { feedback } = run([told(0, [throttle(1)])], { perSecond: 400 });
    expect(feedback.ratePerSecond).toBeCloseTo(400 / 0.99, 0);
    expect(feedback.ceilingPerSecond).toBeCloseTo(401 / 0.99, 0);
  });

  test("sets a rate where there is no quota", () => {
    const { feedback } = run([told(0, [throttle(1)])], { configured: null });
    expect(feedback.ratePerSecond).toBeCloseTo((0.85 * 1001) / 0.99, 0);
  });

  test("takes a rate too slow to measure to 0.85 of it", () => {
    const { feedback } = run([told(0, [throttle(1)])], { configured: 2, perSecond: 0 });
    expect(feedback.ratePerSecond).toBe(1.7);
  });
});

describe("growth", () => {
  const lowered = run([told(0, [throttle(1)])]).feedback;

  /** The rate after each second of `answered` calls. */
  function grow(seconds: number, answered: number): number[] {
    let feedback = lowered;
    return Array.from({ length: seconds }, (_, i) => {
      feedback = step(feedback, told(answered), 990 + (i + 1) * 1000, 1000).feedback;
      return Math.round(feedback.ratePerSecond ?? Number.NaN);
    });
  }

  test("is quick to just under the ceiling, then slow, doubling its step every 5 s, up to what is configured", () => {
    expect(grow(22, 10)).toEqual([
      900, 950, 951, 952, 953, 955, 957, 959, 961, 963, 967, 971, 975, 979, 983, 991, 999, 1000, 1000, 1000,
      1000, 1000,
    ]);
  });

  test("needs answered calls: errors never raise the rate", () => {
    expect(grow(60, 0).at(-1)).toBe(850);
  });
});

describe("a change of what is configured", () => {
  const lowered = run([told(0, [throttle(1)])]).feedback;

  test.each([
    ["a raise is believed at once", 2000, 2000],
    ["a cut keeps what was learnt below it", 900, 850],
    ["a cut below what was learnt holds", 500, 500],
    ["no quota is believed too", null, null],
  ])("%s", (_, to, rate) => {
    expect(reconfigure(lowered, { from: 1000, to }, 2000).ratePerSecond).toBe(rate);
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
