/**
 * The schedule: which fire starts a run, which one waits, which one is left out, and how far the watermark is.
 *
 * Everything here is a decision over stored state. Invariants: an instant of the expression is decided once, because
 * `seenMs` moves past it in the same step that notes its fire; a fire that is to start stays `starting` until its run
 * is known to exist, so a crash between the two neither loses nor doubles it; at most one fire waits; the watermark
 * moves only with a run that completed, never back, and never past the run's instant nor past the moment of its fire;
 * no run of a spec that says `{{watermark}}` starts with one later than its instant.
 *
 * Not here: when an expression is due (`src/schedule/cron.ts` knows calendars) and the runs themselves.
 */
import { SCHEDULE_ON_TIME_MS } from "../limits.ts";
import type { RunStatus } from "../run/runView.ts";
import { admit, begin, hasRoom } from "./overlap.ts";
import {
  type Due,
  type Fire,
  type FireOutcome,
  type FireRules,
  newFire,
  type ScheduleRules,
  type ScheduleState,
  type Step,
  waitingFire,
} from "./scheduleState.ts";

/** A schedule that begins now: what was due before is not its business. */
export function createSchedule(nowMs: number, watermarkMs: number | null): ScheduleState {
  return { seenMs: nowMs, pausedWhy: null, watermarkMs, watermarkEpoch: 0, failuresInRow: 0, open: [] };
}

/**
 * Decides what is due. Of several instants that were missed only the newest fires: with a watermark its run covers
 * them all, without one the older runs would only be late.
 */
export function takeDue(state: ScheduleState, rules: FireRules, due: Due, nowMs: number): Step {
  const { newestMs, earlier } = due;
  if (newestMs === null || newestMs <= state.seenMs || state.pausedWhy !== null) return { state, closed: [] };
  const seen = { ...state, seenMs: newestMs };
  if (due.isKnown || state.open.some((fire) => fire.scheduledAtMs === newestMs))
    return { state: seen, closed: [] };
  const fire = newFire(newestMs, "cron", nowMs);
  const lateMs = nowMs - newestMs;
  if (lateMs > Math.max(rules.catchUpMs, SCHEDULE_ON_TIME_MS)) {
    const why = `nobody was there to fire it, and it is older than catchUpMs (${rules.catchUpMs}) allows`;
    return close(seen, [{ ...fire, outcome: "missed", why: missedToo(why, earlier) }], nowMs);
  }
  const passed = earlier === null ? [] : [passedOver(earlier, nowMs)];
  const admitted = admit(seen, rules, fire);
  return { state: admitted.state, closed: [...passed, ...admitted.closed] };
}

/** Fires by hand, also while paused. `at.scheduledAtMs` is not an open fire's, and no run of it is known. */
export function fireByHand(
  state: ScheduleState,
  rules: FireRules,
  at: { readonly scheduledAtMs: number; readonly nowMs: number },
): Step {
  return admit(state, rules, newFire(at.scheduledAtMs, "manual", at.nowMs));
}

/** The run of a fire exists. */
export function started(state: ScheduleState, scheduledAtMs: number, run: string, nowMs: number): Step {
  return change(state, scheduledAtMs, "starting", (fire) => ({
    ...fire,
    outcome: "running",
    run,
    startedAtMs: nowMs,
  }));
}

/** The run of a fire cannot be made: counts as a failed run. */
export function refused(
  state: ScheduleState,
  rules: ScheduleRules,
  about: { readonly scheduledAtMs: number; readonly why: string; readonly nowMs: number },
): Step {
  const fire = find(state, about.scheduledAtMs, "starting");
  if (fire === undefined) return { state, closed: [] };
  const over = close(state, [{ ...fire, outcome: "refused", why: about.why }], about.nowMs);
  return { ...over, state: countFailure(over.state, rules) };
}

/** The run of a fire has ended: the watermark, and failures in a row. `null`: the run is no longer there. */
export function ended(
  state: ScheduleState,
  rules: ScheduleRules,
  about: { readonly scheduledAtMs: number; readonly status: RunStatus | null; readonly nowMs: number },
): Step {
  const fire = find(state, about.scheduledAtMs, "running");
  if (fire === undefined) return { state, closed: [] };
  const { status } = about;
  switch (status) {
    case "completed":
    case "completed-with-failures": {
      const over = close(state, [{ ...fire, outcome: status }], about.nowMs);
      const advances = status === "completed" || rules.advanceWithFailures;
      const after = { ...over.state, failuresInRow: 0 };
      return { ...over, state: advances ? advance(after, fire) : after };
    }
    case "failed": {
      const over = close(state, [{ ...fire, outcome: "failed" }], about.nowMs);
      return { ...over, state: countFailure(over.state, rules) };
    }
    case "cancelled":
      return close(state, [{ ...fire, outcome: "cancelled" }], about.nowMs);
    case null:
      return close(
        state,
        [{ ...fire, outcome: "cancelled", why: "its run is no longer there" }],
        about.nowMs,
      );
    default:
      return { state, closed: [] };
  }
}

