/** A lane's clock on a system whose clock is set. */
import { describe, expect, it } from "vitest";
import { DEPTH_MS, GRACE_MS } from "../../src/core/limits.ts";
import { steadyClock } from "../../src/lane/clock.ts";

/** A system where real time and the clock's readings are moved by hand. */
function system() {
  const world = { realMs: 0, setByMs: 0, timers: [] as { atMs: number; f: () => void }[] };
  const clock = steadyClock({
    read: () => world.realMs + world.setByMs,
    timer: (ms, f) => {
      world.timers.push({ atMs: world.realMs + ms, f });
      return () => {};
    },
    random: () => 0,
  });
  const pass = (ms: number) => {
    world.realMs += ms;
    const due = world.timers.filter(({ atMs }) => atMs <= world.realMs);
    world.timers = world.timers.filter(({ atMs }) => atMs > world.realMs);
    for (const { f } of due) f();
  };
  return { clock, pass, set: (byMs: number) => (world.setByMs += byMs) };
}

describe("a lane's clock", () => {
  it("follows the system's, also when that is set forward", () => {
    const { clock, pass, set } = system();
    expect(clock.now()).toBe(0);
    pass(1000);
    expect(clock.now()).toBe(1000);
    set(3_600_000);
    expect(clock.now()).toBe(3_601_000);
  });

  it("goes on beyond every permit that was held when the system's is set back: nobody knows how much time passed", () => {
    const { clock, pass, set } = system();
    const beforeMs = clock.now();
    pass(300);
    set(-3_600_000);
    const afterMs = clock.now();
    expect(afterMs).toBeGreaterThan(beforeMs + DEPTH_MS + GRACE_MS);
    pass(10);
    expect(clock.now()).toBe(afterMs + 10);
  });

  it("learns from its own timers that the system's was set back by less than it had gone since the last reading", () => {
    const { clock, pass, set } = system();
    let rangMs = 0;
    clock.after(200, () => {
      rangMs = clock.now();
    });
    set(-150);
    pass(200);
    expect(rangMs).toBe(200);
  });

  it("does not run fast where timers are a millisecond early and readings go back by one", () => {
    const { clock, pass, set } = system();
    for (let turn = 0; turn < 1000; turn++) {
      clock.after(11, () => {});
      pass(10);
      set(-1);
      pass(1);
      set(1);
      expect(clock.now()).toBe(11 * (turn + 1));
    }
  });
});
