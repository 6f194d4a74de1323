/**
 * Bad items that stand in rows, as lists sorted by id have them, and bad items of all kinds with outages and restarts
 * on top: the run ends within a minute beside what its tries need, with exactly the bad ones failed.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SPEC_DEFAULTS } from "../../src/core/spec.ts";
import type { TaskOutcome } from "../../src/tasks/task.ts";
import { LaneWorld } from "../support/laneWorld.ts";

const OK: TaskOutcome = { kind: "ok", value: null, status: 200 };
const NETWORK = { kind: "transient", errorKind: "network", retryAfterMs: null } as const;
const REFUSED: TaskOutcome = { ...NETWORK, message: "connection refused", isUnreached: true };
const CALL_MS = 50;

interface Bad {
  readonly outcome: TaskOutcome;
  /** Tries with the default attempts. */
  readonly tries: number;
  readonly callMs?: number;
  /** After these tries it is served. */
  readonly recovers?: true;
}

function status(code: number): TaskOutcome {
  return { kind: "transient", errorKind: "http", message: `${code}`, status: code, retryAfterMs: null };
}

const KINDS = {
  500: { outcome: status(500), tries: 5 },
  502: { outcome: status(502), tries: 5 },
  503: { outcome: status(503), tries: 5 },
  cut: { outcome: { ...NETWORK, message: "connection lost" }, tries: 5 },
  hang: { outcome: { ...NETWORK, errorKind: "timeout", message: "no answer" }, tries: 5, callMs: 1000 },
  odd: {
    outcome: { ...NETWORK, errorKind: "parse", message: "no JSON", status: 200, answersMost: 2 },
    tries: 2,
  },
  404: {
    outcome: { kind: "permanent", errorKind: "http", message: "404", status: 404, called: true },
    tries: 1,
  },
  cold: { outcome: status(500), tries: 1, recovers: true },
  "cold twice": { outcome: status(503), tries: 2, recovers: true },
} as const satisfies Record<string, Bad>;
type Kind = keyof typeof KINDS;
const ALL_KINDS = Object.keys(KINDS) as Kind[];

interface Play {
  /** What is wrong with each item; null: nothing. */
  readonly items: readonly (Bad | null)[];
  readonly lanes: number;
  readonly perSecond: number | null;
  readonly outage?: { readonly fromMs: number; readonly toMs: number; readonly fault: TaskOutcome };
  /** The process dies then, and the run is resumed in another. */
  readonly resumedMs?: number;
  readonly chunkSize?: number;
}

/** Plays the run to its end and expects one row for each item, failed only where it is bad; seconds that it took. */
async function play({ items, lanes, perSecond, outage, resumedMs, chunkSize }: Play): Promise<number> {
  const tries = new Map<number, number>();
  const world = new LaneWorld({
    items: items.length,
    invocations: 1,
    latencyMs: [CALL_MS, CALL_MS],
    spec: {
      quota: perSecond === null ? null : { requests: `${perSecond}/s`, burst: null },
      maxParallelism: lanes,
      chunkSize: chunkSize ?? SPEC_DEFAULTS.chunkSize,
      tolerate: { ...SPEC_DEFAULTS.tolerate, failureRate: 1 },
    },
    callMs: (index) => items[index]?.callMs,
    outcome: (index, _, atMs) => {
      if (outage !== undefined && atMs >= outage.fromMs && atMs < outage.toMs) return outage.fault;
      const bad = items[index] ?? null;
      const before = tries.get(index) ?? 0;
      tries.set(index, before + 1);
      return bad === null || (bad.recovers && before >= bad.tries) ? OK : bad.outcome;
    },
  });
  world.keep(1, 10_000);
  if (resumedMs !== undefined) {
    world.time.after(resumedMs, () => {
      world.resumeElsewhere();
      world.keep(1, 10_000);
    });
  }
  await world.untilEnded(7_200_000);
  const failed = world.rows().flatMap(({ ok, index }) => (ok ? [] : [index]));
  const bad = items.flatMap((one, index) => (one === null || one.recovers ? [] : [index]));
  expect(failed.sort((a, b) => a - b)).toEqual(bad);
  expect(world.run.state.counts.done).toBe(items.length);
  return (world.calls.at(-1)?.atMs ?? 0) / 1000;
}

