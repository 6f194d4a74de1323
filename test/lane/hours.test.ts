/** A run with hours: real lanes and a real Run core in virtual time. */
import { describe, expect, it } from "vitest";
import { isWorking, patch } from "../../src/core/run/run.ts";
import { view } from "../../src/core/run/view.ts";
import { wakeAtMs, work } from "../../src/core/run/work.ts";
import { SPEC_DEFAULTS, type Spec, WINDOW_DEFAULTS, type WindowSpec } from "../../src/core/spec.ts";
import type { TaskOutcome } from "../../src/tasks/task.ts";
import { LaneWorld, type WorldOptions } from "../support/laneWorld.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const lateTimers = (random: () => number) => (random() < 0.01 ? 30 * random() : 1.5 * random());

/** Virtual time begins at midnight: open for the first minute of every day. */
const MINUTE_A_DAY = { ...WINDOW_DEFAULTS, to: "00:01" };

function hoursWorld(change: Partial<WorldOptions>): LaneWorld {
  const { spec = {}, ...rest } = change;
  return new LaneWorld({
    items: 200,
    timerLateMs: lateTimers,
    ...rest,
    spec: { chunkSize: 20, maxParallelism: 8, window: MINUTE_A_DAY, ...spec },
  });
}

/** Sends what the Run wants to send, whenever it wants to be woken: nothing else starts an invocation. */
function attend(world: LaneWorld): void {
  const { run, time } = world;
  if (!isWorking(run)) return;
  const { nowMs } = time;
  for (const _ of work(run, nowMs, nowMs).offers) void world.invoke().then(() => attend(world));
  const atMs = wakeAtMs(run, nowMs);
  if (atMs !== null) time.after(Math.max(20, atMs - nowMs), () => attend(world));
}

async function untilDone(world: LaneWorld, limitMs = 40 * DAY_MS): Promise<void> {
  attend(world);
  await world.time.runUntil(() => !isWorking(world.run) && world.live === 0, limitMs);
  const indexes = world.rows().map(({ index }) => index);
  expect(indexes.sort((a, b) => a - b)).toEqual([...Array(world.run.state.items).keys()]);
}

function expectOnlyWithin(world: LaneWorld): void {
  const outside = world.calls.filter(({ atMs }) => atMs % DAY_MS >= MINUTE_MS);
  expect(outside).toEqual([]);
}

const throttledOnce = (_: number, tryNumber: number): TaskOutcome =>
  tryNumber > 1
    ? { kind: "ok", value: null, status: 200 }
    : { kind: "throttled", message: "429", status: 429, retryAfterMs: 40_000 };

const KINDS: Readonly<Record<string, Partial<WorldOptions>>> = {
  "a rate": { spec: { quota: { requests: "2/s", burst: null } } },
  "a slow rate": { items: 12, spec: { quota: { requests: "5/min", burst: null } } },
  "no quota": { latencyMs: [3000, 9000], spec: {} },
  "a quota for each host": {
    need: (index) => ({ host: `h${index % 4}`, spacingMs: 0, isApart: true }),
    spec: { quota: { requests: "20/s", burst: null, perHost: "30/min" } },
  },
  "a quota of tokens": {
    cost: () => ({ input: 100, output: 0 }),
    outcome: () => ({
      kind: "ok",
      value: null,
      status: 200,
      usage: { inputTokens: 100, outputTokens: 0 },
    }),
    spec: {
      task: { kind: "llm" },
      quota: { requests: null, burst: null, tokens: "200/s", tokenBurst: null },
    },
  },
  "a way of 140 ms to the Run": {
    roundTripMs: [260, 300],
    spec: { quota: { requests: "2/s", burst: null } },
  },
  "items that wait longer than it is open": {
    items: 60,
    outcome: throttledOnce,
    spec: { quota: { requests: "2/s", burst: null } },
  },
  "several calls a try": { items: 100, callsPerTry: 2, spec: { quota: { requests: "2/s", burst: null } } },
};

