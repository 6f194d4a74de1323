/** What cuts calls off: their lane, and their time; calls share what watches them and are not mixed up by it. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CallsOfLanes, type Cuttable, LaneCalls } from "../../../src/tasks/calls/laneCalls.ts";
import { type Limited, TimeLimits } from "../../../src/tasks/calls/timeLimits.ts";

class OneCall implements Cuttable, Limited {
  stopped = 0;
  timedOutAtMs: number | null = null;

  onStop(): void {
    this.stopped += 1;
  }

  onTimeout(): void {
    this.timedOutAtMs = Date.now();
  }
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a time limit", () => {
  it("ends a call no earlier than it says and at most 1 % later", () => {
    const limits = new TimeLimits();
    const calls = Array.from({ length: 100 }, () => new OneCall());
    const begunMs = calls.map((call) => {
      limits.begin(call, 10_000);
      vi.advanceTimersByTime(7);
      return Date.now() - 7;
    });
    vi.advanceTimersByTime(20_000);
    for (const [n, call] of calls.entries()) {
      const tookMs = (call.timedOutAtMs ?? Number.NaN) - (begunMs[n] ?? 0);
      expect(tookMs).toBeGreaterThanOrEqual(10_000);
      expect(tookMs).toBeLessThanOrEqual(10_100);
    }
  });

  it("is shared by calls that begin together, and gone when all of them are over", () => {
    const limits = new TimeLimits();
    const calls = Array.from({ length: 50 }, () => new OneCall());
    const begun = calls.map((call) => limits.begin(call, 10_000));
    expect(vi.getTimerCount()).toBe(1);
    for (const [n, call] of calls.entries()) begun[n]?.leave(call);
    expect(vi.getTimerCount()).toBe(0);
    limits.begin(new OneCall(), 10_000);
    expect(vi.getTimerCount()).toBe(1);
  });

  it("does nothing to a call that is over", () => {
    const limits = new TimeLimits();
    const [ended, hanging] = [new OneCall(), new OneCall()];
    const begun = limits.begin(ended, 1000);
    limits.begin(hanging, 1000);
    begun.leave(ended);
    vi.advanceTimersByTime(2000);
    expect(ended.timedOutAtMs).toBeNull();
    expect(hanging.timedOutAtMs).not.toBeNull();
  });

  it.each([-3_600_000, 3_600_000])("holds when the clock is set by %i ms", (ms) => {
    const limits = new TimeLimits();
    const [before, after] = [new OneCall(), new OneCall()];
    limits.begin(before, 1000);
    vi.setSystemTime(Date.now() + ms);
    limits.begin(after, 1000);
    vi.advanceTimersByTime(999);
    expect([before.timedOutAtMs, after.timedOutAtMs]).toEqual([null, null]);
    vi.advanceTimersByTime(20);
    expect(before.timedOutAtMs).not.toBeNull();
    expect(after.timedOutAtMs).not.toBeNull();
  });
});

describe("the calls of a lane", () => {
  it("are cut off when the lane has to stop, those that are under way and no others", () => {
    const lane = new AbortController();
    const calls = new LaneCalls(lane.signal, new TimeLimits());
    const [over, open] = [new OneCall(), new OneCall()];
    calls.began(over);
    calls.began(open);
    calls.over(over);
    lane.abort();
    expect([over.stopped, open.stopped]).toEqual([0, 1]);
  });

  it("get the same cutter one after another, two at a time get two, and none gets one that was used", () => {
    const calls = new LaneCalls(new AbortController().signal, new TimeLimits());
    const first = calls.takeCutter();
    const beside = calls.takeCutter();
    expect(beside).not.toBe(first);
    calls.giveBack(first);
    expect(calls.takeCutter()).toBe(first);
    first.cut(new Error("over"));
    calls.giveBack(first);
    expect(calls.takeCutter().signal.aborted).toBe(false);
  });

  it("are told apart by the lane's signal", () => {
    const lanes = new CallsOfLanes();
    const [one, other] = [new AbortController(), new AbortController()];
    expect(lanes.of(one.signal)).toBe(lanes.of(one.signal));
    expect(lanes.of(other.signal)).not.toBe(lanes.of(one.signal));
  });
});
