/**
 * What is simulated: a run, a target, and the faults. One seed decides all of it, and the options are printed
 * before anything happens.
 *
 * A fault has a probability (or a mean time between two) and a dwell time. Faults end with the safety phase; what
 * follows must lead to an end state.
 */

import { lanesPerInvocation } from "../core/run/dispatch.ts";
import type { Spec } from "../core/spec.ts";
import type { BadItems, FaultKind } from "./badItems.ts";

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
export interface FaultWindow {
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
  /** Answers that come long after they were made. */
  readonly answerLate: number;
  /** The Run refuses requests because it has too much to do. */
  readonly overloads: FaultWindow | null;
  readonly offerLost: number;
  readonly offerDoubled: number;
  readonly offerLateMs: number;
  readonly timerLate: number;
  /** R2 refuses one call in so many, and whole for a while. */
  readonly storageRefuses: number;
  readonly storageAway: FaultWindow | null;
  /** It leaves one call in so many without an answer. */
  readonly storageHangs: number;
  readonly indexAway: FaultWindow | null;
  readonly runAway: FaultWindow | null;
  readonly runRestarts: FaultWindow | null;
  /** The whole embedding process dies and the run is resumed in the next one. */
  readonly crashes: FaultWindow | null;
  readonly deaths: FaultWindow | null;
  readonly freezes: FaultWindow | null;
  /** The event loop of a process stands still, embedded that of all processes: garbage collection, a busy machine. */
  readonly stalls: FaultWindow | null;
  /** Somebody sets the clock of a machine, by up to `clockStepMs` in either direction. */
  readonly clockSteps: FaultWindow | null;
  readonly clockStepMs: number;
  /** People pause, resume and change the limits. */
  readonly steering: FaultWindow | null;
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
  "unmarked-side-lane",
  "shifted-outcomes",
  "crowded-host",
  "free-tokens",
  "uncounted-spending",
  "late-permits",
  "leaping-run",
  "raw-clock",
  "overlong-lease",
  "unmarked-overload",
  "endless-hang",
] as const;
/** A mistake planted into the Run or what is around the lanes, to see whether the checkers would find it. */
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
  /** Hosts that the items are spread over, one after the other; absent: calls are for no host of their own. */
  readonly hosts?: { readonly count: number; readonly areApart: boolean };
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

export const NO_FAULTS: FaultOptions = {
  requestLost: 0,
  answerLost: 0,
  requestLate: 0,
  stalled: 0,
  answerLate: 0,
  overloads: null,
  offerLost: 0,
  offerDoubled: 0,
  offerLateMs: 50,
  timerLate: 0,
  storageRefuses: 0,
  storageAway: null,
  storageHangs: 0,
  indexAway: null,
  runAway: null,
  runRestarts: null,
  crashes: null,
  deaths: null,
  freezes: null,
  stalls: null,
  clockSteps: null,
  clockStepMs: 0,
  steering: null,
  clockOffsetMs: 3_600_000,
  clockDrift: 0,
  clockLagMs: 0,
  wallStepMs: 0,
  distanceMs: 0,
};
