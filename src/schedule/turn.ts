/**
 * One turn of a schedule: see which runs have ended, decide what is due, start what may start, cancel what has to
 * make room.
 *
 * Invariant: every decision is stored before anything is done about it, and everything done may be done again: a turn
 * that breaks off anywhere is made good by the next one. A fault of the platform leaves the fire as it is; only a
 * refusal, which another try would meet again, ends it.
 */
import type { RunStatus } from "../core/run/runView.ts";
import * as core from "../core/schedule/schedule.ts";
import type { Due, Fire, FireRules, ScheduleState, Step } from "../core/schedule/scheduleState.ts";

export type Start =
  | { readonly kind: "started"; readonly run: string }
  /** It cannot be made, and the sentence says why. */
  | { readonly kind: "refused"; readonly why: string };

/** What a turn needs of the world. The asynchronous ones throw for a fault of the platform. */
export interface TurnPorts {
  nowMs(): number;
  state(): ScheduleState;
  rules(): FireRules;
  /** Stores a decision in one transaction. */
  store(step: Step): void;
  due(seenMs: number, nowMs: number): Due;
  /** Makes the run of a fire; repeating it gives the same run. */
  start(fire: Fire): Promise<Start>;
  /** Null: it is no longer there. */
  statusOf(run: string): Promise<RunStatus | null>;
  cancel(run: string): Promise<void>;
  /** A fault that the next turn makes good. */
  fault(about: string, error: unknown): void;
}

/** A whole turn. `drives` false: ends are noted, nothing is started. Rejects only when storing does. */
export async function takeTurn(ports: TurnPorts, drives: boolean): Promise<void> {
  await noteEnds(ports);
  if (!drives) return;
  const seenMs = ports.state().seenMs;
  const nowMs = ports.nowMs();
  const due = ports.due(seenMs, nowMs);
  decide(ports, (state, rules) => core.takeDue(state, rules, due, nowMs));
  await startWhatMay(ports);
}

/** The part of a turn that follows a fire by hand. */
export async function startWhatMay(ports: TurnPorts): Promise<void> {
  const nowMs = ports.nowMs();
  decide(ports, (state, rules) => core.promote(state, rules, nowMs));
  for (const fire of ports.state().open) {
    if (fire.outcome === "starting") await start(ports, fire);
  }
  for (const run of core.runsToCancel(ports.state(), ports.rules())) {
    await ports.cancel(run).catch((error: unknown) => ports.fault(`run ${run} was not cancelled`, error));
  }
}

/** Notes which of the running ones have ended. */
export async function noteEnds(ports: TurnPorts): Promise<void> {
  for (const { scheduledAtMs, run } of ports.state().open) {
    if (run === null) continue;
    try {
      const status = await ports.statusOf(run);
      const about = { scheduledAtMs, status, nowMs: ports.nowMs() };
      decide(ports, (state, rules) => core.ended(state, rules, about));
    } catch (error) {
      ports.fault(`run ${run} did not answer`, error);
    }
  }
}

async function start(ports: TurnPorts, fire: Fire): Promise<void> {
  const { scheduledAtMs } = fire;
  try {
    const outcome = await ports.start(fire);
    const nowMs = ports.nowMs();
    decide(ports, (state, rules) =>
      outcome.kind === "started"
        ? core.started(state, scheduledAtMs, outcome.run, nowMs)
        : core.refused(state, rules, { scheduledAtMs, why: outcome.why, nowMs }),
    );
  } catch (error) {
    ports.fault(`the fire of ${new Date(scheduledAtMs).toISOString()} is tried again`, error);
  }
}

function decide(ports: TurnPorts, by: (state: ScheduleState, rules: FireRules) => Step): void {
  const before = ports.state();
  const step = by(before, ports.rules());
  if (step.state !== before || step.closed.length > 0) ports.store(step);
}
