import { describe, expect, it } from "vitest";
import { afterTry, NOTICE_TRIES, startNotice } from "../../../src/core/run/notice.ts";
import { approve, type Run } from "../../../src/core/run/run.ts";
import { work } from "../../../src/core/run/work.ts";
import type { SmokeSpec } from "../../../src/core/spec.ts";
import { commitOf, Invocation, plannedRun } from "../../support/coreRun.ts";

function smoking(items: number, smoke: Partial<SmokeSpec>): Run {
  return plannedRun(items, {
    chunkSize: 10,
    smoke: { items: 15, gate: "auto", maxFailureRate: 0.1, ...smoke },
  });
}

/** Works the stage through one lane; `failed` of its first items fail. */
function workStage(run: Run, failed: number): Invocation {
  const lane = new Invocation(run, "a");
  const leases = lane.ask(0).leases;
  const commits = leases.map((lease, at) => {
    const commit = commitOf(lease, lease.work.until ?? lease.work.count);
    const { ok } = commit.part!;
    return at === 0 ? { ...commit, part: { ...commit.part!, ok: ok - failed, failed } } : commit;
  });
  lane.ask(1, { commits });
  return lane;
}

describe("smoke stage", () => {
  it("leases the first items and not one more", () => {
    const run = smoking(100, {});
    expect(run.state.status).toBe("smoke");
    const { leases } = new Invocation(run, "a").ask(0);
    expect(leases.map(({ work: chunk }) => [chunk.first, Math.min(chunk.count, chunk.until ?? 99)])).toEqual([
      [0, 10],
      [10, 5],
    ]);
  });

  it("opens an automatic gate when few enough fail, and the border chunk goes on where it stopped", () => {
    const run = smoking(100, {});
    const lane = workStage(run, 1);
    expect(run.state.status).toBe("running");
    const first = [...lane.held.values()][0]!;
    expect([first.work.chunk, first.work.checkpoint.cursor, first.work.until]).toEqual([1, 5, undefined]);
  });

  it("keeps an automatic gate shut when too many fail, until somebody approves", () => {
    const run = smoking(100, {});
    workStage(run, 2);
    expect(run.state.status).toBe("awaiting-approval");
    expect(run.state.reason).toContain("2 of 15 items failed");
    expect(new Invocation(run, "b").ask(2)).toMatchObject({ kind: "drain", leases: [] });
    expect(approve(run)).toEqual({ kind: "ok" });
    expect(new Invocation(run, "c").ask(3).leases).toHaveLength(5);
  });

  it("always waits at a manual gate", () => {
    const run = smoking(100, { gate: "manual" });
    workStage(run, 0);
    expect(run.state.status).toBe("awaiting-approval");
    expect(work(run, 2, 2).offers).toEqual([]);
  });

  it("needs no gate when the stage is the whole run", () => {
    const run = smoking(15, { gate: "manual" });
    workStage(run, 0);
    expect(run.state.status).toBe("finishing");
  });

  it("cannot be approved when nothing awaits approval", () => {
    expect(approve(plannedRun(10)).kind).toBe("conflict");
  });
});

describe("notice at the end", () => {
  const failed = { kind: "failed", status: 500, message: "answered 500" } as const;

  it("is tried five times with growing waits, then given up with its last reason", () => {
    let notice = startNotice();
    const waits: number[] = [];
    for (let nowMs = 0; notice.dueAtMs !== null; nowMs = notice.dueAtMs ?? nowMs) {
      notice = afterTry(notice, failed, nowMs);
      if (notice.dueAtMs !== null) waits.push(notice.dueAtMs - nowMs);
    }
    expect(waits).toEqual([2000, 4000, 8000, 16_000]);
    expect(notice).toMatchObject({
      state: "failed",
      attempts: NOTICE_TRIES,
      status: 500,
      message: "answered 500",
    });
  });

  it("is delivered by the first answer that accepts it", () => {
    const notice = afterTry(afterTry(startNotice(), failed, 0), { kind: "delivered", status: 204 }, 2000);
    expect(notice).toEqual({ state: "delivered", attempts: 2, status: 204, message: null, dueAtMs: null });
  });
});
