/** A world from a seed: small enough to end in a moment, and every kind of fault and of spec in some of them. */
import { itemsPerCall } from "../core/batch.ts";
import { CHUNK_QUEUES } from "../core/limits.ts";
import { SPEC_DEFAULTS, type Spec } from "../core/spec.ts";
import { FAULTS, type FaultKind, failure } from "./badItems.ts";
import type { Bug, FaultOptions, FaultWindow, SimOptions, TargetOptions } from "./options.ts";
import { Random } from "./random.ts";

interface Size {
  readonly items: number;
  readonly perSecond: number | null;
  readonly safetyMs: number;
}

/** What sets one world's permits apart from another's. */
type Kind = "plain" | "batch" | "hosts" | "tokens" | "budget";

export function optionsOfSeed(seed: number, bug: Bug | null = null): SimOptions {
  const random = new Random(Math.imul(seed + 1, 0x85ebca6b));
  const safetyMs = random.between(20_000, 120_000);
  const place = random.pick(["embedded", "deployed"] as const);
  const kind = random.pick<Kind>(["plain", "plain", "plain", "batch", "hosts", "tokens", "budget"]);
  const perSecond = random.pick(isCosted(kind) ? [3, 20, null] : [3, 20, 50, 100, 200, null]);
  const hosts = { count: random.whole(1, 60), areApart: random.chance(0.7) };
  const callsPerSecond = kind === "hosts" ? 0.3 * hosts.count : (perSecond ?? FREELY[kind]);
  const items = Math.round(random.between(0.3, 1.2) * (safetyMs / 1000) * callsPerSecond) + 1;
  const size = { items, perSecond, safetyMs };
  const spec = specOf(random, kind, size);
  const target = failing(random, targetOf(random, size));
  return {
    seed,
    items,
    place,
    // One as the product does, and several as where lanes are in several processes.
    invocations: seed % 2 === 0 ? 1 : CHUNK_QUEUES,
    spec,
    target,
    ...(kind === "hosts" && { hosts }),
    faults: faultsOf(random, place),
    safetyMs,
    livenessMs: SURELY_DONE_MS + SURELY_DONE_TIMES * workMs(items, spec, target, hosts.count),
    bug,
    isForPeople: false,
  };
}

/** Items a second that make a world of the usual size: those of the other kinds cost more to play. */
const FREELY: Readonly<Record<Exclude<Kind, "hosts">, number>> = {
  plain: 60,
  batch: 200,
  tokens: 5,
  budget: 20,
};

function isCosted(kind: Kind): boolean {
  return kind === "tokens" || kind === "budget";
}

/** A target with bad items in two worlds of five, and outages of other kinds than refused connections in some. */
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
function workMs(items: number, spec: Spec, target: TargetOptions, hosts: number): number {
  const callMs = target.latencyMs * Math.exp(target.latencySpread ** 2 / 2);
  const lanes = Math.min(spec.maxParallelism, Math.ceil(items / spec.chunkSize));
  const apartMs = spec.pacing.minIntervalMs + spec.pacing.jitterMs;
  const { bad } = target;
  const failedMs = bad === undefined ? null : failure(bad.fault).latencyMs;
  const triesMs = spec.retry.maxAttempts * ((failedMs ?? callMs) + apartMs);
  const byLanesMs = (items * (callMs + apartMs + (bad?.share ?? 0) * triesMs)) / lanes;
  const byHostsMs = spec.quota?.perHost == null ? 0 : (items / hosts) * 1000;
  return byLanesMs + byHostsMs;
}

