import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drive } from "../../../src/core/run/takeover.ts";
import { view } from "../../../src/core/run/view.ts";
import { commitOf, Invocation, plannedRun } from "../../support/coreRun.ts";

const reader = (nowMs: number, driven = true) => ({ nowMs, wallMs: nowMs, driven });

describe("a run's view", () => {
  it("counts a chunk that several lanes work on once", () => {
    const run = plannedRun(100, { chunkSize: 100, maxParallelism: 5 });
    const lane = new Invocation(run, "a");
    lane.ask(0, { takesHelp: true, capacity: 5 });
    lane.ask(10, { takesHelp: true, capacity: 5 });
    const { chunks, lanes } = view(run, reader(10));
    expect(lanes.live).toBe(5);
    expect(chunks).toEqual({ total: 1, done: 0, active: 1, pending: 0 });
  });

  it("says of a run that nobody drives that no lane works", () => {
    const run = plannedRun(100, { chunkSize: 10, maxParallelism: 5 });
    new Invocation(run, "a").ask(0);
    const { chunks, lanes } = view(run, reader(10, false));
    expect(lanes.live).toBe(0);
    expect(chunks).toEqual({ total: 10, done: 0, active: 0, pending: 10 });
  });

  it("never counts below zero, and its counts add up, whatever lanes do and whenever they die", () => {
    const step = fc.record({
      who: fc.nat(2),
      act: fc.constantFrom("ask", "commit", "release", "expire", "restart"),
      items: fc.integer({ min: 1, max: 7 }),
    });
    fc.assert(
      fc.property(
        fc.record({
          items: fc.integer({ min: 1, max: 60 }),
          chunkSize: fc.integer({ min: 1, max: 30 }),
          lanes: fc.integer({ min: 1, max: 12 }),
          lingerMs: fc.constantFrom(0, 5000),
          steps: fc.array(step, { maxLength: 60 }),
        }),
        ({ items, chunkSize, lanes, lingerMs, steps }) => {
          const run = plannedRun(items, { chunkSize, maxParallelism: lanes }, lingerMs);
          let nowMs = 0;
          let generation = 1;
          let names = 0;
          const fresh = () => new Invocation(run, `i${names++}`);
          const all = [fresh(), fresh(), fresh()];
          for (const { who, act, items: settled } of steps) {
            nowMs += act === "expire" ? 40_000 : 500;
            const lane = all[who]!;
            const change = { takesHelp: true, generation: String(generation), capacity: 5 };
            const [lease] = [...lane.held.values()].filter((one) => one.helps === undefined);
            if (act === "restart") {
              generation += 1;
              drive(run, String(generation), nowMs);
              all.splice(0, 3, fresh(), fresh(), fresh());
            } else if (lease === undefined || act === "ask" || act === "expire") lane.ask(nowMs, change);
            else {
              const commit = commitOf(lease, settled, { release: act === "release" });
              lane.ask(nowMs, { ...change, commits: [commit] });
              lane.held.delete(lease.fence);
            }
            for (const driven of [true, false]) {
              const { chunks, counts, lanes: seen } = view(run, reader(nowMs, driven));
              expect(Math.min(chunks.active, chunks.pending, chunks.done, seen.live)).toBeGreaterThanOrEqual(
                0,
              );
              expect(chunks.active + chunks.pending + chunks.done).toBe(chunks.total);
              expect(chunks.active).toBeLessThanOrEqual(seen.live);
              expect(counts.ok + counts.failed).toBe(counts.done);
              expect(counts.done).toBeLessThanOrEqual(items);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