describe("outside its hours", () => {
  it.each(Object.keys(KINDS))(
    "no call of a run with %s leaves, and every item gets its row",
    async (kind) => {
      for (const seed of [1, 2, 3]) {
        const world = hoursWorld({ seed, ...KINDS[kind] });
        await untilDone(world);
        expectOnlyWithin(world);
        const days = new Set(world.calls.map(({ atMs }) => Math.floor(atMs / DAY_MS)));
        expect(days.size, "more than one night").toBeGreaterThan(1);
      }
    },
  );

  it("the hours are used to their end", async () => {
    const world = hoursWorld({ items: 300, spec: { quota: { requests: "2/s", burst: null } } });
    await untilDone(world);
    const first = world.calls.filter(({ atMs }) => atMs < DAY_MS);
    expect(first.at(-1)?.atMs).toBeGreaterThan(MINUTE_MS - 2000);
    expect(first.length).toBeGreaterThan(110);
    const second = world.calls.find(({ atMs }) => atMs >= DAY_MS);
    expect((second?.atMs ?? 0) - DAY_MS, "it wakes when they begin").toBeLessThan(2000);
  });

  it("nobody asks for anything, and the run says until when and when it will be done", async () => {
    const world = hoursWorld({ items: 200, spec: { quota: { requests: "2/s", burst: null } } });
    attend(world);
    world.time.after(DAY_MS / 2, () => {});
    await world.time.runUntil(() => world.time.nowMs === DAY_MS / 2, DAY_MS);
    const asked = world.requestTimes.filter((ms) => ms > MINUTE_MS + 10_000);
    expect([asked.length, world.run.semaphore.live.size]).toEqual([0, 0]);
    const shown = view(world.run, { nowMs: world.time.nowMs, wallMs: world.time.nowMs, driven: true });
    expect(shown.why).toBe("outside its window: no call leaves until 1970-01-02 00:00:00Z");
    // 80 are left: 40 s of the second minute.
    expect(Date.parse(shown.eta ?? "") - DAY_MS).toBeGreaterThan(35_000);
    expect(Date.parse(shown.eta ?? "") - DAY_MS).toBeLessThan(MINUTE_MS);
  });

  it("the time of day in the zone is said beside UTC", async () => {
    const window: Spec["window"] = { from: "22:00", to: "06:00", timeZone: "Europe/Berlin", days: null };
    const { run } = hoursWorld({ spec: { window } });
    const wallMs = Date.UTC(2026, 6, 1, 12);
    expect(view(run, { nowMs: 0, wallMs, driven: true }).why).toBe(
      "outside its window: no call leaves until 22:00 Europe/Berlin (20:00:00Z)",
    );
  });
});

describe("hours that are set while a run goes", () => {
  it("end its calls within the poll, and begin them again", async () => {
    const quota = { requests: "5/s", burst: null };
    const world = hoursWorld({ items: 400, spec: { window: null, quota } });
    const set = (window: Partial<WindowSpec> | null) => {
      const { nowMs } = world.time;
      const at = { nowMs, wallMs: nowMs };
      expect(patch(world.run, { window }, SPEC_DEFAULTS, at)).toEqual({ kind: "ok" });
      attend(world);
    };
    world.time.after(10_500, () => set({ from: "00:30" }));
    world.time.after(40_000, () => set(null));
    await untilDone(world);
    expect(world.calls.filter(({ atMs }) => atMs > 12_500 && atMs < 40_000)).toEqual([]);
    expect(world.calls.filter(({ atMs }) => atMs <= 10_500).length).toBeGreaterThan(45);
    expect(world.calls.at(-1)!.atMs).toBeLessThan(120_000);
  });

  it("must not be none", () => {
    const { run } = hoursWorld({ spec: { window: { ...MINUTE_A_DAY, from: "00:00" } } });
    const refused = patch(run, { window: { to: "00:00" } }, SPEC_DEFAULTS, { nowMs: 0, wallMs: 0 });
    expect(refused).toMatchObject({ kind: "conflict", message: expect.stringContaining("window.to") });
  });
});

describe("a wall clock that is set", () => {
  it("moves the hours with it", () => {
    const { run } = hoursWorld({});
    const why = (wallMs: number) => view(run, { nowMs: 1000, wallMs, driven: true }).why;
    expect(why(1000)).toBe("waiting for a lane to start");
    expect(why(DAY_MS / 2)).toContain("outside its window");
    expect(why(1000)).toBe("waiting for a lane to start");
  });
});
