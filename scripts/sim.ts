/**
 * `npm run sim -- --seeds 500`: simulates worlds, one a seed, with every kind of fault in some of them.
 *
 *   --seeds N   how many, from --seed on (default 100 from 0); --seed N alone: this one, with its options
 *   --bug NAME  with a mistake planted into the Run
 *
 * A seed that shows a violation ends with the one command that shows it again.
 */
import { parseArgs } from "node:util";
import { FEATURES, type Feature } from "../src/sim/coverage.ts";
import { BUGS, type Bug } from "../src/sim/options.ts";
import { optionsOfSeed } from "../src/sim/seeds.ts";
import { type SimReport, simulate } from "../src/sim/simulate.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string" }, seed: { type: "string" }, bug: { type: "string" } },
});
const first = wholeNumber("seed", values.seed) ?? 0;
const seeds = wholeNumber("seeds", values.seeds) ?? (values.seed === undefined ? 100 : 1);
const bug = bugNamed(values.bug);

const violations: number[] = [];
const coverage = new Map<Feature, { times: number; seeds: number }>(
  FEATURES.map((feature) => [feature, { times: 0, seeds: 0 }]),
);
let calls = 0;
for (let seed = first; seed < first + seeds; seed++) {
  const options = optionsOfSeed(seed, bug);
  if (seeds === 1) console.log(JSON.stringify(options, null, 2));
  const report = await simulate(options);
  if (seeds === 1 || report.violation !== null) tell(report);
  if (report.violation !== null) violations.push(seed);
  calls += report.calls;
  for (const [feature, sum] of coverage) {
    sum.times += report.coverage[feature];
    sum.seeds += report.coverage[feature] > 0 ? 1 : 0;
  }
}
const seconds = process.cpuUsage().user / 1e6;
console.log(
  `${calls} calls in ${seconds.toFixed(1)} s of processor time, ${Math.round(calls / seconds)} a second`,
);
for (const [feature, { times, seeds: met }] of coverage) console.log(`${feature}: ${times}, in ${met} seeds`);
console.log(
  violations.length === 0
    ? `${seeds} ${seeds === 1 ? "seed" : "seeds"}, no violation`
    : `${violations.length} of ${seeds} seeds with a violation: ${violations.join(" ")}`,
);
process.exitCode = violations.length === 0 ? 0 : 1;

function tell(report: SimReport): void {
  const { options, violation, hash } = report;
  const { seed } = options;
  console.log(
    `seed ${seed}: ${report.status} after ${Math.round(report.tookMs / 1000)} s, ${report.ok} ok and ` +
      `${report.failed} failed of ${options.items} items, ${report.calls} calls, ${report.throttled} throttled, ` +
      `needed burst ${report.neededBurst.toFixed(1)}, at most ${report.mostUnderWay} calls at once, trace ${hash}`,
  );
  if (violation === null) return;
  console.log(`  ${violation.rule}, ${Math.round(violation.atMs)} ms: ${violation.message}`);
  console.log(`  again: npm run sim -- --seed ${seed}${options.bug === null ? "" : ` --bug ${options.bug}`}`);
}

function wholeNumber(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  console.error(`--${name}: "${text}" is not a whole number`);
  process.exit(2);
}

function bugNamed(name: string | undefined): Bug | null {
  const bug = BUGS.find((known) => known === name) ?? null;
  if (name === undefined || bug !== null) return bug;
  console.error(`--bug: "${name}" is none; there are ${BUGS.join(", ")}`);
  process.exit(2);
}
