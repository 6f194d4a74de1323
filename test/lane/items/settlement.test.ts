/** Tries that are given back: by an opening of the circuit, also one that was missed, and by nothing else. */
import { describe, expect, it } from "vitest";
import { Progress, type Waiting } from "../../../src/lane/items/progress.ts";
import { Settlement, type SettlementHost } from "../../../src/lane/items/settlement.ts";

/** An item that failed three times with nobody answered, in epoch 4, as its checkpoint says it. */
const DEFERRED = {
  ordinal: 0,
  position: 0,
  attempts: 3,
  throttles: 0,
  downs: 3,
  downIn: 4,
  dueInMs: 1000,
};

/** A lane that takes up the item's chunk; `epoch` and `openedIn` are what it heard of the Run. */
function begin(heard: { readonly epoch: number; readonly openedIn: number }, isOpen = false, change = {}) {
  const progress = new Progress({ cursor: 1, position: 1, deferred: [{ ...DEFERRED, ...change }] }, 0);
  const host = {
    clock: { now: () => 10 },
    upMs: () => Number.NEGATIVE_INFINITY,
    epoch: () => heard.epoch,
    openedIn: () => heard.openedIn,
  } as unknown as SettlementHost;
  const settlement = new Settlement(host, progress, { isAdopted: () => false } as never);
  settlement.refundMissed(isOpen);
  return { settlement, waiting: () => progress.waiting.get(0) as Waiting };
}

describe("a lane that begins", () => {
  it.each([
    ["that opened since, and was lifted", { epoch: 5, openedIn: 5 }, false, 0],
    ["that opened since, with a lower rate after it", { epoch: 7, openedIn: 5 }, false, 0],
    ["that is open", { epoch: 4, openedIn: 4 }, true, 0],
    ["that did not open since: the rate was lowered", { epoch: 6, openedIn: 0 }, false, 3],
    ["that opened before: the rate was lowered since", { epoch: 6, openedIn: 4 }, false, 3],
  ])("counts the tries of an item under a circuit %s", (_what, heard, isOpen, attempts) => {
    expect(begin(heard, isOpen).waiting()).toMatchObject({
      attempts,
      excused: attempts === 0 ? 1 : 0,
    });
  });

  it("counts an opening once, however often the rate is lowered in it", () => {
    const heard = { epoch: 5, openedIn: 5 };
    const { settlement, waiting } = begin(heard, true);
    const item = { ordinal: 0, position: 0, index: 0, value: "a" };
    for (heard.epoch of [6, 7, 8]) settlement.defer(item, waiting(), 1000, "given-back");
    expect(waiting()).toMatchObject({ excused: 1, excusedIn: 5 });
    heard.openedIn = 9;
    settlement.defer(item, waiting(), 1000, "given-back");
    expect(waiting()).toMatchObject({ excused: 2, excusedIn: 9 });
  });
});
