import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ERRANDS_QUEUE, LEASE_MARGIN_MS, LEASE_TTL_MS, REFUSED_TO_PAUSE } from "../../../src/core/limits.ts";
import type { Trouble } from "../../../src/core/protocol.ts";
import { reduceRows } from "../../../src/core/reduce/reduce.ts";
import { createDispatch, offersToSend } from "../../../src/core/run/dispatch.ts";
import type { MemoryLedger } from "../../../src/core/run/memoryLedger.ts";
import { cancel, finished, patch, pause, resume } from "../../../src/core/run/run.ts";
import { view } from "../../../src/core/run/view.ts";
import { wakeAtMs, work } from "../../../src/core/run/work.ts";
import { SPEC_DEFAULTS } from "../../../src/core/spec.ts";
import { commitOf, Invocation, plannedRun, report } from "../../support/coreRun.ts";

const TERM_MS = LEASE_TTL_MS + LEASE_MARGIN_MS;

function trouble(kind: Trouble["kind"], index: number): Trouble {
  return { kind, index, epoch: 1, retryAfterMs: null, probe: false };
}

describe("sync", () => {
  it("leases chunks up to the lanes an invocation can hold", () => {
    const run = plannedRun(100, { chunkSize: 10, maxParallelism: 7 });
    expect(new Invocation(run, "a").ask(0).leases).toHaveLength(5);
    expect(new Invocation(run, "b").ask(0).leases).toHaveLength(2);
    expect(new Invocation(run, "c").ask(0).leases).toHaveLength(0);
  });

  it("repeats the answer of a repeated seq and changes nothing", () => {
    const run = plannedRun(100, { chunkSize: 10, quota: { requests: "10/s", burst: null } });
    const lane = new Invocation(run, "a");
    const first = lane.ask(0, { want: 3 });
    const before = structuredClone(run.state);
    expect(lane.repeat(5, { want: 3 })).toEqual(first);
    expect(run.state).toEqual(before);
  });

  it("refuses a commit under a fence that expired, and gives the chunk to the next with a new fence", () => {
    const run = plannedRun(10, { chunkSize: 10 });
    const slow = new Invocation(run, "slow");
    const [old] = slow.ask(0).leases;
    const next = new Invocation(run, "next");
    const [lease] = next.ask(TERM_MS).leases;
    expect(lease?.fence).toBeGreaterThan(old!.fence);
    expect(lease?.work.adopt).toBe(true);
    const late = slow.ask(TERM_MS + 1, { commits: [commitOf(old!, 10)] });
    expect(late.commits).toEqual([{ kind: "stale", fence: old!.fence }]);
    expect(run.state.counts.done).toBe(0);
  });

  it("tells an invocation which leases it lost", () => {
    const run = plannedRun(10, { chunkSize: 10 });
    const lane = new Invocation(run, "a");
    const [lease] = lane.ask(0).leases;
    expect(lane.ask(TERM_MS + 1, { capacity: 0 }).lost).toEqual([lease!.fence]);
  });

  it("adds the totals of a part with its commit, and those of a repeated commit not again", () => {
    const run = plannedRun(10, { chunkSize: 10, reduce: { n: "sum" } });
    const lane = new Invocation(run, "a");
    const [lease] = lane.ask(0).leases;
    const rows = [{ ok: true, line: '{"index":0,"item":1,"ok":true,"value":{"n":7}}' }];
    const commit = commitOf(lease!, 4, { release: false, totals: reduceRows({ n: "sum" }, rows) });
    lane.ask(1, { commits: [commit] });
    expect(lane.ask(2, { commits: [commit] }).commits).toEqual([{ kind: "committed", fence: 1 }]);
    expect(view(run, { nowMs: 3, wallMs: 3, driven: true }).totals).toEqual({ n: 7 });
    lane.ask(TERM_MS + 9);
    lane.ask(TERM_MS + 10, { commits: [{ ...commit, part: { ...commit.part!, n: 1 } }] });
    expect(view(run, { nowMs: 3, wallMs: 3, driven: true }).totals, "no lease, no totals").toEqual({ n: 7 });
  });

  it("keeps the slot of a task that lingers until its lane has let go, also when its chunk is done", () => {
    const run = plannedRun(20, { chunkSize: 10, maxParallelism: 1 }, 5000);
    const lane = new Invocation(run, "a");
    const [lease] = lane.ask(0).leases;
    const done = commitOf(lease!, 10, { release: false });
    expect(lane.ask(1, { commits: [done] }).leases).toEqual([]);
    expect([run.semaphore.live.size, run.state.chunks.done]).toEqual([1, 1]);
    expect(lane.ask(2, { commits: [{ ...done, part: null, release: true }] }).leases).toHaveLength(1);
    expect([run.semaphore.live.size, run.state.chunks.done]).toEqual([1, 1]);
  });

  it("lets slots of a former process linger, takes no commit of it, and holds nothing against its items", () => {
    const run = plannedRun(10, { chunkSize: 10, maxParallelism: 1 }, 5000);
    const former = new Invocation(run, "a");
    const [lease] = former.ask(0).leases;
    resume(run, "2", 100);
    expect(former.ask(200, { commits: [commitOf(lease!, 10)] }).commits[0]?.kind).toBe("stale");
    const next = new Invocation(run, "b");
    expect(next.ask(5099, { generation: "2" }).leases).toEqual([]);
    expect(view(run, { nowMs: 5000, wallMs: 0, driven: true }).why).toBe(
      "waiting 1 s: the former process may still keep the target busy",
    );
    const [own] = next.ask(5100, { generation: "2" }).leases;
    expect(own?.work).toMatchObject({ adopt: true, careful: false });
    expect(run.ledger.get(0)?.expiries).toBe(0);
  });

  it("finishes when the last chunk is committed and nothing else is owed", () => {
    const run = plannedRun(10, { chunkSize: 10 });
    const lane = new Invocation(run, "a");
    const [lease] = lane.ask(0).leases;
    expect(lane.ask(1, { commits: [commitOf(lease!, 10)] }).kind).toBe("drain");
    expect(run.state.status).toBe("finishing");
    expect(work(run, 2, 2).errands).toEqual(["finish"]);
    finished(run, 3);
    expect(view(run, { nowMs: 3, wallMs: 3, driven: true })).toMatchObject({
      status: "completed",
      counts: { items: 10, done: 10, ok: 10, failed: 0 },
      chunks: { total: 1, done: 1, active: 0, pending: 0 },
    });
    expect(wakeAtMs(run, 4)).toBeNull();
  });

  it("waits for D1 before the parts are joined", () => {
    const run = plannedRun(10, { chunkSize: 10 });
    const lane = new Invocation(run, "a");
    const [lease] = lane.ask(0).leases;
    const commit = commitOf(lease!, 10);
    lane.ask(1, { commits: [{ ...commit, part: { ...commit.part!, ok: 9, failed: 1 } }] });
    expect(work(run, 1, 1).errands).toEqual(["index"]);
    lane.ask(2, { indexed: [{ chunk: 0, n: 0 }], capacity: 0 });
    lane.ask(3, { indexed: [{ chunk: 0, n: 0 }], capacity: 0 });
    expect(run.state.unindexed).toBe(0);
    expect(work(run, 3, 3).errands).toEqual(["finish"]);
    finished(run, 4);
    expect(run.state.status).toBe("completed-with-failures");
  });

  it("drains on pause, gives nothing out, and goes on at resume", () => {
    const run = plannedRun(20, { chunkSize: 10 });
    const lane = new Invocation(run, "a");
    lane.ask(0);
    pause(run, "by request");
    const answer = lane.ask(1, { want: 5 });
    expect([answer.kind, answer.leases.length, answer.grant.kind]).toEqual(["drain", 0, "deferred"]);
    resume(run, "1", 2);
    expect(lane.ask(3, { want: 5 }).kind).toBe("work");
  });

  it("frees the leases of a former process when another one drives", () => {
    const run = plannedRun(20, { chunkSize: 10 });
    const old = new Invocation(run, "old");
    old.ask(0);
    resume(run, "2", 1);
    expect(run.semaphore.live.size).toBe(0);
    expect(old.ask(2).kind).toBe("drain");
    const fresh = new Invocation(run, "fresh").ask(3, { generation: "2" });
    expect(fresh.leases.map((lease) => [lease.work.adopt, lease.work.careful])).toEqual([
      [true, false],
      [true, false],
    ]);
  });

  it("waits for a silent probe as long as its task lets a call take", () => {
    const task = { kind: "http", url: "https://example.com/{{item}}", timeoutMs: 120_000 };
    const run = plannedRun(100, { chunkSize: 10, task, quota: { requests: "10/s", burst: null } });
    const downs = Array.from({ length: 10 }, (_, item) => ({
      ...trouble("down", item),
      unreached: true as const,
    }));
    new Invocation(run, "a").ask(0, { report: report({ troubles: downs, troublesSinceAnswer: 10 }) });
    const probing = new Invocation(run, "b").ask(5000, { want: 1 }).grant;
    expect(probing).toMatchObject({ kind: "granted", probe: true });
    expect(new Invocation(run, "c").ask(60_000, { want: 1 }).grant.kind).toBe("deferred");
    expect(new Invocation(run, "c2").ask(130_000, { want: 1 }).grant).toMatchObject({ probe: true });
  });

  it("frees a lease at once that its holder does not name any more", () => {
    const run = plannedRun(10, { chunkSize: 10 });
    const lane = new Invocation(run, "a");
    const [lease] = lane.ask(0).leases;
    const [again] = lane.ask(1, { held: [] }).leases;
    expect([again?.work.chunk, again?.work.adopt]).toEqual([lease?.work.chunk, true]);
    expect(lane.ask(2, { commits: [commitOf(lease!, 10)] }).commits).toEqual([
      { kind: "stale", fence: lease?.fence },
    ]);
  });

  it("joins what is committed when cancelled, then is cancelled", () => {
    const run = plannedRun(20, { chunkSize: 10 });
    const lane = new Invocation(run, "a");
    const [lease] = lane.ask(0).leases;
    cancel(run, "1", 0);
    expect(work(run, 0, 0).errands).toEqual([]);
    const others = [...lane.held.values()].slice(1).map((held) => commitOf(held, 0, { part: null }));
    lane.ask(1, { commits: [commitOf(lease!, 4), ...others] });
    expect(work(run, 2, 2).errands).toEqual(["finish"]);
    finished(run, 3);
    expect([run.state.status, run.state.counts.done]).toEqual(["cancelled", 4]);
  });

  it("asks for the newest lanes back when the limit falls", () => {
    const run = plannedRun(100, { chunkSize: 10, maxParallelism: 5 });
    const lane = new Invocation(run, "a");
    lane.ask(0);
    patch(run, { maxParallelism: 2 }, SPEC_DEFAULTS, { nowMs: 1, wallMs: 1 });
    expect(lane.ask(2).shed).toEqual([3, 4, 5]);
    expect(lane.ask(2).leases).toEqual([]);
  });

  it("brings forward what waits for longer than a changed bound allows", () => {
    const run = plannedRun(10, { chunkSize: 10 });
    const lane = new Invocation(run, "a");
    const [lease] = lane.ask(0).leases;
    const waiting = { ordinal: 9, position: 9, attempts: 0, throttles: 1, dueInMs: 3_600_000 };
    const checkpoint = { cursor: 10, position: null, deferred: [waiting] };
    lane.ask(1, { commits: [commitOf(lease!, 9, { checkpoint })] });
    expect(run.ledger.nextAvailableAtMs()).toBe(3_600_001);
    patch(run, { retry: { maxRetryAfterMs: 70_000 } }, SPEC_DEFAULTS, { nowMs: 1000, wallMs: 1000 });
    expect(run.ledger.nextAvailableAtMs()).toBe(71_000);
    const [again] = new Invocation(run, "b").ask(71_000).leases;
    expect(again?.work.checkpoint.deferred).toMatchObject([{ ordinal: 9, dueInMs: 0 }]);
  });

  it("pauses after twenty refusals of different items in a row, and an answer ends the row", () => {
    const run = plannedRun(1000, { chunkSize: 10 });
    const lane = new Invocation(run, "a");
    const refusals = (from: number, n: number) =>
      Array.from({ length: n }, (_, at) => trouble("refused", from + at));
    lane.ask(0, { report: report({ troubles: refusals(0, 19), troublesSinceAnswer: 19 }) });
    lane.ask(1, { report: report({ answered: 1 }) });
    const again = refusals(50, REFUSED_TO_PAUSE - 1);
    const before = lane.ask(2, { report: report({ troubles: again, troublesSinceAnswer: again.length }) });
    expect([before.kind, before.refusedEpoch]).toEqual(["work", 1]);
    lane.ask(3, { report: report({ troubles: refusals(99, 1), troublesSinceAnswer: 1 }) });
    expect(run.state.status).toBe("paused");
    expect(run.state.reason).toContain("credentials");
  });

  it("pauses with the lane's own words when a secret is missing", () => {
    const run = plannedRun(10);
    new Invocation(run, "a").ask(0, { report: report({ blocked: "secret API_KEY is missing" }) });
    expect(view(run, { nowMs: 0, wallMs: 0, driven: true }).why).toBe("paused: secret API_KEY is missing");
  });

  it.each([
    ["a list is stopped by more failures than its share of all items", 200, 1000, 101],
    ["a long list by more than the share of the window", 4000, 1000, 501],
    ["a window that is set smaller", 4000, 100, 51],
    ["a list too short to be judged is not stopped", 40, 1000, null],
  ])("%s", (_, items, over, stoppedAt) => {
    const tolerate = { failureRate: 0.5, over, then: "pause" } as const;
    const run = plannedRun(items, { chunkSize: 10, tolerate });
    const lane = new Invocation(run, "a");
    lane.ask(0);
    for (let settled = 10; settled <= items && run.state.status === "running"; settled += 10) {
      const [lease] = lane.held.values();
      const commit = commitOf(lease!, 10);
      lane.ask(settled, { commits: [{ ...commit, part: { ...commit.part!, ok: 0, failed: 10 } }] });
    }
    const { status, counts, reason } = run.state;
    expect(counts.failed).toBe(stoppedAt === null ? items : Math.ceil(stoppedAt / 10) * 10);
    expect(status).toBe(stoppedAt === null ? "finishing" : "paused");
    if (stoppedAt !== null)
      expect(reason).toMatch(/failed, and tolerate\.failureRate \(0\.5\) allows \d+ of \d+$/);
  });

  it("offers no more invocations than are wanted, and repeats an offer that nobody took", () => {
    const run = plannedRun(100, { chunkSize: 10, maxParallelism: 10 });
    const first = work(run, 0, 0).offers;
    expect(first).toHaveLength(2);
    expect(new Set([...first, ERRANDS_QUEUE]).size).toBe(3);
    expect(work(run, 1, 1).offers).toEqual([]);
    expect(work(run, 5001, 5001).offers).toHaveLength(2);
    new Invocation(run, "a").ask(5002, { queue: 2 });
    expect(work(run, 5003, 5003).offers).toEqual([]);
  });

  it("offers elsewhere what nobody took from a queue that another run keeps", () => {
    const run = plannedRun(100, { chunkSize: 10, maxParallelism: 5 });
    const [first] = work(run, 0, 0).offers;
    const [second] = work(run, 5001, 5001).offers;
    expect(second).toBeDefined();
    expect(second).not.toBe(first);
  });

  it("begins with different queues in different runs", () => {
    const runs = Array.from({ length: 30 }, (_, i) => createDispatch(`r_${i}`));
    const want = { lanes: 1, lanesPerInvocation: 1, nowMs: 0 };
    const queues = new Set(runs.flatMap((dispatch) => offersToSend(dispatch, want)));
    expect([...queues].sort()).toEqual([1, 2, 3]);
  });

  it("says that no process works on it when none does", () => {
    const run = plannedRun(10);
    expect(view(run, { nowMs: 0, wallMs: 0, driven: false }).why).toContain("weir run --resume r_1");
  });

  it("settles every item exactly once, whatever order requests, losses and expiries come in", () => {
    const action = fc.record({
      who: fc.integer({ min: 0, max: 3 }),
      act: fc.constantFrom("ask", "commit", "release", "repeat", "die", "wait", "expire"),
      count: fc.integer({ min: 1, max: 7 }),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const run = plannedRun(60, { chunkSize: 9, maxParallelism: 6 });
        const ledger = run.ledger as MemoryLedger;
        let nowMs = 0;
        let born = 4;
        const lanes = [0, 1, 2, 3].map((at) => new Invocation(run, `i${at}`));
        const act = (lane: Invocation, kind: string, count: number): void => {
          const [lease] = lane.held.values();
          if (kind === "repeat" && lane.seq > 0) lane.repeat(nowMs);
          else if ((kind === "commit" || kind === "release") && lease !== undefined) {
            const done = commitOf(lease, count, { release: kind === "release" });
            const answer = lane.ask(nowMs, { commits: [done] });
            if (answer.commits[0]?.kind === "stale") lane.held.delete(lease.fence);
            else if (kind === "commit" && lane.held.has(lease.fence)) {
              const record = run.ledger.get(lease.work.chunk)!;
              const checkpoint = { cursor: record.cursor, position: null, deferred: [] };
              const held = { ...lease, work: { ...lease.work, parts: record.parts, checkpoint } };
              if (record.state === "done") lane.held.delete(lease.fence);
              else lane.held.set(lease.fence, held);
            }
          } else lane.ask(nowMs);
        };
        for (const { who, act: kind, count } of actions) {
          if (kind === "wait") nowMs += count * 1000;
          else if (kind === "expire") nowMs += TERM_MS;
          else if (kind === "die") lanes[who] = new Invocation(run, `i${born++}`);
          else act(lanes[who]!, kind, count);
          expect(run.semaphore.live.size).toBeLessThanOrEqual(6);
          work(run, nowMs, nowMs);
          if (run.state.status !== "finishing") expect(wakeAtMs(run, nowMs)).not.toBeNull();
        }
        // Then all heals: one invocation is left and must reach the end.
        nowMs += 10 * TERM_MS;
        const last = new Invocation(run, "last");
        for (let turn = 0; turn < 200 && run.state.status !== "finishing"; turn++) act(last, "release", 9);
        expect(run.state.status).toBe("finishing");
        const rows = [...ledger.parts.values()].flatMap(({ part }) =>
          Array.from({ length: part.lastIndex - part.firstIndex + 1 }, (_, at) => part.firstIndex + at),
        );
        expect(rows.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, at) => at));
        expect(run.state.counts).toMatchObject({ done: 60, ok: 60, failed: 0 });
      }),
      { numRuns: 300 },
    );
  });
});
