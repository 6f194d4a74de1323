/** How many permits an answer brings to an invocation with few lanes, and how far apart. */
import { describe, expect, it } from "vitest";
import type { Grant, Rounds, Trouble } from "../../../src/core/protocol.ts";
import type { Run } from "../../../src/core/run/run.ts";
import { Invocation, plannedRun, report } from "../../support/coreRun.ts";

/** Two invocations with four lanes each, 20 calls a second: each lane has one every 400 ms. */
function twoOfFour() {
  const run = plannedRun(800, {
    chunkSize: 100,
    maxParallelism: 8,
    quota: { requests: "20/s", burst: null },
  });
  const [a, b] = ["a", "b"].map((name) => new Invocation(run, name));
  a!.ask(0, { capacity: 4 });
  b!.ask(0, { capacity: 4 });
  return { run, a: a!, b: b! };
}

const ROUNDS: Rounds = { turnMs: 250, held: 0, heldForMs: 0, left: [3, 3, 3, 3] };
/** When the rate is trusted. */
const LATER_MS = 6000;

function asked(
  of: Invocation,
  nowMs: number,
  rounds?: Rounds,
  want = 4,
): Extract<Grant, { kind: "granted" }> {
  const { grant } = of.ask(nowMs, { capacity: 4, want, ...(rounds !== undefined && { rounds }) });
  if (grant.kind !== "granted") throw new Error(`not granted: ${grant.kind}`);
  return grant;
}

function instantsOf({ inMs, firstInMs, everyMs, count }: Extract<Grant, { kind: "granted" }>): number[] {
  return inMs === undefined ? Array.from({ length: count }, (_, i) => firstInMs + i * everyMs) : [...inMs];
}

/** Throttled answers to calls with permits of the first epoch, too many to be chance. */
function throttle(run: Run, of: Invocation, nowMs: number): void {
  const troubles = Array.from(
    { length: 10 },
    (_, index): Trouble => ({ kind: "throttled", index, epoch: 1, retryAfterMs: null, probe: false }),
  );
  of.ask(nowMs, { capacity: 4, report: report({ calls: 40, answered: 30, throttled: 10, troubles }) });
  expect(run.state.quota.epoch).toBe(2);
}

describe("permits of further rounds", () => {
  it("lie apart, as the lanes of the invocation come round among all", () => {
    const { a, b } = twoOfFour();
    const [mine, theirs] = [a, b].map((of) => instantsOf(asked(of, LATER_MS, ROUNDS)));
    for (const instants of [mine!, theirs!]) {
      expect(instants.length).toBeGreaterThan(8);
      for (const [i, at] of instants.entries()) if (i > 0) expect(at - instants[i - 1]!).toBeGreaterThan(80);
    }
    const all = [...mine!, ...theirs!].sort((x, y) => x - y);
    for (const [i, at] of all.entries()) if (i > 0) expect(at - all[i - 1]!).toBeGreaterThan(50);
  });

  it("leave the places between them to who wants some at once", () => {
    const { a, b } = twoOfFour();
    asked(a, LATER_MS, ROUNDS);
    const one = { ...ROUNDS, left: [1, 1, 0, 0] };
    expect(instantsOf(asked(b, LATER_MS, one, 2)).map(Math.round)).toEqual([50, 150]);
  });

  it("are behind all others, and evenly spaced, for lanes of an older version", () => {
    const { a, b } = twoOfFour();
    const last = instantsOf(asked(a, LATER_MS, ROUNDS)).at(-1)!;
    const old = asked(b, LATER_MS, undefined, 2);
    expect(old.inMs).toBeUndefined();
    expect(old.firstInMs).toBeGreaterThan(last + 50);
    expect(asked(b, LATER_MS, ROUNDS).firstInMs).toBeCloseTo(50, 0);
  });

  it.each<[string, Partial<Rounds> | undefined, number]>([
    ["are not given to who does not ask for them", undefined, 4],
    ["are not given where a round is shorter than a turn", { turnMs: 500 }, 4],
    ["are no more than the lanes have calls left", { left: [3, 1, 1, 1] }, 4],
    ["end with the round in which too few lanes are left for a turn", { left: [3, 3, 3, 2] }, 8],
    ["are fewer by what is held", { left: [2, 2, 2, 2], held: 2 }, 6],
  ])("%s", (_, change, count) => {
    const { a } = twoOfFour();
    expect(asked(a, LATER_MS, change && { ...ROUNDS, ...change }).count).toBe(count);
  });

  it("begin behind what is held", () => {
    const { a } = twoOfFour();
    expect(asked(a, LATER_MS, { ...ROUNDS, held: 1, heldForMs: 120 }).firstInMs).toBeGreaterThanOrEqual(120);
  });

  it("are not given in the first seconds, nor in those after a throttled answer", () => {
    const { run, a } = twoOfFour();
    expect(asked(a, 3000, ROUNDS).count).toBe(4);
    throttle(run, a, LATER_MS);
    expect(asked(a, LATER_MS + 3000, ROUNDS).count).toBe(4);
  });

  it("are forgotten when the rate is lowered: the next instant lies behind all that were given", () => {
    const { run, a, b } = twoOfFour();
    const last = LATER_MS + instantsOf(asked(a, LATER_MS, ROUNDS)).at(-1)!;
    throttle(run, b, LATER_MS + 10);
    expect(LATER_MS + 20 + asked(b, LATER_MS + 20).firstInMs).toBeGreaterThan(last + 50);
  });
});
