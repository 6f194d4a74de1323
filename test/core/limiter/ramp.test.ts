import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  cleanShares,
  createRamp,
  lanesUnder,
  nextStepMs,
  observeRamp,
  parsePercent,
  type Ramp,
  rampedMs,
  rampSettings,
} from "../../../src/core/limiter/ramp.ts";
import type { Trouble } from "../../../src/core/protocol.ts";
import { RAMP_DEFAULTS } from "../../../src/core/spec.ts";
import { report } from "../../support/coreRun.ts";

const SETTINGS = rampSettings(RAMP_DEFAULTS);

const trouble = (kind: Trouble["kind"]): Trouble => ({
  kind,
  index: 1,
  epoch: 1,
  retryAfterMs: null,
  probe: false,
});

interface Second {
  readonly ok: number;
  readonly throttled?: number;
  readonly down?: number;
  readonly callMs?: number;
}

/** A second's report. */
function seconds({ ok, throttled = 0, down = 0, callMs = 100 }: Second) {
  return report({
    answered: ok,
    throttled,
    troubles: [
      ...Array.from({ length: throttled }, () => trouble("throttled")),
      ...Array.from({ length: down }, () => trouble("down")),
    ],
    callMs: callMs * (ok + throttled + down),
  });
}

/** Plays one report a second and returns the ramp; `of` says what happens at a share. */
function play(ramp: Ramp, fromS: number, forS: number, of: (share: number, second: number) => Second): Ramp {
  let now = ramp;
  for (let s = fromS; s < fromS + forS; s++)
    now = observeRamp(now, SETTINGS, seconds(of(now.share, s)), s * 1000);
  return now;
}

const shares = ({ steps }: Ramp) => steps.map(({ share }) => share);

