/** What a run wants of its target's rate, by the gaps in its line of instants. */
import { describe, expect, it } from "vitest";
import {
  createMeter,
  noteLanes,
  noteLine,
  noteShort,
  type UseMeter,
  wanted,
} from "../../../src/core/run/useMeter.ts";

const RATE = 100;
const EVERY_MS = 1000 / RATE;
const tat = (tatMs: number) => ({ tatMs, gapMs: EVERY_MS });

/** Half a second in which so much of the line is used. */
function use(meter: UseMeter, fromMs: number, part: number, busy: number): number | null {
  noteLanes(meter, 10, busy * 10);
  for (let ms = fromMs; ms < fromMs + 500; ms += 100) {
    const usedMs = part * 100;
    noteLine(meter, tat(ms), tat(ms + 100), usedMs);
  }
  const toMs = fromMs + 500;
  return wanted(meter, { perSecond: RATE, tatMs: toMs, least: 1 }, toMs);
}

describe("a run wants", () => {
  it("all that it can get at first, and while its line has no gaps", () => {
    const meter = createMeter(0);
    expect(wanted(meter, { perSecond: RATE, tatMs: 100, least: 1 }, 100)).toBeNull();
    for (let ms = 100; ms < 5000; ms += 500) expect(use(meter, ms, 1, 1)).toBeNull();
  });

  it("what it uses and a little more when its lanes are all busy", () => {
    const meter = createMeter(0);
    use(meter, 0, 0.5, 1);
    expect(use(meter, 500, 0.5, 1)).toBeCloseTo(57.5);
    expect(use(meter, 1000, 0, 1)).toBe(1);
  });

  it("all that it can get while its lanes wait for permits that a busy machine asks for late", () => {
    const meter = createMeter(0);
    for (let ms = 0; ms < 20_000; ms += 500) expect(use(meter, ms, 0.85, 0.3)).toBeNull();
  });

  it("less when its lanes wait for something else", () => {
    const meter = createMeter(0);
    use(meter, 0, 0.3, 0.1);
    expect(use(meter, 500, 0.3, 0.1)).toBeCloseTo(34.5);
  });

  it("all at once when a call has to wait for the rate", () => {
    const meter = createMeter(0);
    use(meter, 0, 0.1, 1);
    use(meter, 500, 0.1, 1);
    expect(meter.want).not.toBeNull();
    noteShort(meter);
    expect(use(meter, 1000, 0.1, 1)).toBeNull();
  });

  it("what it wanted, while too few of its calls were due to say more", () => {
    const meter = createMeter(0);
    meter.want = 5;
    expect(wanted(meter, { perSecond: 0.1, tatMs: 0, least: 0.01 }, 20_000)).toBe(5);
    expect(wanted(meter, { perSecond: 0.1, tatMs: 0, least: 0.01 }, 31_000)).not.toBe(5);
  });
});
