import { expect, it } from "vitest";
import { sleep } from "../../../src/lane/clock.ts";
import { Turns } from "../../../src/lane/rows/turns.ts";
import { seeded, VirtualTime } from "../../support/virtualTime.ts";

const WRITE_MS = 10;
const PARTS = 5;

it.each([
  { what: "leave the loop as long as each took while calls are made", isCalling: true, mostMs: 90 },
  { what: "follow each other at once when there are none", isCalling: false, mostMs: 50 },
])("writes one after another $what", async ({ isCalling, mostMs }) => {
  const time = new VirtualTime();
  const clock = time.clock(0, seeded(1), () => 0);
  const turns = new Turns(clock, () => isCalling);
  let ended = 0;
  let atOnce = 0;
  for (let i = 0; i < PARTS; i++) {
    void turns.take(async () => {
      atOnce += 1;
      expect(atOnce).toBe(1);
      await sleep(clock, WRITE_MS);
      atOnce -= 1;
      ended += 1;
    });
  }
  await time.runUntil(() => ended === PARTS, 1000);
  expect(time.nowMs).toBeGreaterThanOrEqual(mostMs);
  expect(time.nowMs).toBeLessThan(mostMs + WRITE_MS / 2);
});
