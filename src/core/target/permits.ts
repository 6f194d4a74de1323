/** Permits for programs that are not Weir, from the reserve, and what such programs report of throttled calls. */
import { PERMITS_GRACE_MS } from "../limits.ts";
import type { Report } from "../protocol.ts";
import { takeFromReserve } from "./reserve.ts";
import { observeShared, passTargetTime, pauseUntil, type TargetState } from "./target.ts";
import type { PermitsAnswer, PermitsAsk } from "./targetProtocol.ts";

/** Programs are one holder to the controller, whatever they are. */
const PROGRAMS = "programs";

/** Answers a program at once. What it reports is taken in first. */
export function askPermits(target: TargetState, ask: PermitsAsk, nowMs: number): PermitsAnswer {
  passTargetTime(target, nowMs);
  if (ask.throttled > 0) observeShared(target, reportOf(target, ask), { holder: PROGRAMS, nowMs });
  // The program speaks for all its calls: what it was asked for is asked of everybody.
  if (ask.retryAfterMs !== null) pauseUntil(target, nowMs + ask.retryAfterMs);
  const { count, waitMs } = ask;
  const taken = takeFromReserve(target.reserve, { count, waitMs, notBeforeMs: target.pausedUntilMs, nowMs });
  passTargetTime(target, nowMs);
  return { ...taken, graceMs: PERMITS_GRACE_MS, epoch: target.quota.epoch };
}

function reportOf({ quota }: TargetState, { throttled, epoch }: PermitsAsk): Report {
  return {
    calls: throttled,
    throttled,
    answered: 0,
    inFlight: 0,
    probeAnswered: false,
    // A call whose epoch nobody knows is believed: its program has nothing else to say.
    troubles: [
      {
        kind: "throttled",
        index: -quota.version,
        epoch: epoch ?? quota.epoch,
        retryAfterMs: null,
        probe: false,
      },
    ],
    troublesSinceAnswer: 1,
    callMs: 0,
    forfeited: 0,
    blocked: null,
    operations: {},
  };
}
