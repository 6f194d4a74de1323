/** A checker that finds no planted bug is none: each is found in a world that has what it concerns, and only there. */
import { describe, expect, it } from "vitest";
import { BUGS, type Bug, type SimOptions } from "../../src/sim/options.ts";
import { simulate } from "../../src/sim/simulate.ts";
import { smallWorld } from "./worlds.ts";

type Found = { readonly rules: readonly string[]; readonly world: SimOptions };

const NONE = { tokens: null, calls: null, dollars: null };
const DEATHS = { everyMs: 4000, dwellMs: 0 };
const RESTARTS = { everyMs: 4000, dwellMs: 0 };
const STALLS = { everyMs: 1000, dwellMs: 400 };

/** Where each bug shows, and as what. */
const WORLDS: Readonly<Record<Bug, Found>> = {
  "extra-permit": { rules: ["rate"], world: smallWorld({}) },
  "unfenced-lease": {
    rules: ["fences"],
    world: smallWorld({
      ...{ place: "deployed", lanesPerInvocation: 1, safetyMs: 200_000 },
      spec: { maxParallelism: 40, chunkSize: 20, checkpoint: { items: 2, bytes: 1_000_000, ms: 30_000 } },
      faults: { requestLate: 0.4, deaths: { everyMs: 1200, dwellMs: 0 } },
    }),
  },
  "unchecked-part": {
    rules: ["one row per item", "manifest"],
    world: smallWorld({ faults: { answerLost: 0.2, runRestarts: RESTARTS } }),
  },
  "lost-redispatch": {
    rules: ["liveness"],
    world: smallWorld({ faults: { offerLost: 0.7, deaths: DEATHS } }),
  },
  "unheeded-outage": {
    rules: ["fairness"],
    world: smallWorld({ safetyMs: 1000, target: { bad: { share: 0.5, place: "head", fault: "503" } } }),
  },
  "endless-outage": {
    rules: ["liveness"],
    world: smallWorld({ items: 200, target: { bad: { share: 0.5, place: "tail", fault: "500" } } }),
  },
  "unmarked-side-lane": {
    rules: ["fences"],
    world: smallWorld({ spec: { chunkSize: 500 }, invocations: 1 }),
  },
  "shifted-outcomes": {
    rules: ["rows are answers"],
    world: smallWorld({
      spec: { task: { kind: "http", url: "https://target.example/", batch: 5 } },
      target: { missing: 0.2 },
    }),
  },
  "crowded-host": {
    rules: ["hosts"],
    world: smallWorld({
      items: 200,
      spec: { quota: { requests: "50/s", burst: null, perHost: "1/s" } },
      hosts: { count: 20, areApart: true },
    }),
  },
  "free-tokens": {
    rules: ["tokens"],
    world: smallWorld({
      spec: { quota: { requests: null, burst: null, tokens: "60000/min", tokenBurst: null } },
    }),
  },
  "uncounted-spending": {
    rules: ["budget"],
    world: smallWorld({ spec: { budget: { ...NONE, calls: 200 } } }),
  },
  "late-permits": { rules: ["rate"], world: smallWorld({ faults: { stalls: STALLS } }) },
  "leaping-run": {
    rules: ["parallelism", "fences", "one row per item", "no good item fails"],
    world: smallWorld({
      place: "deployed",
      spec: { maxParallelism: 5, quota: null },
      target: { latencyMs: 5000 },
      faults: { clockSteps: { everyMs: 500, dwellMs: 0 }, clockStepMs: 3_600_000 },
    }),
  },
  "raw-clock": {
    rules: ["rate", "parallelism", "fairness", "liveness"],
    world: smallWorld({
      faults: { clockSteps: { everyMs: 2000, dwellMs: 0 }, clockStepMs: 3000, stalls: STALLS },
    }),
  },
  "overlong-lease": {
    rules: ["leases"],
    world: smallWorld({ faults: { answerLate: 0.3, offerLateMs: 5000 } }),
  },
  "unmarked-overload": {
    rules: ["overload"],
    world: smallWorld({ faults: { overloads: { everyMs: 5000, dwellMs: 5000 } } }),
  },
  "endless-hang": { rules: ["liveness"], world: smallWorld({ faults: { storageHangs: 0.3 } }) },
};

/** Chance may miss a bug in one world, not in so many. */
const SEEDS = 10;

describe("a planted bug is found", () => {
  it.each(BUGS)("%s", { timeout: 240_000 }, async (bug) => {
    const { rules, world } = WORLDS[bug];
    let found: string | null = null;
    for (let seed = 1; seed <= SEEDS && found === null; seed++)
      found = (await simulate({ ...world, seed, bug })).violation?.rule ?? null;
    expect(rules).toContain(found);
  });
});

describe("the same worlds without it", () => {
  it.each(BUGS)("keep every rule: %s", { timeout: 240_000 }, async (bug) => {
    const { violation } = await simulate(WORLDS[bug].world);
    expect(violation).toBeNull();
  });
});
