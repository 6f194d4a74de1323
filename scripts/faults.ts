/**
 * `npm run faults`: figures of runs in bad weather, measured with the real command (or, for frozen lanes, with its
 * Worker in two processes) against a target in another process. Each figure stands beside what it has to be; exit
 * code 1 when one is missed. A quarter of an hour in all.
 *
 *   --only kills|outage|limit|revoked|frozen|stalled|database|clock    one of them
 *   --write                                                      puts what was printed into docs/benchmarks.md
 */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { spawnTarget } from "../test/support/spawnTarget.ts";
import type { TargetOptions } from "../test/support/targetOptions.ts";
import { Workspace } from "../test/support/weir.ts";
import { clock } from "./faults/clock.ts";
import { database } from "./faults/database.ts";
import { frozen, stalled } from "./faults/frozen.ts";
import { kills } from "./faults/kills.ts";
import { limit } from "./faults/limit.ts";
import { outage } from "./faults/outage.ts";
import { revoked } from "./faults/revoked.ts";
import { type Bound, isMet, type Scene, type Told } from "./faults/scene.ts";

const DOCUMENT = resolve(import.meta.dirname, "../docs/benchmarks.md");
const BEGIN = "<!-- figures: npm run faults -- --write -->";
const END = "<!-- end of figures of faults -->";
const TARGET: TargetOptions = { limit: { ratePerSecond: 1000, burst: 100 }, latencyMs: [25, 75] };
const SCENES: Readonly<Record<string, Scene>> = {
  kills,
  outage,
  limit,
  revoked,
  frozen,
  stalled,
  database,
  clock,
};

const { values } = parseArgs({
  options: { only: { type: "string" }, write: { type: "boolean", default: false } },
});
const { only } = values;
if (only !== undefined && SCENES[only] === undefined) {
  throw new Error(`--only: one of ${Object.keys(SCENES).join(", ")}`);
}

const printed: string[] = [];
let missed = 0;
say(
  `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model ?? "unknown processor"}, ` +
    `${availableParallelism()} cores shared by target, command and workerd; Node ${process.versions.node}`,
);
for (const [name, scene] of Object.entries(SCENES)) {
  if (only !== undefined && only !== name) continue;
  const place = new Workspace();
  const target = await spawnTarget(TARGET);
  try {
    tell(await scene(place, target));
  } finally {
    await place.close();
    await target.close();
  }
}
if (values.write) writeDocument();
if (missed > 0) process.exitCode = 1;

function tell({ title, figures }: Told): void {
  say("", title, "", "| | | has to be | |", "| --- | ---: | ---: | --- |");
  for (const figure of figures) {
    const met = isMet(figure);
    if (!met) missed += 1;
    const verdict = figure.bound === undefined ? "" : met ? "met" : "**missed**";
    say(`| ${figure.name} | ${shown(figure.value)} | ${boundOf(figure.bound)} | ${verdict} |`);
  }
}

function boundOf(bound: Bound | undefined): string {
  if (bound === undefined) return "";
  if ("most" in bound) return `≤ ${shown(bound.most)}`;
  return "least" in bound ? `≥ ${shown(bound.least)}` : shown(bound.is);
}

function shown(value: string | number): string {
  return typeof value === "number" ? value.toLocaleString("en-US") : value;
}

function writeDocument(): void {
  const text = readFileSync(DOCUMENT, "utf8");
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`${DOCUMENT} has no place for figures`);
  writeFileSync(DOCUMENT, `${before}${BEGIN}\n\n${printed.join("\n")}\n\n${END}${after}`);
}

function say(...lines: readonly string[]): void {
  printed.push(...lines);
  process.stdout.write(`${lines.join("\n")}\n`);
}