function specOf(random: Random, kind: Kind, { items, perSecond }: Size): Spec {
  const chunkSize = Math.max(random.pick([1, 7, 50, 200, 1000]), Math.ceil(items / 400));
  const burst = random.chance(0.2) ? 10 : null;
  const url = "https://target.example/{{item}}";
  const batch = kind === "batch" ? { batch: random.pick([2, 5, 20]) } : {};
  const spec: Spec = {
    ...SPEC_DEFAULTS,
    name: null,
    source: { kind: "range", from: 0, to: items, step: 1 },
    task: { kind: "http", url, ...batch },
    chunkSize,
    maxParallelism: random.pick([1, 2, 5, 12, 40]),
    quota: perSecond === null ? null : { requests: `${perSecond}/s`, burst },
    pacing: random.chance(0.15) ? { minIntervalMs: 100, jitterMs: 50 } : SPEC_DEFAULTS.pacing,
    checkpoint: { ...SPEC_DEFAULTS.checkpoint, items: random.pick([5, 20, 100]) },
    // A paused run waits for people: what tolerance does is checked by tables, not here.
    tolerate: { ...SPEC_DEFAULTS.tolerate, failureRate: 1 },
  };
  const requests = spec.quota?.requests ?? null;
  switch (kind) {
    case "hosts":
      return {
        ...spec,
        quota: { requests: requests ?? "200/s", burst, perHost: random.pick(["1/s", "5/s"]) },
      };
    case "tokens":
      return {
        ...spec,
        quota: { requests, burst, tokens: random.pick(["60000/min", "300000/min"]), tokenBurst: null },
      };
    case "budget":
      return { ...spec, budget: budgetOf(random, items) };
    default:
      return { ...spec, chunkSize: Math.max(chunkSize, itemsPerCall(spec)) };
  }
}

/** One that is used up before the end in most worlds. */
function budgetOf(random: Random, items: number): NonNullable<Spec["budget"]> {
  const calls = Math.ceil(items * random.between(0.2, 1.2));
  const none = { tokens: null, calls: null, dollars: null };
  return random.chance(0.5) ? { ...none, calls } : { ...none, tokens: calls * 500 };
}

function targetOf(random: Random, { items, perSecond, safetyMs }: Size): TargetOptions {
  const configured = perSecond ?? 100;
  const limit = random.pick([
    null,
    { perSecond: configured, burst: 100 },
    { perSecond: configured / 2, burst: 20 },
  ]);
  return {
    limit,
    latencyMs: random.pick([5, 50, 300, 2000]),
    latencySpread: random.pick([0.1, 0.5, 1]),
    mostLatencyMs: 30_000,
    missing: random.pick([0, 0.01, 0.2]),
    errors: random.pick([0, 0, 0.02, 0.3]),
    saysRetryAfter: random.chance(0.5),
    outages: Array.from({ length: random.whole(0, 2) }, () => {
      const fromMs = random.between(0, safetyMs);
      return { fromMs, toMs: Math.min(safetyMs, fromMs + random.between(500, 30_000)) };
    }),
    poison: random.chance(0.15) ? [random.whole(0, items - 1)] : [],
  };
}

function faultsOf(random: Random, place: SimOptions["place"]): FaultOptions {
  const some = (most: number) => (random.chance(0.5) ? random.between(0, most) : 0);
  const window = (everyMs: number, dwellMs: number): FaultWindow | null =>
    random.chance(0.35) ? { everyMs: random.between(everyMs / 3, everyMs), dwellMs } : null;
  return {
    requestLost: some(0.05),
    answerLost: some(0.1),
    requestLate: some(0.03),
    answerLate: some(0.06),
    overloads: window(30_000, 10_000),
    stalled: some(0.05),
    offerLost: some(0.4),
    offerDoubled: some(0.3),
    offerLateMs: random.pick([20, 200, 5000, 40_000]),
    timerLate: some(0.02),
    storageRefuses: some(0.2),
    storageAway: window(40_000, 20_000),
    storageHangs: random.chance(0.3) ? random.between(0, 0.02) : 0,
    indexAway: window(40_000, 20_000),
    runAway: window(30_000, 10_000),
    runRestarts: window(15_000, 3000),
    crashes: place === "embedded" ? window(30_000, 3000) : null,
    deaths: window(15_000, 0),
    freezes: window(20_000, 60_000),
    stalls: window(3000, 400),
    steering: window(15_000, 10_000),
    clockSteps: window(20_000, 0),
    clockStepMs: random.pick([50, 1000, 3_600_000]),
    clockOffsetMs: 3_600_000,
    clockDrift: random.pick([0, 0.00001, 0.00008]),
    clockLagMs: some(5),
    wallStepMs: random.pick([0, 0, 100, 3_600_000]),
    distanceMs: place === "deployed" ? random.pick([0, 0, 10, 70]) : 0,
  };
}
