/**
 * The overlap policy: what becomes of a fire while a run of its schedule has not ended.
 *
 * Invariant: at most one fire waits, and it is the latest of those that had to.
 */
import { MAX_ACTIVE_RUNS_PER_SCHEDULE } from "../limits.ts";
import {
  type Fire,
  type FireRules,
  type ScheduleRules,
  type ScheduleState,
  type Step,
  waitingFire,
} from "./scheduleState.ts";

const TOO_MANY = `${MAX_ACTIVE_RUNS_PER_SCHEDULE} runs have not ended, the most at once`;

/** Starts the fire, lets it wait, or leaves it out. */
export function admit(state: ScheduleState, rules: FireRules, fire: Fire): Step {
  const waiting = waitingFire(state);
  if (waiting === undefined && hasRoom(state, rules)) return begin(state, rules, fire, fire.firedAtMs);
  switch (rules.overlap) {
    case "skip":
      return leaveOut(state, fire, { why: `${busyWith(state)} (overlap: skip)`, nowMs: fire.firedAtMs });
    case "allow":
      return leaveOut(state, fire, { why: TOO_MANY, nowMs: fire.firedAtMs });
    case "queue-one":
    case "cancel-running":
      return takeTurn(state, waiting, fire);
    default:
      return rules.overlap satisfies never;
  }
}

/** One fire waits, the later of the two: its run covers what the earlier one would have. */
function takeTurn(state: ScheduleState, waiting: Fire | undefined, fire: Fire): Step {
  if (waiting === undefined) return { state: { ...state, open: [...state.open, fire] }, closed: [] };
  const about = { why: "a later fire took its place in the queue of one", nowMs: fire.firedAtMs };
  if (fire.scheduledAtMs <= waiting.scheduledAtMs) return leaveOut(state, fire, about);
  const others = state.open.filter((other) => other !== waiting);
  const left = leaveOut({ ...state, open: others }, waiting, about);
  return { state: { ...left.state, open: [...others, fire] }, closed: left.closed };
}

function leaveOut(
  state: ScheduleState,
  fire: Fire,
  { why, nowMs }: { readonly why: string; readonly nowMs: number },
): Step {
  return { state, closed: [{ ...fire, outcome: "skipped", why, endedAtMs: nowMs }] };
}

/**
 * Starts the fire, which is not among the open ones. From here on its watermark is fixed: starting again after a
 * crash says the same. Where the watermark is past its instant already there is no stretch left for a run.
 */
export function begin(state: ScheduleState, rules: FireRules, fire: Fire, nowMs: number): Step {
  const { watermarkMs, watermarkEpoch } = state;
  if (rules.usesWatermark && watermarkMs !== null && watermarkMs > fire.scheduledAtMs)
    return leaveOut(state, fire, { why: isCovered(watermarkMs), nowMs });
  const starting: Fire = { ...fire, outcome: "starting", watermarkMs, watermarkEpoch };
  return { state: { ...state, open: [...state.open, starting] }, closed: [] };
}

function isCovered(watermarkMs: number): string {
  const watermark = new Date(watermarkMs).toISOString();
  return `the watermark is later, ${watermark}: nothing is left before this instant; set it back to cover the stretch again`;
}

/** True when one more run may be under way. */
export function hasRoom(state: ScheduleState, rules: ScheduleRules): boolean {
  const busy = state.open.filter((fire) => fire.outcome !== "waiting").length;
  return busy < (rules.overlap === "allow" ? MAX_ACTIVE_RUNS_PER_SCHEDULE : 1);
}

function busyWith({ open }: ScheduleState): string {
  const run = open.find((fire) => fire.run !== null)?.run;
  return run === undefined ? "the fire before it has not ended" : `run ${run} has not ended`;
}
