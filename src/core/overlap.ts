/**
 * The overlap policy: what becomes of a fire while a run of its schedule has not ended.
 *
 * Invariant: at most one fire waits, and it is the latest of those that had to.
 */
import { MAX_ACTIVE_RUNS_PER_SCHEDULE } from "./limits.ts";
import {
  type Fire,
  type ScheduleRules,
  type ScheduleState,
  type Step,
  waitingFire,
} from "./scheduleState.ts";

const TOO_MANY = `${MAX_ACTIVE_RUNS_PER_SCHEDULE} runs have not ended, the most at once`;

/** Starts the fire, lets it wait, or leaves it out. */
export function admit(state: ScheduleState, rules: ScheduleRules, fire: Fire): Step {
  const waiting = waitingFire(state);
  if (waiting === undefined && hasRoom(state, rules)) {
    return { state: { ...state, open: [...state.open, starting(state, fire)] }, closed: [] };
  }
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

/** From here on the fire's watermark is fixed: starting again after a crash says the same. */
export function starting(state: ScheduleState, fire: Fire): Fire {
  const { watermarkMs, watermarkEpoch } = state;
  return { ...fire, outcome: "starting", watermarkMs, watermarkEpoch };
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
