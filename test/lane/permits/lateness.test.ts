/** What is let go together after the event loop stood still: the needed burst of a run on a busy machine. */
import { describe, expect, it } from "vitest";
import type { SyncAnswer } from "../../../src/core/protocol.ts";
import type { Clock } from "../../../src/lane/clock.ts";
import { Evenness } from "../../../src/lane/permits/evenness.ts";
import { LoopLateness } from "../../../src/lane/permits/lateness.ts";
import { Pacer } from "../../../src/lane/permits/pacer.ts";
import { Tally } from "../../../src/lane/report.ts";
import type { Permit } from "../../../src/tasks/calls/permits.ts";

/** An event loop that fires a timer only when it gets to it. */
class Loop implements Clock {
  #nowMs = 1000;
  readonly #timers = new Map<() => void, number>();

  now(): number {
    return this.#nowMs;
  }

  after(ms: number, act: () => void): () => void {
    const timer = () => act();
    this.#timers.set(timer, this.#nowMs + Math.max(0, Math.ceil(ms)));
    return () => this.#timers.delete(timer);
  }

  random(): number {
    return 0;
  }

  /** Nothing happens for so long. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  async run(ms: number): Promise<void> {
    for (const endMs = this.#nowMs + ms; this.#nowMs < endMs; this.#nowMs += 1) await this.turn();
  }

  async turn(): Promise<void> {
    for (const [timer, atMs] of [...this.#timers]) {
      if (atMs > this.#nowMs || !this.#timers.delete(timer)) continue;
      timer();
    }
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }
}

/** 1,000 lanes that wait for their permits, one of which comes due every millisecond. */
function waitingLanes({ first = 1000 } = {}) {
  const loop = new Loop();
  const pacer = new Pacer(
    loop,
    new Tally(),
    () => {},
    () => {},
  );
  const lanes = { letGo: 0 };
  const { signal } = new AbortController();
  const endless = () => Number.POSITIVE_INFINITY;
  const permits = Array.from({ length: 1000 }, () => pacer.join(endless, endless).take(signal));
  for (const taken of permits) {
    void taken.then((permit) => {
      if (permit.use()) lanes.letGo += 1;
    });
  }
  const hear = (count: number, firstInMs = 5) => {
    const at = { sentMs: loop.now(), receivedMs: loop.now(), repeated: false, want: count };
    pacer.apply(answerOf(count, firstInMs), at);
  };
  hear(first);
  return { loop, lanes, hear, first: permits[0] as Promise<Permit> };
}

function answerOf(count: number, firstInMs: number): SyncAnswer {
  return {
    seq: 1,
    kind: "work",
    epoch: 1,
    grant: { kind: "granted", firstInMs, everyMs: 1, count, graceMs: 40, probe: false },
    leases: [],
    lost: [],
    shed: [],
    commits: [],
    leaseTtlMs: 60_000,
    pollMs: 1000,
    settings: null,
    circuit: "closed",
    refusedEpoch: 0,
    refusedStreak: 0,
  };
}

/** The turns over which what is due after a pause is let go; they take no time here. */
const PORTIONS = 4;
async function portions(loop: Loop): Promise<void> {
  for (let turn = 0; turn < PORTIONS; turn++) await loop.turn();
}

describe("permits after a pause of the event loop", () => {
  it("are as few when an answer is seen before the timer as when the timer comes first", async () => {
    const counts: number[] = [];
    for (const answerFirst of [false, true]) {
      const { loop, lanes, hear } = waitingLanes();
      await loop.run(50);
      const before = lanes.letGo;
      loop.stall(30);
      if (answerFirst) hear(0);
      await portions(loop);
      counts.push(lanes.letGo - before);
    }
    expect(counts[0]).toBe(counts[1]);
    expect(counts[0]).toBeGreaterThanOrEqual(12);
    expect(counts[0]).toBeLessThanOrEqual(13);
  });

  it("are all used after a short one", async () => {
    const { loop, lanes } = waitingLanes();
    await loop.run(50);
    const before = lanes.letGo;
    loop.stall(11);
    await portions(loop);
    expect(lanes.letGo - before).toBeGreaterThanOrEqual(11);
  });

  it("go in portions, so that those longest overdue need not wait until all calls are made", async () => {
    const { loop, lanes } = waitingLanes();
    await loop.run(50);
    loop.stall(12);
    const counts: number[] = [];
    for (let turn = 0; turn < PORTIONS; turn++) {
      const before = lanes.letGo;
      await loop.turn();
      counts.push(lanes.letGo - before);
    }
    expect(Math.max(...counts)).toBeLessThanOrEqual(4);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(3);
  });

  it("are all let go in the last portion, however many have become due in slow turns", async () => {
    const { loop, lanes } = waitingLanes();
    await loop.run(50);
    const before = lanes.letGo;
    loop.stall(12);
    for (let turn = 0; turn < PORTIONS; turn++) {
      await loop.turn();
      loop.stall(4);
    }
    expect(lanes.letGo - before).toBeGreaterThanOrEqual(12 + 4 * (PORTIONS - 1));
  });

  it("count from the answer that brings them late", async () => {
    const { loop, lanes, hear } = waitingLanes({ first: 0 });
    await loop.run(50);
    hear(20, -25);
    await loop.turn();
    expect(lanes.letGo).toBe(20);
  });

  it("are those of 13 ms while little is lost, of 21 where pauses are many and long, and in the end of 30", async () => {
    const { loop, lanes } = waitingLanes();
    const letGoAfter = async (pauseMs: number) => {
      await loop.run(20);
      const before = lanes.letGo;
      loop.stall(pauseMs);
      await portions(loop);
      return lanes.letGo - before;
    };
    const counts: number[] = [];
    for (let pause = 0; pause < 18; pause++) counts.push(await letGoAfter(30));
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts[0]).toBeGreaterThanOrEqual(12);
    expect(counts[0]).toBeLessThanOrEqual(13);
    expect(counts[4]).toBeGreaterThanOrEqual(19);
    expect(counts[4]).toBeLessThanOrEqual(21);
    expect(counts.at(-1)).toBe(30);
  });
});