/** Lets the fire that waits start when nothing stands in its way any more. */
export function promote(state: ScheduleState, rules: FireRules, nowMs: number): Step {
  const waiting = waitingFire(state);
  const stays = { state, closed: [] };
  if (waiting === undefined || !hasRoom(state, rules)) return stays;
  if (state.pausedWhy !== null && waiting.cause === "cron") return stays;
  const others = state.open.filter((fire) => fire !== waiting);
  return begin({ ...state, open: others }, rules, waiting, nowMs);
}

/** Runs that have to end because a fire waits for their place. */
export function runsToCancel(state: ScheduleState, rules: ScheduleRules): readonly string[] {
  if (rules.overlap !== "cancel-running" || waitingFire(state) === undefined) return [];
  return state.open.flatMap((fire) => (fire.outcome === "running" && fire.run !== null ? [fire.run] : []));
}

/** Nothing fires by itself any more; what runs goes on. */
export function pauseSchedule(state: ScheduleState, why: string): ScheduleState {
  return { ...state, pausedWhy: state.pausedWhy ?? why };
}

/** Fires again, from the next instant on: what was due meanwhile was not wanted. */
export function resumeSchedule(state: ScheduleState, nowMs: number): ScheduleState {
  return { ...state, pausedWhy: null, failuresInRow: 0, seenMs: Math.max(state.seenMs, nowMs) };
}

/** The expression or its zone is another one: it counts from now on. */
export function restartFrom(state: ScheduleState, nowMs: number): ScheduleState {
  return { ...state, seenMs: nowMs };
}

/** Sets the watermark by hand, also back: runs that were started before do not move it any more. */
export function setWatermark(state: ScheduleState, watermarkMs: number | null): ScheduleState {
  return { ...state, watermarkMs, watermarkEpoch: state.watermarkEpoch + 1 };
}

/**
 * Every run covers what lies between its watermark and its instant, so the latest one that completed says how far
 * everything is done, whatever became of the others.
 */
function advance(state: ScheduleState, fire: Fire): ScheduleState {
  if (fire.watermarkEpoch !== state.watermarkEpoch) return state;
  // What lies after the moment at which it was fired its run cannot have seen.
  const coveredMs = Math.min(fire.scheduledAtMs, fire.firedAtMs);
  return { ...state, watermarkMs: Math.max(state.watermarkMs ?? Number.NEGATIVE_INFINITY, coveredMs) };
}

function countFailure(state: ScheduleState, rules: ScheduleRules): ScheduleState {
  const failuresInRow = state.failuresInRow + 1;
  const counted = { ...state, failuresInRow };
  if (rules.pauseAfterFailures === 0 || failuresInRow < rules.pauseAfterFailures) return counted;
  return pauseSchedule(
    counted,
    failuresInRow === 1 ? "its run failed" : `${failuresInRow} runs in a row failed`,
  );
}

function passedOver(earlier: NonNullable<Due["earlier"]>, nowMs: number): Fire {
  const fire = newFire(earlier.lastMs, "cron", nowMs);
  return {
    ...fire,
    outcome: "missed",
    endedAtMs: nowMs,
    why: `${counted(earlier)}; the newest stands for all`,
  };
}

function missedToo(why: string, earlier: Due["earlier"]): string {
  return earlier === null ? why : `${why}; ${counted(earlier)}`;
}

function counted({ count, isMore }: NonNullable<Due["earlier"]>): string {
  return `${isMore ? "more than " : ""}${count} earlier ${count === 1 ? "instant was" : "instants were"} missed`;
}

function find(state: ScheduleState, scheduledAtMs: number, outcome: FireOutcome): Fire | undefined {
  return state.open.find((fire) => fire.scheduledAtMs === scheduledAtMs && fire.outcome === outcome);
}

function change(
  state: ScheduleState,
  scheduledAtMs: number,
  from: FireOutcome,
  to: (fire: Fire) => Fire,
): Step {
  const fire = find(state, scheduledAtMs, from);
  if (fire === undefined) return { state, closed: [] };
  return {
    state: { ...state, open: state.open.map((other) => (other === fire ? to(fire) : other)) },
    closed: [],
  };
}

/** Takes fires out of the open ones. */
function close(state: ScheduleState, fires: readonly Fire[], nowMs: number): Step {
  const gone = new Set(fires.map((fire) => fire.scheduledAtMs));
  return {
    state: { ...state, open: state.open.filter((fire) => !gone.has(fire.scheduledAtMs)) },
    closed: fires.map((fire) => ({ ...fire, endedAtMs: nowMs })),
  };
}
