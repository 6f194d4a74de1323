import { describe, expect, it } from "vitest";
import type { Checkpoint, PartMeta } from "../../../src/core/protocol.ts";
import {
  applyCommit,
  type ChunkRecord,
  handBack,
  loseLease,
  newChunk,
  settled,
  suspectOf,
  toWork,
} from "../../../src/core/run/ledger.ts";

function chunk(count = 10): ChunkRecord {
  return { ...newChunk(0, { first: 100, count, position: "" }), state: "active" };
}

function part(n: number, ok: number, failed = 0): PartMeta {
  return { chunk: 0, n, key: `p${n}`, firstIndex: 100, lastIndex: 109, ok, failed, bytes: 1, sha256: "" };
}

function at(cursor: number, deferred: readonly number[] = [], dueInMs = 0): Checkpoint {
  return {
    cursor,
    position: cursor,
    deferred: deferred.map((ordinal) => ({ ordinal, position: ordinal, attempts: 1, throttles: 0, dueInMs })),
  };
}

function check(record: ChunkRecord): void {
  expect(settled(record) + record.deferred.length).toBe(record.cursor);
  expect(record.state === "done").toBe(record.cursor === record.plan.count && record.deferred.length === 0);
}

const LEASED = { deathsToFail: 3, longestWaitMs: 3_600_000 };

describe("ledger", () => {
  const cases: { rule: string; commits: [PartMeta | null, Checkpoint][]; kinds: string[]; state: string }[] =
    [
      {
        rule: "counts a part and is done at the end",
        commits: [[part(0, 9, 1), at(10)]],
        kinds: ["applied"],
        state: "done",
      },
      {
        rule: "is not done while an item is deferred",
        commits: [[part(0, 9), at(10, [3])]],
        kinds: ["applied"],
        state: "active",
      },
      {
        rule: "is done when the deferred item is settled",
        commits: [
          [part(0, 9), at(10, [3])],
          [part(1, 1), at(10)],
        ],
        kinds: ["applied", "applied"],
        state: "done",
      },
      {
        rule: "recognises a repeated part and counts it once",
        commits: [
          [part(0, 5), at(5)],
          [part(0, 5), at(5)],
        ],
        kinds: ["applied", "repeated"],
        state: "active",
      },
      {
        rule: "refuses a part that is not the next",
        commits: [[part(1, 5), at(5)]],
        kinds: ["stale"],
        state: "active",
      },
      {
        rule: "refuses a cursor that moves back",
        commits: [
          [part(0, 5), at(5)],
          [null, at(4)],
        ],
        kinds: ["applied", "stale"],
        state: "active",
      },
      {
        rule: "refuses a checkpoint that would lose an item",
        commits: [[part(0, 4), at(5)]],
        kinds: ["stale"],
        state: "active",
      },
      {
        rule: "moves a checkpoint of deferred items alone",
        commits: [[null, at(2, [0, 1])]],
        kinds: ["applied"],
        state: "active",
      },
    ];

  it.each(cases)("$rule", ({ commits, kinds, state }) => {
    const record = chunk();
    const seen = commits.map(([meta, checkpoint]) => {
      const { kind } = applyCommit(record, { part: meta, checkpoint }, 0);
      check(record);
      return kind;
    });
    expect(seen).toEqual(kinds);
    expect(record.state).toBe(state);
  });

  it("keeps attempts and due times of deferred items across a hand-back", () => {
    const record = chunk(2);
    applyCommit(record, { part: null, checkpoint: at(2, [0, 1], 7000) }, 1000);
    handBack(record, 1000, null);
    expect(record.availableAtMs).toBe(8000);
    expect(toWork(record, 3000, LEASED).checkpoint.deferred).toEqual([
      { ordinal: 0, position: 0, attempts: 1, throttles: 0, dueInMs: 5000 },
      { ordinal: 1, position: 1, attempts: 1, throttles: 0, dueInMs: 5000 },
    ]);
  });

  it("offers a chunk with fresh items at once although others wait", () => {
    const record = chunk(3);
    applyCommit(record, { part: null, checkpoint: at(2, [0, 1], 7000) }, 0);
    handBack(record, 0, null);
    expect(record.availableAtMs).toBe(0);
  });

  it("holds a chunk back longer each time the platform refuses, until a commit", () => {
    const record = chunk(3);
    handBack(record, 0, 1000);
    handBack(record, 0, 2000);
    expect([record.refusals, record.availableAtMs]).toEqual([2, 2000]);
    applyCommit(record, { part: part(0, 1), checkpoint: at(1) }, 0);
    expect(record.refusals).toBe(0);
  });

  it("becomes careful after two expiries at an unchanged checkpoint and stays so", () => {
    const record = chunk();
    loseLease(record, 0, true);
    expect([record.careful, record.adopt]).toEqual([false, true]);
    loseLease(record, 0, true);
    expect(record.careful).toBe(true);
    applyCommit(record, { part: part(0, 1), checkpoint: at(1) }, 0);
    expect([record.careful, record.expiries, record.adopt]).toEqual([true, 0, false]);
  });

  it("only suspects an item while others could have ended its lane, and clears it when it is settled", () => {
    const record = chunk();
    for (let death = 0; death < 5; death++) {
      record.announced = 4;
      loseLease(record, 0, false);
    }
    expect(toWork(record, 0, LEASED).condemned).toBeUndefined();
    expect([suspectOf(record), toWork(record, 0, LEASED).careful]).toEqual([4, true]);
    applyCommit(record, { part: part(0, 5), checkpoint: at(5) }, 0);
    expect(suspectOf(record)).toBeNull();
  });

  it("condemns an item on which three lanes died", () => {
    const record = chunk();
    for (let death = 0; death < 3; death++) {
      expect(toWork(record, 0, LEASED).condemned).toBeUndefined();
      record.announced = 4;
      loseLease(record, 0, true);
    }
    expect(toWork(record, 0, LEASED).condemned).toEqual([4]);
  });
});