/** What the tries take where nothing holds them up, and a minute; a twentieth of the time is what openings cost later. */
function mostS({ items, lanes, perSecond, outage }: Play): number {
  let calls = 0;
  let laneMs = 0;
  for (const bad of items) {
    const tries = (bad?.tries ?? 1) + (bad?.recovers ? 1 : 0);
    calls += tries;
    laneMs += tries * (bad?.callMs ?? CALL_MS);
  }
  const neededS = Math.max(calls / (perSecond ?? Number.POSITIVE_INFINITY), laneMs / lanes / 1000);
  const outageS = outage === undefined ? 0 : (outage.toMs - outage.fromMs) / 1000;
  return neededS * 1.1 + outageS + 60;
}

/** So many items in rows of bad ones with as many or more good ones between. */
function rows(items: number, length: number, kind: Kind): readonly (Bad | null)[] {
  return Array.from({ length: items }, (_, index) => (index % (length * 2.5) < length ? KINDS[kind] : null));
}

describe("a list with rows of bad items", () => {
  const lengths = [10, 30, 60];
  const cases = [1, 2, 3, 10, 100].flatMap((lanes) =>
    [...new Set([...lengths, lanes])].map((length) => [length, lanes] as const),
  );
  it.each(cases)("of %i each, on %i lanes", async (length, lanes) => {
    for (const kind of [500, "cut"] as const) {
      const run = { items: rows(600, length, kind), lanes, perSecond: 100 };
      expect(await play(run)).toBeLessThan(mostS(run));
    }
  });

  it("in chunks that are as long as the rows", async () => {
    const run = { items: rows(900, 10, "cut"), lanes: 10, perSecond: 1000, chunkSize: 25 };
    expect(await play(run)).toBeLessThan(mostS(run));
  });

  it("that is long and of which every item fails, within ten minutes more", async () => {
    const run = { items: rows(3000, 3000, 500), lanes: 10, perSecond: 100 };
    expect(await play(run)).toBeLessThan(mostS(run) + 600);
  });
});

describe("a list with bad items of all kinds", () => {
  const bad = {
    length: fc.integer({ min: 50, max: 500 }),
    share: fc.double({ min: 0.1, max: 0.4, noNaN: true }),
    place: fc.constantFrom("head", "middle", "tail", "scattered"),
    seed: fc.nat(1e6),
  };
  const listOf = (among: readonly Kind[]) =>
    fc.record({ ...bad, kinds: fc.uniqueArray(fc.constantFrom(...among), { minLength: 1 }) }).map((of) => {
      const { length, kinds, share, place, seed } = of;
      const bad = Math.floor(length * share);
      const from = place === "head" ? 0 : place === "tail" ? length - bad : (length - bad) >> 1;
      const isBad = (index: number) =>
        place === "scattered"
          ? ((index * 7919 + seed) % 1000) / 1000 < share
          : index >= from && index < from + bad;
      return Array.from({ length }, (_, index) =>
        isBad(index) ? KINDS[kinds[(index * 31 + seed) % kinds.length]!] : null,
      );
    });
  const lanes = fc.constantFrom(1, 2, 3, 10, 100);

  it("at any rate and in any place", { timeout: 300_000 }, async () => {
    const perSecond = fc.constantFrom(50, 100, 1000, null);
    await fc.assert(
      fc.asyncProperty(listOf(ALL_KINDS), lanes, perSecond, async (items, lanes, perSecond) => {
        const run = { items, lanes, perSecond };
        expect(await play(run)).toBeLessThan(mostS(run));
      }),
      { numRuns: 25 },
    );
  });

  it("with an outage in the middle, and resumed while the circuit is open", {
    timeout: 300_000,
  }, async () => {
    // One that failed while others were answered is a suspect, and what an outage does to it counts.
    const lasting = ALL_KINDS.filter((kind) => !("recovers" in KINDS[kind]));
    const outage = fc
      .record({ fromMs: fc.integer({ min: 500, max: 8000 }), fault: fc.constantFrom(REFUSED, status(503)) })
      .map(({ fromMs, fault }) => ({ fromMs, toMs: fromMs + (fault === REFUSED ? 60_000 : 9000), fault }));
    await fc.assert(
      fc.asyncProperty(
        listOf(lasting),
        lanes,
        outage,
        fc.boolean(),
        async (items, lanes, outage, isResumed) => {
          const run = { items, lanes, perSecond: 100, outage };
          const resumed = isResumed ? { resumedMs: outage.fromMs + 4000 } : {};
          expect(await play({ ...run, ...resumed })).toBeLessThan(mostS(run) + 10);
        },
      ),
      { numRuns: 20 },
    );
  });
});