describe("evenness", () => {
  const USABLE_MS = 32;

  it("takes more off while no more than 0.4 % of the time is lost for it", () => {
    const evenness = new Evenness();
    const tightest = evenness.mostOff(USABLE_MS);
    for (let second = 0; second < 60; second++) {
      for (let i = 0; i < 996; i++) evenness.handedOut(1);
      evenness.lost(3.9);
    }
    expect(evenness.mostOff(USABLE_MS)).toBeGreaterThan(0.9 * tightest);
  });

  it("takes less off when more is lost, and more again when it is not, the same at every rate", () => {
    for (const everyMs of [0.25, 1, 8]) {
      const evenness = new Evenness();
      const tightest = evenness.mostOff(USABLE_MS);
      for (let second = 0; second < 60; second++) {
        for (let ms = 0; ms < 994; ms += everyMs) evenness.handedOut(everyMs);
        evenness.lost(6);
      }
      expect(evenness.mostOff(USABLE_MS)).toBeCloseTo(0.57 * tightest, 1);
      for (let ms = 0; ms < 15_000; ms += everyMs) evenness.handedOut(everyMs);
      expect(evenness.mostOff(USABLE_MS)).toBe(tightest);
    }
  });

  it("takes nothing off where more than 1.4 % is lost and the loop hardly keeps up", () => {
    for (const everyMs of [0.25, 1, 8]) {
      const evenness = new Evenness();
      const tightest = evenness.mostOff(USABLE_MS);
      for (let pause = 0; pause < 10; pause++) evenness.lost(8);
      expect(evenness.mostOff(USABLE_MS)).toBe(0);
      for (let ms = 0; ms < 5000; ms += everyMs) evenness.handedOut(everyMs);
      expect(evenness.mostOff(USABLE_MS)).toBeCloseTo(0.8 * tightest, 1);
      for (let ms = 0; ms < 10_000; ms += everyMs) evenness.handedOut(everyMs);
      expect(evenness.mostOff(USABLE_MS)).toBe(tightest);
    }
  });

  it("is not given up for one long pause", () => {
    const evenness = new Evenness();
    const tightest = evenness.mostOff(USABLE_MS);
    evenness.lost(5000);
    expect(evenness.mostOff(USABLE_MS)).toBeGreaterThanOrEqual(0.9 * tightest);
  });
});

describe("answers", () => {
  const anAnswer = async (loop: Loop, lane: Promise<Permit>) => {
    await loop.turn();
    return (await lane).giveWay();
  };

  it("are seen to at once in a loop that is on time", async () => {
    const { loop, first } = waitingLanes();
    await loop.run(50);
    expect(await anAnswer(loop, first)).toBeNull();
  });

  it("wait after a pause until what is due was let go and the loop has been at its timers", async () => {
    const { loop, lanes, first } = waitingLanes();
    await loop.run(50);
    const before = lanes.letGo;
    loop.stall(12);
    const passing = (await first).giveWay();
    let isOver = false;
    void passing?.then(() => {
      isOver = true;
    });
    for (let i = 0; i < 10; i++) await Promise.resolve();
    expect(lanes.letGo - before).toBeGreaterThanOrEqual(3);
    for (let turn = 1; turn < PORTIONS; turn++) {
      expect(isOver).toBe(false);
      await loop.turn();
    }
    expect(lanes.letGo - before).toBeGreaterThanOrEqual(12);
    expect(isOver).toBe(false);
    await loop.turn();
    expect(isOver).toBe(true);
    expect(await anAnswer(loop, first)).toBeNull();
  });
});

describe("lateness", () => {
  it("is not what a timer's grain brings", () => {
    const lateness = new LoopLateness();
    lateness.saw(1, 101);
    expect(lateness.at(101)).toBe(0);
  });

  it("is that of what was let go last", () => {
    const lateness = new LoopLateness();
    lateness.saw(21, 121);
    expect(lateness.at(121)).toBe(20);
    lateness.saw(6, 136);
    expect(lateness.at(136)).toBe(5);
    lateness.saw(1, 141);
    expect(lateness.at(141)).toBe(0);
  });

  it("is forgotten when nothing was let go for a while", () => {
    const lateness = new LoopLateness();
    lateness.saw(21, 121);
    expect(lateness.at(400)).toBe(0);
  });
});
