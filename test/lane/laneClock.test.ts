import { expect, it } from "vitest";
import { monotone } from "../../src/lane/clock.ts";

it("a lane's clock goes on from where it stood when the system's is set back, and follows it forward", () => {
  const readings = [0, 1000, -3_600_000, -3_599_990, 0];
  const now = monotone(() => readings.shift() ?? 0);
  expect(Array.from({ length: 5 }, () => now())).toEqual([0, 1000, 1000, 1010, 3_601_000]);
});
