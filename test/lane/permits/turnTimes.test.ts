import { expect, it } from "vitest";
import { TurnTimes } from "../../../src/lane/permits/turnTimes.ts";

function after(...turnsMs: number[]): TurnTimes {
  const times = new TurnTimes();
  for (const ms of turnsMs) times.add(ms);
  return times;
}

it("says by when a share of the turns was over", () => {
  const times = after(50, 10, 40, 20, 30);
  expect(times.overBy(0, 0.2)).toBe(10);
  expect(times.overBy(0, 0.8)).toBe(40);
  expect(times.overBy(0, 1)).toBe(50);
});

it("asks only the turns that took as long as this one has already", () => {
  const times = after(10, 20, 30, 40, 500);
  expect(times.overBy(25, 0.5)).toBe(40);
  expect(times.overBy(40, 0.5)).toBe(500);
});

it("knows nothing of a turn longer than all of them, nor before the first", () => {
  expect(after(10, 20).overBy(20, 0.8)).toBeNull();
  expect(new TurnTimes().overBy(0, 0.8)).toBeNull();
});

it("forgets the oldest: a target that slows down is followed", () => {
  const times = after(...Array.from({ length: 256 }, () => 10), ...Array.from({ length: 256 }, () => 90));
  expect(times.overBy(0, 0.01)).toBe(90);
});
