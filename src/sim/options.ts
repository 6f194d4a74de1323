/**
 * What is simulated: a run, a target, and the weather. One seed decides all of it, and the options are printed
 * before anything happens.
 *
 * A fault has a probability (or a mean time between two) and a dwell time. Faults end with the safety phase; what
 * follows must lead to an end state.
 */

import { CHUNK_QUEUES } from "../core/limits.ts";
import { lanesPerInvocation } from "../core/run/dispatch.ts";
import { SPEC_DEFAULTS, type Spec } from "../core/spec.ts";
import { type BadItems, FAULTS, type FaultKind, failure } from "./badItems.ts";
import { Random } from "./random.ts";

export interface TargetOptions {
  /** What it truly allows: a bucket of its own, whatever the run was told. Null: everything. */
  readonly limit: { readonly perSecond: number; readonly burst: number } | null;
  /** On top of that it takes only so many calls in each window of its clock; absent: no such windows. */
  readonly window?: { readonly calls: number; readonly everyMs: number };
  readonly latencyMs: number;
  /** Spread of the log-normal latency; 0: none. */
  readonly latencySpread: number;
  readonly mostLatencyMs: number;
  /** Share of items it does not know (404). */
  readonly missing: number;
  /** Share of calls that end in a 500. */
  readonly errors: number;
  readonly saysRetryAfter: boolean;
  /** Within these every call fails: by default its connection is refused. */
  readonly outages: readonly (Span & { readonly fault?: FaultKind })[];
  /** Items that fail whenever they are called; absent: none. */
  readonly bad?: BadItems;
  /** Items that kill whoever calls for them. */
  readonly poison: readonly number[];
}

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Comes about every `everyMs`, and lasts up to `dwellMs`; null: never. */
export interface Spell {
  readonly everyMs: number;
  readonly dwellMs: number;
}

export interface FaultOptions {
  /** Requests to the Run that never arrive, and answers that never come back. */
  readonly requestLost: number;
  readonly answerLost: number;
  /** Requests that arrive long after their sender has given them up. */
  readonly requestLate: number;
  readonly stalled: number;
  readonly offerLost: number;
  readonly offerDoubled: number;
  readonly offerLateMs: number;
  readonly timerLate: number;
  /** R2 refuses one call in so many, and whole for a while. */
  readonly storageRefuses: number;
  readonly storageAway: Spell | null;
  readonly indexAway: Spell | null;
  readonly runAway: Spell | null;
  readonly runRestarts: Spell | null;
  /** The whole embedding process dies and the run is resumed in the next one. */
  readonly crashes: Spell | null;
  readonly deaths: Spell | null;
  readonly freezes: Spell | null;
  /** People pause, resume and change the limits. */
  readonly steering: Spell | null;
  /** Offsets of clocks, their drift, and how long they stand still. */
  readonly clockOffsetMs: number;
  readonly clockDrift: number;
  readonly clockLagMs: number;
  /** How far the wall clock of the Run's process is off after a restart, in either direction. */
  readonly wallStepMs: number;
  /** How much longer the way between lanes and Run is, each way, than where both are in one place. */
  readonly distanceMs: number;
}

export const BUGS = [
  "extra-permit",
  "unfenced-lease",
  "unchecked-part",
  "lost-redispatch",
  "unheeded-outage",
  "endless-outage",
] as const;
/** A mistake planted into the Run, to see whether the checkers would find it. */
export type Bug = (typeof BUGS)[number];

export interface SimOptions {
  readonly seed: number;
  /** The time of day when it begins, milliseconds since 1970; absent: a day in 2026. */
  readonly epochMs?: number;
  readonly items: number;
  readonly spec: Spec;
  readonly place: "embedded" | "deployed";
  /** Embedded: among how many invocations the lanes are divided. */
  readonly invocations: number;
  /** Deployed: lanes of one invocation at most; absent: as many as there really are. */
  readonly lanesPerInvocation?: number;
  readonly target: TargetOptions;
  readonly faults: FaultOptions;
  /** Faults end here. */
  readonly safetyMs: number;
  /** The run must have ended this long after. */
  readonly livenessMs: number;
  readonly bug: Bug | null;
  /** Shows people what a spec would do: a run that waits for them is over, and turns are not judged. */
  readonly isForPeople: boolean;
}

