import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LEASE_MARGIN_MS, LEASE_TTL_MS } from "../../../src/core/limits.ts";
import {
  acquire,
  createSemaphore,
  expire,
  expireOtherGenerations,
  nextExpiry,
  release,
  renew,
  shedAbove,
} from "../../../src/core/run/semaphore.ts";

const TERM_MS = LEASE_TTL_MS + LEASE_MARGIN_MS;
const want = { chunk: 0, invocation: "a", generation: "1", max: 2 };

describe("semaphore", () => {
  it("gives out at most max leases and refuses the next without a change", () => {
    const semaphore = createSemaphore();
    acquire(semaphore, { ...want, nowMs: 0 });
    acquire(semaphore, { ...want, nowMs: 0 });
    const before = structuredClone(semaphore);
    expect(acquire(semaphore, { ...want, nowMs: 0 })).toEqual({ kind: "full", max: 2 });
    expect(semaphore).toEqual(before);
  });

  it("frees one slot however often a lease is released", () => {
    const semaphore = createSemaphore();
    for (let i = 0; i < 2; i++) acquire(semaphore, { ...want, nowMs: 0 });
    expect([release(semaphore, 1), release(semaphore, 1), release(semaphore, 1)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(semaphore.live.size).toBe(1);
  });

  it("expires a lease exactly at the end of its term and not before", () => {
    const semaphore = createSemaphore();
    acquire(semaphore, { ...want, nowMs: 100 });
    expect(nextExpiry(semaphore)).toBe(100 + TERM_MS);
    expect(expire(semaphore, 100 + TERM_MS - 1)).toEqual([]);
    expect(expire(semaphore, 100 + TERM_MS)).toHaveLength(1);
    expect(nextExpiry(semaphore)).toBeNull();
  });

  it("renews only for the holder and names what is lost", () => {
    const semaphore = createSemaphore();
    acquire(semaphore, { ...want, nowMs: 0 });
    expect(renew(semaphore, [1, 7], "a", 5000)).toEqual([7]);
    expect(renew(semaphore, [1], "b", 9000)).toEqual([1]);
    expect(nextExpiry(semaphore)).toBe(5000 + TERM_MS);
  });

  it("frees the leases of other generations at once", () => {
    const semaphore = createSemaphore();
    acquire(semaphore, { ...want, nowMs: 0 });
    acquire(semaphore, { ...want, nowMs: 0, generation: "2" });
    expect(expireOtherGenerations(semaphore, "2", 10).map((lease) => lease.generation)).toEqual(["1"]);
    expect(semaphore.live.size).toBe(1);
  });

  it("keeps the slots of other generations for as long as they may linger, however often it is told", () => {
    const semaphore = createSemaphore(1, 5000);
    acquire(semaphore, { ...want, nowMs: 0, max: 2 });
    acquire(semaphore, { ...want, nowMs: 0, max: 2, generation: "2" });
    expect(nextExpiry(semaphore)).toBe(TERM_MS + 5000);
    expect(expireOtherGenerations(semaphore, "2", 1000)).toEqual([]);
    expect(expireOtherGenerations(semaphore, "2", 2000)).toEqual([]);
    expect(nextExpiry(semaphore)).toBe(6000);
    expect(acquire(semaphore, { ...want, nowMs: 5999, max: 2, generation: "2" }).kind).toBe("full");
    expect(expire(semaphore, 6000).map((lease) => lease.generation)).toEqual(["1"]);
    expect(acquire(semaphore, { ...want, nowMs: 6000, max: 2, generation: "2" }).kind).toBe("acquired");
  });

  it("sheds the newest leases above a lowered limit, and each only once", () => {
    const semaphore = createSemaphore();
    for (let i = 0; i < 5; i++) acquire(semaphore, { ...want, nowMs: 0, max: 5 });
    shedAbove(semaphore, 3);
    shedAbove(semaphore, 3);
    const shedding = [...semaphore.live.values()].filter((lease) => lease.shedding);
    expect(shedding.map((lease) => lease.fence)).toEqual([4, 5]);
  });

  it("never has more than max live leases and never repeats a fence, whatever happens", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("acquire" as const), invocation: fc.constantFrom("a", "b", "c") }),
      fc.record({ kind: fc.constant("release" as const), fence: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ kind: fc.constant("renew" as const), fence: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 2 * TERM_MS }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 6 }), (steps, max) => {
        const semaphore = createSemaphore();
        let nowMs = 0;
        let newest = 0;
        for (const at of steps) {
          if (at.kind === "wait") nowMs += at.ms;
          else if (at.kind === "release") release(semaphore, at.fence);
          else if (at.kind === "renew") renew(semaphore, [at.fence], "a", nowMs);
          else {
            expire(semaphore, nowMs);
            const got = acquire(semaphore, { ...want, invocation: at.invocation, nowMs, max });
            if (got.kind === "acquired") {
              expect(got.lease.fence).toBeGreaterThan(newest);
              newest = got.lease.fence;
            }
          }
          expect(semaphore.live.size).toBeLessThanOrEqual(max);
        }
      }),
    );
  });
});
