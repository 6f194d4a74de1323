/**
 * A run always ends, and no good item pays for it: real lanes and a real Run in virtual time, against targets with
 * bad items of every kind, at every place, and outages.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Spec } from "../../src/core/spec.ts";
import { SPEC_DEFAULTS } from "../../src/core/spec.ts";
import type { TaskOutcome } from "../../src/tasks/task.ts";
import { LaneWorld } from "../support/laneWorld.ts";
import { neededBurst } from "../support/neededBurst.ts";

const OK: TaskOutcome = { kind: "ok", value: null, status: 200 };
const NETWORK = { kind: "transient", errorKind: "network", retryAfterMs: null } as const;
const CUT: TaskOutcome = { ...NETWORK, message: "connection lost" };
const REFUSED: TaskOutcome = { ...NETWORK, message: "connection refused", isUnreached: true };
const HANGS: TaskOutcome = { ...NETWORK, errorKind: "timeout", message: "no answer within 1 s" };
const HANG_MS = 1000;

function status(code: number): TaskOutcome {
  const answered = { message: `${code}`, status: code, errorKind: "http" } as const;
  return code >= 500
    ? { kind: "transient", ...answered, retryAfterMs: null }
    : { kind: "permanent", ...answered, called: true };
}

const BAD: Readonly<Record<string, TaskOutcome>> = {
  500: status(500),
  502: status(502),
  503: status(503),
  400: status(400),
  404: status(404),
  cut: CUT,
  hang: HANGS,
};

interface List {
  readonly items: number;
  readonly bad: (index: number) => boolean;
}

/** The same bad items at the head, at the tail, and scattered. */
function at(place: "head" | "tail" | "scattered", bad: number, items: number): List {
  if (place === "head") return { items, bad: (index) => index < bad };
  if (place === "tail") return { items, bad: (index) => index >= items - bad };
  // A step without a common divisor visits every index once.
  const chosen = new Set(Array.from({ length: bad }, (_, i) => (i * 7919) % items));
  return { items, bad: (index) => chosen.has(index) };
}

function worldOf(
  list: List,
  lanes: number,
  outcome: (index: number, tryNumber: number, atMs: number) => TaskOutcome,
  change: Partial<Spec> = {},
  callMs?: (index: number) => number | undefined,
): LaneWorld {
  const spec = {
    quota: { requests: "100/s", burst: null },
    maxParallelism: lanes,
    retry: SPEC_DEFAULTS.retry,
  };
  const world = new LaneWorld({
    items: list.items,
    spec: { ...spec, ...change },
    outcome,
    ...(callMs !== undefined && { callMs }),
  });
  world.keep(Math.min(4, lanes), 10_000);
  return world;
}

/** Plays the run to its end; how long it took. */
async function play(world: LaneWorld, limitMs = 600_000): Promise<number> {
  await world.untilEnded(limitMs);
  return (world.calls.at(-1)?.atMs ?? 0) / 1000;
}

function failedOf(world: LaneWorld): number[] {
  return world
    .rows()
    .filter(({ ok }) => !ok)
    .map(({ index }) => index)
    .sort((a, b) => a - b);
}

function expectOnlyBadFailed(world: LaneWorld, list: List): void {
  const bad = Array.from({ length: list.items }, (_, index) => index).filter(list.bad);
  expect(failedOf(world)).toEqual(bad);
  expect(world.run.state.counts.done).toBe(list.items);
}