/** `generation` "": deployed. */
export function lanesOfOne(options: SimOptions, generation: string, maxParallelism: number): number {
  const { invocations, lanesPerInvocation: said } = options;
  if (generation === "" && said !== undefined) return said;
  return lanesPerInvocation(generation, maxParallelism, invocations);
}

export const FAIR_WEATHER: FaultOptions = {
  requestLost: 0,
  answerLost: 0,
  requestLate: 0,
  stalled: 0,
  offerLost: 0,
  offerDoubled: 0,
  offerLateMs: 50,
  timerLate: 0,
  storageRefuses: 0,
  storageAway: null,
  indexAway: null,
  runAway: null,
  runRestarts: null,
  crashes: null,
  deaths: null,
  freezes: null,
  steering: null,
  clockOffsetMs: 3_600_000,
  clockDrift: 0,
  clockLagMs: 0,
  wallStepMs: 0,
  distanceMs: 0,
};

/** A world from a seed: small enough to end in a moment, and every kind of weather in some of them. */
export function optionsOfSeed(seed: number, bug: Bug | null = null): SimOptions {
  const random = new Random(Math.imul(seed + 1, 0x85ebca6b));
  const safetyMs = random.between(20_000, 120_000);
  const place = random.pick(["embedded", "deployed"] as const);
  const perSecond = random.pick([3, 20, 50, 100, 200, null]);
  const items = Math.round(random.between(0.3, 1.2) * (safetyMs / 1000) * (perSecond ?? 60)) + 1;
  const spec = specOf(random, items, perSecond);
  // From a chance of its own: what older seeds play stays as it was.
  const badly = new Random(Math.imul(seed + 1, 0xc2b2ae35));
  const target = failing(badly, targetOf(random, { items, perSecond, safetyMs }));
  return {
    seed,
    items,
    place,
    // One as the product does, and several as where lanes are in several processes.
    invocations: seed % 2 === 0 ? 1 : CHUNK_QUEUES,
    spec,
    target,
    faults: faultsOf(random, place),
    safetyMs,
    livenessMs: SURELY_DONE_MS + SURELY_DONE_TIMES * workMs(items, spec, target),
    bug,
    isForPeople: false,
  };
}

/** A target with bad items in two seeds of five, and outages of other kinds than refused connections in some. */
function failing(random: Random, target: TargetOptions): TargetOptions {
  const outages = target.outages.map((outage) => {
    return random.chance(0.3) ? { ...outage, fault: random.pick(FAULTS.filter(isOutage)) } : outage;
  });
  if (!random.chance(0.4)) return { ...target, outages };
  const share = random.pick([0.005, 0.03, 0.2, 0.5]);
  const place = random.pick(["head", "tail", "scattered"] as const);
  const fault = random.pick(FAULTS.filter((kind) => kind !== "refused"));
  return { ...target, outages, bad: { share, place, fault } };
}

/** A target that refuses what it is asked is not away. */
function isOutage(fault: FaultKind): boolean {
  return fault !== "400";
}

/** Waits, backoffs and offers that are repeated late, whatever the size of the run. */
const SURELY_DONE_MS = 2 * 3_600_000;
/** Retries, and limits that were lowered. */
const SURELY_DONE_TIMES = 12;

