/** The cost model beside a real run: what a plan says it takes of the platform, and what was counted. */
import { planUnits } from "../../../src/core/plan/cost.ts";
import { PRICES, type Units } from "../../../src/core/plan/prices.ts";
import { shown } from "../journal.ts";
import { measureRun } from "../measuredRun.ts";
import { unitsOf } from "../pricedRun.ts";
import type { Scene } from "../scene.ts";

/** When the large run was not played. */
const IDS = 200_000;
const CHUNK = 1000;
const LANES = 100;
/** The run that is priced. */
const TWO_MILLION = 2_000_000;

const NAMES: readonly (readonly [keyof Units, string])[] = [
  ["queueOperation", "queue operations"],
  ["workerRequest", "Worker requests"],
  ["cpuMs", "CPU ms (modelled in both)"],
  ["objectRequest", "object requests"],
  ["objectGbSecond", "object GB-s"],
  ["objectRowWritten", "rows written by the object"],
  ["r2ClassA", "R2 class A"],
  ["r2ClassB", "R2 class B"],
  ["r2GbMonth", "R2 GB-months (modelled in both)"],
  ["d1RowWritten", "rows written in D1"],
];

export const cost: Scene = {
  name: "cost",
  minutes: 0.1,
  async play(journal, stage) {
    const run =
      stage.seen.large ??
      (await measureRun({
        ids: IDS,
        flags: ["--rate", "1000/s", "--parallel", String(LANES), "--chunk", String(CHUNK)],
        target: { limit: { ratePerSecond: 1000, burst: 100 }, latencyMs: [25, 75] },
        ratePerSecond: 1000,
      }));
    const items = run.run.counts.done;
    const counted = unitsOf(run.run);
    const planned = planUnits({
      items,
      chunks: Math.ceil(items / CHUNK),
      chunkSize: CHUNK,
      lanes: LANES,
      seconds: run.arrivals.spanMs / 1000,
    });
    journal.say(
      "",
      `**${shown(items)} calls at ${shown(run.arrivals.meanPerSecond)}/s, planned and counted**, and the counted run scaled to ${shown(TWO_MILLION)} calls ` +
        `at the price list of ${PRICES.asOf} (USD above what the plan includes)`,
    );
    const scale = TWO_MILLION / items;
    let usd = 0;
    const rows = NAMES.map(([name, text]) => {
      const line = counted[name] * scale * PRICES[name];
      usd += line;
      return [text, shown(planned[name]), shown(counted[name]), `$${shown(line, 3)}`];
    });
    journal.table(
      ["", "planned", "counted", `${shown(TWO_MILLION)} calls`],
      [...rows, ["**all**", "", "", `**$${shown(usd, 2)}**`]],
    );
    journal.say(
      "",
      "One machine's run has one invocation with all lanes. Deployed, with 5 lanes an invocation, the simulation " +
        "counts 0.25 to 0.4 object requests a call (`scale`): that is $0.08 to $0.12 for two million calls.",
    );
  },
};
