/** What a measured run did that is charged where it is deployed: its counted operations. */
import { countedUnits } from "../../src/core/plan/cost.ts";
import type { Units } from "../../src/core/plan/prices.ts";
import type { RunView } from "../../src/core/run/runView.ts";

/** By kind, as the dated price table has them. */
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