describe("a ramp", () => {
  it("takes a step after each clean interval, and is over after a clean one with all of the limits", () => {
    const half = play(createRamp(SETTINGS, 0), 0, 151, () => ({ ok: 100 }));
    expect(shares(half)).toEqual([0.5, 0.6, 0.7, 0.8, 0.9, 1]);
    expect(half.steps.map(({ atMs }) => atMs)).toEqual([0, 30_000, 60_000, 90_000, 120_000, 150_000]);
    expect([half.isDone, nextStepMs(half)]).toEqual([false, null]);
    const whole = play(half, 151, 30, () => ({ ok: 100 }));
    expect(whole.isDone).toBe(true);
    expect(play(whole, 181, 30, () => ({ ok: 0, down: 100 })).share).toBe(1);
  });

  it("begins to count with the first call that ends, and waits for one", () => {
    const idle = play(createRamp(SETTINGS, 0), 0, 300, () => ({ ok: 0 }));
    expect([idle.share, nextStepMs(idle)]).toEqual([0.5, null]);
    const begun = play(idle, 300, 1, () => ({ ok: 1 }));
    expect(nextStepMs(begun)).toBe(330_000);
  });

  it("goes back a step after a dirty interval, and waits twice as long each time", () => {
    // More than 70 % is too much, by little.
    const of = (share: number): Second => (share > 0.7 ? { ok: 98, throttled: 2 } : { ok: 100 });
    const ramp = play(createRamp(SETTINGS, 0), 0, 1000, of);
    const times = ramp.steps.map(({ atMs, share }) => [atMs / 1000, share]);
    expect(times.slice(0, 4)).toEqual([
      [0, 0.5],
      [30, 0.6],
      [60, 0.7],
      [90, 0.8],
    ]);
    expect(shares(ramp).slice(3)).toEqual(
      Array.from({ length: shares(ramp).length - 3 }, (_, i) => [0.8, 0.7][i % 2]),
    );
    const waits = times
      .slice(4)
      .flatMap(([at = 0, share], i) => (share === 0.8 ? [at - times[i + 3]![0]!] : []));
    expect(waits).toEqual([60, 120, 240]);
    expect(ramp.steps.at(-1)?.because ?? ramp.steps.at(-2)?.because).toMatch(
      /^2 % of [\d,]+ calls failed, and ramp\.maxFailureRate allows 1 %$/,
    );
  });

  it("goes on at the usual pace once a step that was dirty is clean", () => {
    let isIll = true;
    const of = (share: number): Second => (share > 0.6 && isIll ? { ok: 90, down: 10 } : { ok: 100 });
    let ramp = play(createRamp(SETTINGS, 0), 0, 70, of);
    expect([ramp.share, ramp.dirtyShare, ramp.forMs]).toEqual([0.6, 0.7, 60_000]);
    isIll = false;
    ramp = play(ramp, 70, 190, of);
    expect([ramp.dirtyShare, ramp.forMs]).toEqual([null, 30_000]);
    expect(play(ramp, 260, 120, of).share).toBe(1);
  });

  it("does not wait for the end of an interval that is lost", () => {
    const up = play(createRamp(SETTINGS, 0), 0, 31, () => ({ ok: 100 }));
    const wall = play(up, 31, 5, () => ({ ok: 0, throttled: 100 }));
    expect([wall.share, wall.steps.at(-1)!.atMs]).toEqual([0.5, 33_000]);
  });

  it("counts a round of failures once: what ends just after a step began before it", () => {
    let ramp = play(createRamp(SETTINGS, 0), 0, 61, () => ({ ok: 100, callMs: 1000 }));
    expect(ramp.share).toBe(0.7);
    ramp = play(ramp, 61, 5, () => ({ ok: 0, throttled: 100, callMs: 1000 }));
    expect(ramp.share, "not 0.5").toBe(0.6);
  });

  it("goes back where calls take much longer than in the quickest interval", () => {
    const slow = (share: number): Second => ({ ok: 100, callMs: share > 0.65 ? 160 : 100 + share });
    const ramp = play(createRamp(SETTINGS, 0), 0, 91, slow);
    expect(shares(ramp)).toEqual([0.5, 0.6, 0.7, 0.6]);
    expect(ramp.steps.at(-1)?.because).toBe(
      "calls took 160 ms, 1.59 times the 101 ms before, and ramp.maxLatencyGrowth allows 1.5",
    );
  });

  it("makes nothing of some milliseconds more, which are the machine's", () => {
    const ramp = play(createRamp(SETTINGS, 0), 0, 91, (share) => ({
      ok: 100,
      callMs: share > 0.55 ? 30 : 7,
    }));
    expect(shares(ramp)).toEqual([0.5, 0.6, 0.7, 0.8]);
  });

  it("makes nothing of the duration of few calls", () => {
    const ramp = play(createRamp(SETTINGS, 0), 0, 62, (_, s) => ({
      ok: s % 10 === 0 ? 1 : 0,
      callMs: s * 1000,
    }));
    expect(shares(ramp)).toEqual([0.5, 0.6, 0.7]);
  });

  it("begins its interval anew after a silence", () => {
    const up = play(createRamp(SETTINGS, 0), 0, 20, () => ({ ok: 100 }));
    const later = play(up, 500, 1, () => ({ ok: 100 }));
    expect([later.share, nextStepMs(later)]).toEqual([0.5, 530_000]);
  });

  it("stays between its beginning and all, and changes once an interval at most, whatever happens", () => {
    const second = fc.record({
      ok: fc.nat(50),
      throttled: fc.nat(3),
      down: fc.nat(3),
      callMs: fc.integer({ min: 1, max: 5000 }),
      gapMs: fc.integer({ min: 1, max: 20_000 }),
    });
    const percent = fc.integer({ min: 1, max: 100 }).map((n) => `${n}%`);
    fc.assert(
      fc.property(fc.array(second, { maxLength: 200 }), percent, percent, (play, from, step) => {
        const settings = rampSettings({ ...RAMP_DEFAULTS, from, step });
        let ramp = createRamp(settings, 0);
        let nowMs = 0;
        let changedMs = Number.NEGATIVE_INFINITY;
        for (const { gapMs, ...of } of play) {
          nowMs += gapMs;
          const before = ramp;
          ramp = observeRamp(ramp, settings, seconds(of), nowMs);
          expect(ramp.share).toBeGreaterThanOrEqual(settings.from);
          expect(ramp.share).toBeLessThanOrEqual(1);
          expect(ramp.steps.length).toBeLessThanOrEqual(50);
          if (ramp.share === before.share) continue;
          if (ramp.share > before.share) expect(nowMs - changedMs).toBeGreaterThanOrEqual(settings.everyMs);
          else expect(nowMs - changedMs).toBeGreaterThanOrEqual(2000);
          changedMs = nowMs;
        }
      }),
    );
  });
});

describe("a planned ramp", () => {
  it("takes the steps that a clean one takes", () => {
    expect(cleanShares(SETTINGS)).toEqual([0.5, 0.6, 0.7, 0.8, 0.9, 1]);
    expect(cleanShares(rampSettings({ ...RAMP_DEFAULTS, from: "1%", step: "33%" }))).toEqual([
      0.01, 0.34, 0.67, 1,
    ]);
    expect(cleanShares(rampSettings({ ...RAMP_DEFAULTS, from: "100%" }))).toEqual([1]);
  });

  it("adds the time that the missing shares cost", () => {
    // Half of an interval's work is left undone in the first one, then 40, 30, 20 and 10 %.
    expect(rampedMs(SETTINGS, 0.5, 600_000)).toBeCloseTo(600_000 + 30_000 * 1.5, 3);
    expect(rampedMs(SETTINGS, 0.5, 10_000)).toBe(20_000);
    expect(rampedMs(SETTINGS, 1, 10_000)).toBe(10_000);
  });

  it("allows one lane at least", () => {
    expect([lanesUnder(10, 0.01), lanesUnder(200, 0.4), lanesUnder(1, 1)]).toEqual([1, 80, 1]);
  });
});

describe("a percentage", () => {
  it.each([
    ["50%", 0.5],
    ["12.5 %", 0.125],
    ["100%", 1],
    ["0%", null],
    ["101%", null],
    ["0.5", null],
    ["", null],
  ])("%s", (text, share) => expect(parsePercent(text)).toBe(share));
});
