import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_ACTIVE_RUNS_PER_SCHEDULE, SCHEDULE_ON_TIME_MS } from "../../../src/core/limits.ts";
import type { RunStatus } from "../../../src/core/run/runView.ts";
import * as core from "../../../src/core/schedule/schedule.ts";
import {
  type Fire,
  type FireRules,
  type Overlap,
  SCHEDULE_DEFAULTS,
  type ScheduleRules,
  type ScheduleState,
  type Step,
} from "../../../src/core/schedule/scheduleState.ts";

const NOW = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;
const HOUR = 3_600_000;
const rulesOf = (rules: Partial<FireRules> = {}): FireRules => ({
  ...SCHEDULE_DEFAULTS,
  usesWatermark: true,
  ...rules,
});

/** A schedule under a sequence of events: `fire 3` is the instant of day 3; the run of day 3 is `r3`. */
function run(rules: FireRules, events: readonly string[], watermarkMs: number | null = null) {
  let state = core.createSchedule(NOW, watermarkMs);
  const closed: Fire[] = [];
  const apply = (step: Step) => {
    expectSound(state, step.state, rules);
    state = step.state;
    closed.push(...step.closed);
  };
  for (const event of events) {
    const [verb = "", day = "0", status = ""] = event.split(" ");
    const scheduledAtMs = NOW + Number(day) * DAY;
    if (verb === "fire") apply(core.fireByHand(state, rules, { scheduledAtMs, nowMs: scheduledAtMs }));
    else if (verb === "set") apply({ state: core.setWatermark(state, scheduledAtMs), closed: [] });
    else if (verb === "refuse")
      apply(core.refused(state, rules, { scheduledAtMs, why: "no input", nowMs: NOW }));
    else apply(core.ended(state, rules, { scheduledAtMs, status: status as RunStatus, nowMs: NOW }));
    apply(core.promote(state, rules, scheduledAtMs));
    if (verb === "fire" && event.endsWith("stuck")) continue;
    for (const fire of state.open) {
      const isStuck = events.includes(`refuse ${(fire.scheduledAtMs - NOW) / DAY}`);
      if (fire.outcome === "starting" && !isStuck)
        apply(core.started(state, fire.scheduledAtMs, `r${(fire.scheduledAtMs - NOW) / DAY}`, NOW));
    }
  }
  const all = [...closed, ...state.open].sort((a, b) => a.scheduledAtMs - b.scheduledAtMs);
  return { state, outcomes: all.map((fire) => fire.outcome), fires: all };
}

function expectSound(before: ScheduleState, after: ScheduleState, rules: ScheduleRules): void {
  const waiting = after.open.filter((fire) => fire.outcome === "waiting");
  expect(waiting.length).toBeLessThanOrEqual(1);
  const most = rules.overlap === "allow" ? MAX_ACTIVE_RUNS_PER_SCHEDULE : 1;
  expect(after.open.length - waiting.length).toBeLessThanOrEqual(most);
  if (after.watermarkEpoch === before.watermarkEpoch) {
    expect(after.watermarkMs ?? 0).toBeGreaterThanOrEqual(before.watermarkMs ?? 0);
  }
  expect(new Set(after.open.map((fire) => fire.scheduledAtMs)).size).toBe(after.open.length);
}

