/** The driver of a run: what it stores when, and what the next process finds. */
import { describe, expect, it } from "vitest";
import { addChunks } from "../../src/core/run/run.ts";
import { type Change, type DriverPorts, RunDriver, type StoredRun } from "../../src/run/driver.ts";
import { MemoryStore } from "../../src/sim/memoryStore.ts";
import { report, spec } from "../support/coreRun.ts";

/** A process with a run of ten items in two chunks; its clock is at `world.nowMs`. */
function started(store = new MemoryStore(true)) {
  const world = { nowMs: 1_000_000, changes: [] as Change[], alarms: [] as number[], sent: 0 };
  const ports: DriverPorts = {
    ledger: store.ledger,
    generation: "1",
    lanesPerInvocation: () => 5,
    reading: () => ({ wallMs: world.nowMs, monotonicMs: null }),
    store: (change) => {
      world.changes.push(change);
      store.store(change);
    },
    send: () => {
      world.sent += 1;
    },
    setAlarm: (atMs) => world.alarms.push(atMs),
    stored: () => {},
  };
  const begin = (stored: StoredRun | null) => new RunDriver(ports, stored);
  const driver = begin(null);
  const source = { kind: "range", from: 0, to: 10 };
  driver.create({
    ...{ runId: "r_1", rootId: "r_1", parentRunId: null, generation: "1", createdAtMs: 0 },
    ...{ spec: spec({ source, chunkSize: 5 }), itemSource: source },
  });
  driver.change((run) => {
    const chunks = [0, 5].map((first) => ({ first, count: 5, position: "" }));
    addChunks(run, { at: 0, chunks, cursor: null });
  });
  return { world, driver, begin, store };
}

function request(seq: number, held: readonly number[], capacity = 1) {
  const nothing = { commits: [], indexed: [], announce: [], report: report(), settingsVersion: 1 };
  return { invocation: "i1", seq, queue: 0, generation: "1", capacity, held, want: 0, ...nothing };
}

describe("the driver of a run", () => {
  it("stores leases before the answer that brings them leaves", () => {
    const { driver, world } = started();
    world.changes.length = 0;
    const fences = driver.sync(request(1, []))?.leases.map(({ fence }) => fence);
    expect(fences).toHaveLength(1);
    expect(world.changes.map(({ begun }) => begun.map(({ fence }) => fence))).toEqual([fences]);
    expect(world.changes[0]?.document?.run).toBe(driver.run);
  });

  it("writes its document once a second for requests that only ask", () => {
    const { driver, world } = started();
    const held = driver.sync(request(1, []))?.leases.map(({ fence }) => fence) ?? [];
    world.changes.length = 0;
    for (let seq = 2; seq <= 31; seq++) {
      world.nowMs += 100;
      driver.sync(request(seq, held));
    }
    expect(world.changes).toHaveLength(3);
  });

  it("sets its alarm only to ring earlier than it would", () => {
    const { driver, world } = started();
    for (let at = 1; at < world.alarms.length; at++)
      expect(world.alarms[at]).toBeLessThan(world.alarms[at - 1] ?? 0);
    const set = world.alarms.length;
    driver.afterEvent();
    expect(world.alarms).toHaveLength(set);
  });

  it("leaves to the next process leases that count as renewed, and fences that only grow", () => {
    const { driver, world, begin, store } = started();
    const before = driver.sync(request(1, []))?.leases[0]?.fence ?? 0;
    world.nowMs += 20_000;
    const next = begin(store.load());
    expect([...(next.run?.semaphore.live.keys() ?? [])]).toEqual([before]);
    const answer = next.sync(request(2, [before], 2));
    expect(answer?.lost).toEqual([]);
    expect(answer?.leases[0]?.fence).toBeGreaterThan(before);
  });

  it("does nothing for a run that another process drives", () => {
    const { driver, world } = started();
    const { run } = driver;
    if (run !== null) run.state.generation = "2";
    const sent = world.sent;
    world.nowMs += 3_600_000;
    driver.wake();
    expect(world.sent).toBe(sent);
  });
});
