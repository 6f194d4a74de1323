/** A process whose runtime died of one of its items, again and again: the item is found, and no other is blamed. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Commit, Lease } from "../../../src/core/protocol.ts";
import type { Run } from "../../../src/core/run/run.ts";
import { succeed } from "../../../src/core/run/takeover.ts";
import { Invocation, plannedRun } from "../../support/coreRun.ts";

const INVOCATIONS = 3;
const LANES_EACH = 3;
const PART_ROWS = 4;

/** A lane of the process: one item at a time, for as many turns as the item takes. */
interface WorkingLane {
  readonly lease: Lease;
  readonly invocation: Invocation;
  at: number;
  committed: number;
  parts: number;
  failed: number;
  /** Turns until the item under way ends; null before it begins. */
  left: number | null;
}

interface World {
  readonly run: Run;
  readonly traps: ReadonlySet<number>;
  readonly turnsOf: (item: number) => number;
  readonly failed: number[];
  nowMs: number;
}

/** Works until the run is done (true) or an item ends the process. */
function isWorkedToTheEnd(world: World, generation: string): boolean {
  const { run } = world;
  const invocations = Array.from(
    { length: INVOCATIONS },
    (_, i) => new Invocation(run, `${generation}/${i}`),
  );
  let lanes: WorkingLane[] = [];
  while (run.state.chunks.done < run.state.chunks.total) {
    world.nowMs += 1;
    for (const invocation of invocations) {
      const { leases } = invocation.ask(world.nowMs, { generation, capacity: LANES_EACH });
      lanes.push(...leases.map((lease) => newLane(lease, invocation)));
    }
    for (const lane of lanes) if (!hasSurvivedTurn(world, lane, generation)) return false;
    lanes = lanes.filter(({ invocation, lease }) => invocation.held.has(lease.fence));
    expect(world.nowMs, "it goes on").toBeLessThan(20_000);
  }
  return true;
}

function newLane(lease: Lease, invocation: Invocation): WorkingLane {
  const { cursor } = lease.work.checkpoint;
  const { parts } = lease.work;
  return { lease, invocation, at: cursor, committed: cursor, parts, failed: 0, left: null };
}

/** False: the item killed the process. */
function hasSurvivedTurn(world: World, lane: WorkingLane, generation: string): boolean {
  const { work, fence } = lane.lease;
  const item = work.first + lane.at;
  const isCondemned = work.condemned?.includes(lane.at) === true;
  if (lane.left === null && !isCondemned) {
    const announce = work.careful ? [{ fence, ordinal: lane.at }] : [];
    if (work.careful) lane.invocation.ask(world.nowMs, { generation, announce, capacity: 0 });
    lane.left = world.turnsOf(item);
    return true;
  }
  if (!isCondemned) {
    lane.left = (lane.left ?? 0) - 1;
    if (lane.left > 0) return true;
    if (world.traps.has(item)) return false;
  } else {
    world.failed.push(item);
    lane.failed += 1;
  }
  lane.left = null;
  lane.at += 1;
  const isOver = lane.at === Math.min(work.count, work.until ?? work.count);
  const isDue = isOver || work.careful || lane.at - lane.committed >= PART_ROWS;
  if (isDue) {
    const commits = [commitOf(lane, isOver)];
    lane.invocation.ask(world.nowMs, { generation, commits, capacity: 0 });
  }
  return true;
}

function commitOf(lane: WorkingLane, release: boolean): Commit {
  const { lease, at, committed, failed } = lane;
  const { chunk, first } = lease.work;
  const range = { firstIndex: first + committed, lastIndex: first + at - 1 };
  const counts = { ok: at - committed - failed, failed };
  const part = {
    chunk,
    n: lane.parts,
    key: `${chunk}/${lane.parts}`,
    ...range,
    ...counts,
    bytes: 1,
    sha256: "",
  };
  lane.parts += 1;
  lane.committed = at;
  lane.failed = 0;
  return {
    fence: lease.fence,
    chunk,
    part,
    checkpoint: { cursor: at, position: null, deferred: [] },
    release,
  };
}

/** Processes one after the other until the run is done; how many of them died. */
function deathsUntilDone(world: World): number {
  for (let deaths = 0; ; deaths++) {
    if (isWorkedToTheEnd(world, String(deaths + 1))) return deaths;
    succeed(world.run, String(deaths + 2), world.nowMs);
    expect(deaths, "every trap is found").toBeLessThan(200);
  }
}

function world(traps: readonly number[], turnsOf: (item: number) => number): World {
  const run = plannedRun(60, { chunkSize: 6, maxParallelism: INVOCATIONS * LANES_EACH });
  return { run, traps: new Set(traps), turnsOf, failed: [], nowMs: 0 };
}

describe("a process that dies of an item", () => {
  it("is succeeded five times until the item is found, and nothing else fails", () => {
    const one = world([20], () => 2);
    expect(deathsUntilDone(one)).toBeLessThanOrEqual(6);
    expect(one.failed).toEqual([20]);
    expect(one.run.state.counts).toMatchObject({ done: 60, ok: 59, failed: 1 });
  });

  it("condemns the traps alone, wherever they stand and however long the others take", () => {
    const items = fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { minLength: 1, maxLength: 5 });
    const turns = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 60, maxLength: 60 });
    fc.assert(
      fc.property(items, turns, (traps, turnsEach) => {
        const many = world(traps, (item) => (traps.includes(item) ? 1 : (turnsEach[item] ?? 1)));
        deathsUntilDone(many);
        expect([...many.failed].sort((a, b) => a - b)).toEqual([...traps].sort((a, b) => a - b));
        expect(many.run.state.counts).toMatchObject({ done: 60, failed: traps.length });
      }),
    );
  });
});