describe("overlap", () => {
  const four = ["fire 1", "fire 2", "fire 3", "fire 4"];
  test.each<[Overlap, readonly string[], readonly string[]]>([
    ["skip", four, ["running", "skipped", "skipped", "skipped"]],
    ["skip", ["fire 1", "end 1 completed", "fire 2"], ["completed", "running"]],
    ["queue-one", four, ["running", "skipped", "skipped", "waiting"]],
    ["queue-one", [...four, "end 1 completed"], ["completed", "skipped", "skipped", "running"]],
    ["queue-one", ["fire 1", "fire 4", "fire 2"], ["running", "skipped", "waiting"]],
    ["queue-one", ["fire 1", "fire 2", "end 1 failed", "fire 3"], ["failed", "running", "waiting"]],
    ["cancel-running", ["fire 1", "fire 2"], ["running", "waiting"]],
    [
      "cancel-running",
      ["fire 1", "fire 2", "fire 3", "end 1 cancelled"],
      ["cancelled", "skipped", "running"],
    ],
    ["allow", four, ["running", "running", "running", "running"]],
    ["allow", [...four, "end 3 completed"], ["running", "running", "completed", "running"]],
  ])("%s: %j comes to %j", (overlap, events, outcomes) => {
    expect(run(rulesOf({ overlap }), events).outcomes).toEqual(outcomes);
  });

  test("allow has an end: a schedule whose runs never end starts no more", () => {
    const events = Array.from({ length: MAX_ACTIVE_RUNS_PER_SCHEDULE + 2 }, (_, day) => `fire ${day}`);
    const { outcomes, fires } = run(rulesOf({ overlap: "allow" }), events);
    expect(outcomes.filter((outcome) => outcome === "running")).toHaveLength(MAX_ACTIVE_RUNS_PER_SCHEDULE);
    expect(fires.at(-1)?.why).toContain("the most at once");
  });

  test("cancel-running asks for the end of what runs only while something waits for it", () => {
    const rules = rulesOf({ overlap: "cancel-running" });
    expect(core.runsToCancel(run(rules, ["fire 1"]).state, rules)).toEqual([]);
    const { state } = run(rules, ["fire 1", "fire 2"]);
    expect(core.runsToCancel(state, rules)).toEqual(["r1"]);
    expect(core.runsToCancel(state, rulesOf({ overlap: "queue-one" }))).toEqual([]);
  });
});

