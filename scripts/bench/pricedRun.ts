/** What a measured run would have cost where it is deployed: its counted operations at the dated table's prices. */
import { countedCost, countedUnits } from "../../src/core/cost.ts";
import type { Units } from "../../src/core/prices.ts";
import type { RunView } from "../../src/core/runView.ts";

export function countedUsd(run: RunView): number {
  return countedCost(run.operations, seenOf(run)).usd;
}

export function unitsOf(run: RunView): Units {
  return countedUnits(run.operations, seenOf(run));
}

function seenOf({ counts, startedAt, endedAt }: RunView) {
  const endMs = endedAt === null ? Date.now() : Date.parse(endedAt);
  return {
    calls: counts.attempts + counts.throttled,
    items: counts.done,
    seconds: startedAt === null ? 0 : (endMs - Date.parse(startedAt)) / 1000,
  };
}