/** How long the calls of a run take, one for each item and all tries of bad ones. */
function workMs(items: number, spec: Spec, target: TargetOptions): number {
  const callMs = target.latencyMs * Math.exp(target.latencySpread ** 2 / 2);
  const lanes = Math.min(spec.maxParallelism, Math.ceil(items / spec.chunkSize));
  const apartMs = spec.pacing.minIntervalMs + spec.pacing.jitterMs;
  const { bad } = target;
  const failedMs = bad === undefined ? null : failure(bad.fault).latencyMs;
  const triesMs = spec.retry.maxAttempts * ((failedMs ?? callMs) + apartMs);
  return (items * (callMs + apartMs + (bad?.share ?? 0) * triesMs)) / lanes;
}

function specOf(random: Random, items: number, perSecond: number | null): Spec {
  const chunkSize = random.pick([1, 7, 50, 200, 1000]);
  return {
    ...SPEC_DEFAULTS,
    name: null,
    source: { kind: "range", from: 0, to: items, step: 1 },
    task: { kind: "http", url: "https://target.example/{{item}}" },
    chunkSize: Math.max(chunkSize, Math.ceil(items / 400)),
    maxParallelism: random.pick([1, 2, 5, 12, 40]),
    quota: perSecond === null ? null : { requests: `${perSecond}/s`, burst: random.chance(0.2) ? 10 : null },
    pacing: random.chance(0.15) ? { minIntervalMs: 100, jitterMs: 50 } : SPEC_DEFAULTS.pacing,
    checkpoint: { ...SPEC_DEFAULTS.checkpoint, items: random.pick([5, 20, 100]) },
    // A paused run waits for people: what tolerance does is checked by tables, not here.
    tolerate: { ...SPEC_DEFAULTS.tolerate, failureRate: 1 },
  };
}

function targetOf(
  random: Random,
  of: { readonly items: number; readonly perSecond: number | null; readonly safetyMs: number },
): TargetOptions {
  const told = of.perSecond ?? 100;
  const limit = random.pick([null, { perSecond: told, burst: 100 }, { perSecond: told / 2, burst: 20 }]);
  return {
    limit,
    latencyMs: random.pick([5, 50, 300, 2000]),
    latencySpread: random.pick([0.1, 0.5, 1]),
    mostLatencyMs: 30_000,
    missing: random.pick([0, 0.01, 0.2]),
    errors: random.pick([0, 0, 0.02, 0.3]),
    saysRetryAfter: random.chance(0.5),
    outages: Array.from({ length: random.whole(0, 2) }, () => {
      const fromMs = random.between(0, of.safetyMs);
      return { fromMs, toMs: Math.min(of.safetyMs, fromMs + random.between(500, 30_000)) };
    }),
    poison: random.chance(0.15) ? [random.whole(0, of.items - 1)] : [],
  };
}

function faultsOf(random: Random, place: SimOptions["place"]): FaultOptions {
  const some = (most: number) => (random.chance(0.5) ? random.between(0, most) : 0);
  const spell = (everyMs: number, dwellMs: number): Spell | null =>
    random.chance(0.35) ? { everyMs: random.between(everyMs / 3, everyMs), dwellMs } : null;
  return {
    requestLost: some(0.05),
    answerLost: some(0.1),
    requestLate: some(0.03),
    stalled: some(0.05),
    offerLost: some(0.4),
    offerDoubled: some(0.3),
    offerLateMs: random.pick([20, 200, 5000, 40_000]),
    timerLate: some(0.02),
    storageRefuses: some(0.2),
    storageAway: spell(40_000, 20_000),
    indexAway: spell(40_000, 20_000),
    runAway: spell(30_000, 10_000),
    runRestarts: spell(15_000, 3000),
    crashes: place === "embedded" ? spell(30_000, 3000) : null,
    deaths: spell(15_000, 0),
    freezes: spell(20_000, 60_000),
    steering: spell(15_000, 10_000),
    clockOffsetMs: 3_600_000,
    clockDrift: random.pick([0, 0.00001, 0.00008]),
    clockLagMs: some(5),
    wallStepMs: random.pick([0, 0, 100, 3_600_000]),
    distanceMs: place === "deployed" ? random.pick([0, 0, 10, 70]) : 0,
  };
}