describe("the watermark", () => {
  const day = (n: number) => NOW + n * DAY;
  test.each<[string, Partial<ScheduleRules>, readonly string[], number | null]>([
    ["moves with a run that completed", {}, ["fire 1", "end 1 completed"], day(1)],
    ["stays with failed rows", {}, ["fire 1", "end 1 completed-with-failures"], null],
    [
      "moves with them on request",
      { advanceWithFailures: true },
      ["fire 1", "end 1 completed-with-failures"],
      day(1),
    ],
    ["stays when the run failed", {}, ["fire 1", "end 1 failed"], null],
    ["stays when the run was cancelled", {}, ["fire 1", "end 1 cancelled"], null],
    [
      "never goes back",
      { overlap: "allow" },
      ["fire 2", "fire 1", "end 2 completed", "end 1 completed"],
      day(2),
    ],
    ["set by hand is not moved by a run from before", {}, ["fire 5", "set 1", "end 5 completed"], day(1)],
    [
      "set by hand is moved by the next run",
      {},
      ["fire 5", "set 1", "end 5 completed", "fire 6", "end 6 completed"],
      day(6),
    ],
  ])("%s", (_, rules, events, expected) => {
    expect(run(rulesOf(rules), events).state.watermarkMs).toBe(expected);
  });

  test("keeps a fire for an earlier instant from starting, and says so", () => {
    const { outcomes, fires, state } = run(rulesOf(), ["fire 3", "end 3 completed", "fire 1", "fire 4"]);
    expect(outcomes).toEqual(["skipped", "completed", "running"]);
    expect(fires[0]?.why).toContain(`the watermark is later, ${new Date(day(3)).toISOString()}`);
    expect(state.watermarkMs).toBe(day(3));
    const back = ["fire 3", "end 3 completed", "set 0", "fire 1"];
    expect(run(rulesOf(), back).outcomes, "set back before").toEqual(["running", "completed"]);
  });

  test("keeps nothing from starting where the spec does not say it", () => {
    const events = ["fire 3", "end 3 completed", "fire 1"];
    expect(run(rulesOf({ usesWatermark: false }), events).outcomes).toEqual(["running", "completed"]);
  });

  test("keeps a fire that waited from starting when it has moved past it meanwhile", () => {
    const events = ["fire 1", "fire 2", "set 3", "end 1 completed"];
    expect(run(rulesOf({ overlap: "queue-one" }), events).outcomes).toEqual(["completed", "skipped"]);
  });

  test("never passes the moment of the fire, whatever instant its run was told", () => {
    const rules = rulesOf();
    const fired = core.fireByHand(core.createSchedule(NOW, null), rules, {
      scheduledAtMs: day(9),
      nowMs: day(1),
    });
    const going = core.started(fired.state, day(9), "r9", day(1)).state;
    const about = { scheduledAtMs: day(9), status: "completed", nowMs: day(2) } as const;
    expect(core.ended(going, rules, about).state.watermarkMs).toBe(day(1));
  });

  test("is later than no instant of a run that starts with it, nor moves back or past a fire by itself", () => {
    const event = fc.record({
      act: fc.constantFrom("due", "by hand", "end", "set"),
      /** The instant of a fire by hand, and where the watermark is set, in hours before now. */
      hours: fc.integer({ min: -5, max: 60 }),
      after: fc.integer({ min: 0, max: 8 }),
      status: fc.constantFrom<RunStatus>("completed", "completed-with-failures", "failed", "cancelled"),
    });
    const worlds = fc.record({
      overlap: fc.constantFrom<Overlap>("skip", "queue-one", "cancel-running", "allow"),
      events: fc.array(event, { maxLength: 60 }),
    });
    fc.assert(
      fc.property(worlds, ({ overlap, events }) => {
        const rules = rulesOf({ overlap, advanceWithFailures: true, pauseAfterFailures: 0 });
        let nowMs = NOW + DAY;
        let state = core.createSchedule(NOW, NOW);
        let wasSet = false;
        const apply = (step: Step) => {
          const before = state.open.filter((fire) => fire.outcome !== "waiting");
          state = step.state;
          for (const fire of state.open) {
            if (
              fire.outcome !== "starting" ||
              before.some((other) => other.scheduledAtMs === fire.scheduledAtMs)
            )
              continue;
            expect(fire.watermarkMs ?? NOW).toBeLessThanOrEqual(fire.scheduledAtMs);
          }
        };
        for (const { act, hours, after, status } of events) {
          nowMs += after * HOUR;
          const instant = nowMs - hours * HOUR;
          const markMs = state.watermarkMs ?? NOW;
          const dueMs = NOW + Math.floor((nowMs - NOW) / DAY) * DAY;
          const isOpen = state.open.some((fire) => fire.scheduledAtMs === instant);
          if (act === "due")
            apply(core.takeDue(state, rules, { newestMs: dueMs, isKnown: false, earlier: null }, nowMs));
          if (act === "by hand" && !isOpen && instant <= nowMs)
            apply(core.fireByHand(state, rules, { scheduledAtMs: instant, nowMs }));
          if (act === "set") {
            apply({ state: core.setWatermark(state, instant), closed: [] });
            wasSet = true;
          }
          const first = state.open.find((fire) => fire.outcome === "running");
          if (act === "end" && first !== undefined)
            apply(core.ended(state, rules, { scheduledAtMs: first.scheduledAtMs, status, nowMs }));
          apply(core.promote(state, rules, nowMs));
          for (const { outcome, scheduledAtMs } of state.open)
            if (outcome === "starting") apply(core.started(state, scheduledAtMs, `r${scheduledAtMs}`, nowMs));
          if (act !== "set") expect(state.watermarkMs).toBeGreaterThanOrEqual(markMs);
          if (!wasSet) expect(state.watermarkMs).toBeLessThanOrEqual(nowMs);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("of a run that waited is the one at its start", () => {
    const { fires } = run(rulesOf({ overlap: "queue-one" }), ["fire 1", "fire 2", "end 1 completed"], day(0));
    expect(fires.map((fire) => fire.watermarkMs)).toEqual([day(0), day(1)]);
  });
});

describe("failures in a row", () => {
  const fail = (n: number) => [`fire ${n}`, `end ${n} failed`];
  test.each<[string, number, readonly string[], string | null]>([
    ["pause the schedule", 2, [...fail(1), ...fail(2)], "2 runs in a row failed"],
    ["count a run that could not be made", 2, [...fail(1), "fire 2", "refuse 2"], "2 runs in a row failed"],
    ["are ended by a run that completed", 2, [...fail(1), "fire 2", "end 2 completed", ...fail(3)], null],
    [
      "are not ended by a cancelled one",
      2,
      [...fail(1), "fire 2", "end 2 cancelled", ...fail(3)],
      "2 runs in a row failed",
    ],
    ["never pause with 0", 0, [...fail(1), ...fail(2), ...fail(3), ...fail(4)], null],
  ])("%s", (_, pauseAfterFailures, events, why) => {
    expect(run(rulesOf({ pauseAfterFailures }), events).state.pausedWhy).toBe(why);
  });

  test("do not keep a paused schedule from being fired by hand, but keep a due fire that waits", () => {
    const rules = rulesOf({ overlap: "queue-one" });
    const busy = run(rules, ["fire 1"]).state;
    const due = { newestMs: NOW + 2 * DAY, isKnown: false, earlier: null };
    const waits = core.takeDue(busy, rules, due, NOW + 2 * DAY).state;
    const paused = core.pauseSchedule(waits, "by request");
    const about = { scheduledAtMs: NOW + DAY, status: "completed", nowMs: NOW } as const;
    const ended = core.ended(paused, rules, about).state;
    const promoted = (state: ScheduleState) => core.promote(state, rules, NOW).state.open;
    expect(promoted(ended)).toMatchObject([{ outcome: "waiting" }]);
    expect(promoted({ ...ended, pausedWhy: null })).toMatchObject([{ outcome: "starting" }]);
    expect(run(rules, ["fire 1"]).outcomes).toEqual(["running"]);
  });
});

describe("what is due", () => {
  const dueAt = (newestMs: number | null, isKnown = false) => ({ newestMs, isKnown, earlier: null });
  const later = NOW + DAY;

  test("fires once: its instant is seen in the same step", () => {
    const state = core.createSchedule(NOW, null);
    const first = core.takeDue(state, rulesOf(), dueAt(later), later);
    expect(first.state.open).toMatchObject([{ scheduledAtMs: later, outcome: "starting" }]);
    expect(core.takeDue(first.state, rulesOf(), dueAt(later), later)).toEqual({
      state: first.state,
      closed: [],
    });
  });

  test.each([
    [0, SCHEDULE_ON_TIME_MS, "starting"],
    [0, SCHEDULE_ON_TIME_MS + 1, "missed"],
    [DAY, DAY, "starting"],
    [DAY, DAY + 1, "missed"],
  ])("with catchUpMs %i and %i ms late is %s", (catchUpMs, lateMs, outcome) => {
    const step = core.takeDue(
      core.createSchedule(NOW, null),
      rulesOf({ catchUpMs }),
      dueAt(later),
      later + lateMs,
    );
    expect([...step.closed, ...step.state.open].map((fire) => fire.outcome)).toEqual([outcome]);
    expect(step.state.seenMs).toBe(later);
  });

  test("is left alone where its instant has had its run, or has it now", () => {
    const state = core.createSchedule(NOW, null);
    expect(core.takeDue(state, rulesOf(), dueAt(later, true), later).state).toEqual({
      ...state,
      seenMs: later,
    });
    const fired = core.fireByHand(state, rulesOf(), { scheduledAtMs: later, nowMs: NOW }).state;
    expect(core.takeDue(fired, rulesOf(), dueAt(later), later).state).toEqual({ ...fired, seenMs: later });
  });

  test("while it is paused does not fire, nor is it made up for", () => {
    const paused = core.pauseSchedule(core.createSchedule(NOW, null), "by request");
    expect(core.takeDue(paused, rulesOf(), dueAt(later), later).state).toBe(paused);
    expect(core.resumeSchedule(paused, later + 1)).toMatchObject({ seenMs: later + 1, pausedWhy: null });
  });
});