describe("a run with bad items ends within a minute, with exactly these failed", () => {
  const lists: readonly (readonly [name: string, list: List, lanes: number])[] = [
    ["15 of 500, scattered, 10 lanes", at("scattered", 15, 500), 10],
    ["40 at the head, 10 lanes", at("head", 40, 500), 10],
    ["40 at the tail, 10 lanes", at("tail", 40, 500), 10],
    ["60 bad among 60 good, 20 lanes", at("scattered", 60, 120), 20],
    ["60 bad after 60 good, 100 lanes", at("tail", 60, 120), 100],
    ["half of 200, scattered, 100 lanes", at("scattered", 100, 200), 100],
    ["5 of 20 at the tail, 2 lanes", at("tail", 5, 20), 2],
    ["a single one", at("head", 1, 1), 2],
    ["nothing but bad ones", at("head", 30, 30), 10],
  ];
  for (const [kind, bad] of Object.entries(BAD)) {
    it.each(lists)(`${kind}: %s`, async (_, list, lanes) => {
      const callMs = kind === "hang" ? (index: number) => (list.bad(index) ? HANG_MS : undefined) : undefined;
      const outcome = (index: number) => (list.bad(index) ? bad : OK);
      const spec = { chunkSize: Math.ceil(list.items / (4 * lanes)) };
      const world = worldOf(list, lanes, outcome, spec, callMs);
      const tookS = await play(world);
      expectOnlyBadFailed(world, list);
      expect(tookS).toBeLessThan(60);
    });
  }

  it("of all kinds at once, in any proportion and place, beyond the time that its calls take", async () => {
    const kinds = Object.values(BAD);
    const mixed = fc.record({
      items: fc.integer({ min: 1, max: 300 }),
      share: fc.double({ min: 0, max: 0.5, noNaN: true }),
      place: fc.constantFrom("head" as const, "tail" as const, "scattered" as const),
      lanes: fc.constantFrom(2, 5, 10, 100),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(mixed, async ({ items, share, place, lanes, seed }) => {
        const list = at(place, Math.floor(items * share), items);
        const outcome = (index: number) => (list.bad(index) ? kinds[(index + seed) % kinds.length]! : OK);
        const world = worldOf(list, lanes, outcome);
        const tookS = await play(world);
        // A call takes 50 ms on average: on two lanes the calls of a long list fill a minute by themselves.
        const callsS = (world.calls.length * 0.05) / lanes;
        expect(tookS - callsS).toBeLessThan(60);
        expectOnlyBadFailed(world, list);
      }),
      { numRuns: 40 },
    );
  });

  it("although the first call of every item fails, and in less time than the second calls alone would take", async () => {
    const list = at("head", 0, 60);
    const world = worldOf(list, 10, (_, tryNumber) => (tryNumber === 1 ? status(500) : OK));
    expect(await play(world)).toBeLessThan(14);
    expectOnlyBadFailed(world, list);
  });

  it("in a long list of which the first call of every item fails", async () => {
    const list = at("head", 0, 3000);
    const world = worldOf(list, 20, (_, tryNumber) => (tryNumber === 1 ? status(503) : OK));
    // 6,000 calls at 100/s.
    expect(await play(world)).toBeLessThan(90);
    expectOnlyBadFailed(world, list);
  });
});

/** Whether nobody is answered at an instant. */
type Outage = (atMs: number) => boolean;

describe("an outage costs no good item", () => {
  const during =
    (fromMs: number, forMs: number): Outage =>
    (atMs) =>
      atMs >= fromMs && atMs < fromMs + forMs;
  /** 500 items at 100/s are over after some 5 s: 4,600 ms is within the last 50. */
  const cases: readonly (readonly [name: string, outage: Outage, fault: TaskOutcome])[] = [
    ["of 10 s in the middle", during(2000, 10_000), REFUSED],
    ["of 10 s within the last 50 items", during(4600, 10_000), REFUSED],
    ["of 10 min in the middle", during(2000, 600_000), REFUSED],
    ["of 10 min within the last 50 items", during(4600, 600_000), REFUSED],
    ["of 10 min from the first call on", during(0, 600_000), REFUSED],
    ["of 10 s that answers 503", during(2000, 10_000), status(503)],
    ["of 10 s that answers 502 within the last 50 items", during(4600, 10_000), status(502)],
    ["of 10 s that cuts every connection", during(2000, 10_000), CUT],
  ];
  const lists: readonly (readonly [name: string, list: List])[] = [
    ["without bad items", at("head", 0, 500)],
    ["with 15 bad ones", at("scattered", 15, 500)],
    ["with 40 bad ones at the tail", at("tail", 40, 500)],
  ];
  for (const [listName, list] of lists) {
    it.each(cases)(`%s, ${listName}`, async (_, outage, fault) => {
      const outcome = (index: number, __: number, atMs: number) =>
        outage(atMs) ? fault : list.bad(index) ? status(500) : OK;
      const world = worldOf(list, 10, outcome);
      await play(world, 1_200_000);
      expectOnlyBadFailed(world, list);
      expect(neededBurst(world.callTimes(), 100)).toBeLessThan(100 * 0.075 + 1);
    });
  }

  it("nor does one of the last few items, whichever they are, nor one with a single attempt", async () => {
    for (const items of [1, 2, 3, 9, 11]) {
      const list = at("head", 0, items);
      const retry = { ...SPEC_DEFAULTS.retry, maxAttempts: 1 };
      const outage = during(0, 600_000);
      const world = worldOf(list, 4, (_, __, atMs) => (outage(atMs) ? REFUSED : OK), { retry });
      await play(world, 1_200_000);
      expectOnlyBadFailed(world, list);
    }
  });

  it("of eight minutes that answers 503 in a long run, because it opens again for longer each time", async () => {
    const list = at("head", 0, 4000);
    const outage = during(5000, 480_000);
    const world = worldOf(list, 10, (_, __, atMs) => (outage(atMs) ? status(503) : OK));
    await play(world, 1_200_000);
    expectOnlyBadFailed(world, list);
    const whileAway = world.callTimes().filter((atMs) => outage(atMs)).length;
    expect(whileAway).toBeLessThan(4800);
  });

  it("is probed with single calls, at most half a minute apart", async () => {
    const list = at("head", 0, 500);
    const outage = during(2000, 600_000);
    const world = worldOf(list, 10, (_, __, atMs) => (outage(atMs) ? REFUSED : OK));
    await play(world, 1_200_000);
    const away = world.callTimes().filter((atMs) => atMs > 4000 && outage(atMs));
    expect(away.length).toBeLessThan(30);
    const gaps = away.slice(1).map((atMs, i) => atMs - (away[i] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(33_000);
  });
});
