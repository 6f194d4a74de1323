/** Turns that break off at any step: the same code as in the object, on ports that stop for good at a chosen call. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RunStatus } from "../../src/core/run/runView.ts";
import { createSchedule } from "../../src/core/schedule/schedule.ts";
import {
  type Fire,
  type FireRules,
  OVERLAPS,
  SCHEDULE_DEFAULTS,
  type ScheduleState,
} from "../../src/core/schedule/scheduleState.ts";
import { type TurnPorts, takeTurn } from "../../src/schedule/turn.ts";

const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1);

interface TurnPlan {
  /** Minutes since the turn before. */
  readonly after: number;
  /** The call at which the turn stops for good, and whether that call still takes effect; null: none. */
  readonly crash: { readonly at: number; readonly isDone: boolean } | null;
  /** What becomes of runs that are under way when the turn begins. */
  readonly ends: RunStatus | null;
}

interface Made {
  readonly scheduledAtMs: number;
  readonly watermarkMs: number | null;
  times: number;
  status: RunStatus;
}

/** What survives a crash, and the outside world. */
class World {
  readonly rules: FireRules;
  readonly everyMs: number;
  state: ScheduleState = createSchedule(START, START);
  readonly closed: Fire[] = [];
  readonly runs = new Map<string, Made>();
  nowMs = START;

  constructor(rules: FireRules, everyMinutes: number) {
    this.rules = rules;
    this.everyMs = everyMinutes * MINUTE;
  }

  live(): readonly Made[] {
    return [...this.runs.values()].filter((run) => run.status === "running");
  }

  /** One turn; ends when the turn does or at its crash. */
  async turn(plan: TurnPlan): Promise<void> {
    this.nowMs += plan.after * MINUTE;
    if (plan.ends !== null) for (const run of this.live()) run.status = plan.ends;
    let calls = 0;
    let isDead = false;
    let die: () => void = () => {};
    const death = new Promise<void>((resolve) => {
      die = resolve;
    });
    const call = <T>(effect: () => T): T => {
      calls += 1;
      if (isDead) throw new Error("dead");
      if (plan.crash?.at !== calls) return effect();
      if (plan.crash.isDone) effect();
      isDead = true;
      die();
      throw new Error("dead");
    };
    await Promise.race([takeTurn(this.#ports(call), true).catch(() => {}), death]);
  }

  #ports(call: <T>(effect: () => T) => T): TurnPorts {
    return {
      nowMs: () => this.nowMs,
      state: () => this.state,
      rules: () => this.rules,
      store: (step) =>
        call(() => {
          expect(step.state.open.filter((fire) => fire.outcome === "waiting").length).toBeLessThan(2);
          this.state = step.state;
          this.closed.push(...step.closed);
        }),
      due: (seenMs, nowMs) => {
        const newestMs = Math.floor((nowMs - START) / this.everyMs) * this.everyMs + START;
        const count = Math.round((newestMs - seenMs) / this.everyMs) - 1;
        if (newestMs <= seenMs) return { newestMs: null, isKnown: false, earlier: null };
        const earlier = count < 1 ? null : { count, isMore: false, lastMs: newestMs - this.everyMs };
        return { newestMs, isKnown: false, earlier };
      },
      start: async (fire) => call(() => ({ kind: "started", run: this.#make(fire) })),
      statusOf: async (run) => call(() => this.runs.get(run)?.status ?? null),
      cancel: async (run) =>
        call(() => {
          const made = this.runs.get(run);
          if (made?.status === "running") made.status = "cancelled";
        }),
      fault: () => {},
    };
  }

  /** Making a run again under its id changes nothing. */
  #make(fire: Fire): string {
    const id = `r${fire.scheduledAtMs}`;
    const made = this.runs.get(id);
    if (made !== undefined) {
      expect(made.watermarkMs).toBe(fire.watermarkMs);
      made.times += 1;
      return id;
    }
    if (this.rules.overlap !== "allow") expect(this.live()).toEqual([]);
    const { scheduledAtMs, watermarkMs } = fire;
    this.runs.set(id, { scheduledAtMs, watermarkMs, times: 1, status: "running" });
    return id;
  }
}

const plans: fc.Arbitrary<readonly TurnPlan[]> = fc.array(
  fc.record({
    after: fc.integer({ min: 0, max: 30 }),
    crash: fc.option(fc.record({ at: fc.integer({ min: 1, max: 8 }), isDone: fc.boolean() })),
    ends: fc.option(
      fc.constantFrom<RunStatus>("completed", "completed-with-failures", "failed", "cancelled"),
    ),
  }),
  { maxLength: 40 },
);

describe("turns that break off anywhere", () => {
  test("fire every instant at most once, lose none that is in the window, and tell the watermark right", async () => {
    const worlds = fc.record({
      overlap: fc.constantFrom(...OVERLAPS),
      everyMinutes: fc.integer({ min: 1, max: 20 }),
      catchUpMinutes: fc.integer({ min: 0, max: 40 }),
      turns: plans,
    });
    await fc.assert(
      fc.asyncProperty(worlds, async ({ overlap, everyMinutes, catchUpMinutes, turns }) => {
        const catchUpMs = catchUpMinutes * MINUTE;
        const rules = {
          ...SCHEDULE_DEFAULTS,
          usesWatermark: true,
          overlap,
          catchUpMs,
          pauseAfterFailures: 0,
        };
        const world = new World(rules, everyMinutes);
        for (const plan of turns) await world.turn(plan);
        const lastMs = world.nowMs;
        // The weather clears: turns without a crash, runs that complete.
        for (let n = 0; n < 4; n++) await world.turn({ after: 0, crash: null, ends: "completed" });
        expectAccounted(world, lastMs);
        expectCovered(world);
      }),
      { numRuns: 400 },
    );
  });
});

/** Every fire is over and told once; the newest instant is among them. */
function expectAccounted(world: World, lastMs: number): void {
  expect(world.state.open).toEqual([]);
  const told = world.closed.map((fire) => fire.scheduledAtMs);
  expect(new Set(told).size).toBe(told.length);
  const newestMs = Math.floor((lastMs - START) / world.everyMs) * world.everyMs + START;
  expect(world.state.seenMs).toBe(newestMs);
  if (newestMs > START) expect(told).toContain(newestMs);
  for (const fire of world.closed) {
    const hasRun = world.runs.has(`r${fire.scheduledAtMs}`);
    expect(hasRun).toBe(fire.run !== null);
    const mayBeLeftOut = { skipped: true, missed: true }[fire.outcome as string] ?? false;
    if (!hasRun) expect(mayBeLeftOut).toBe(true);
  }
  expect(world.runs.size).toBe(world.closed.filter((fire) => fire.run !== null).length);
}

/** The runs that completed cover everything up to the watermark, from the first one on. */
function expectCovered(world: World): void {
  const completed = [...world.runs.values()].filter((run) => run.status === "completed");
  const ends = [START, ...completed.map((run) => run.scheduledAtMs)];
  expect(world.state.watermarkMs).toBe(Math.max(...ends));
  for (const run of completed) expect(ends).toContain(run.watermarkMs);
}
