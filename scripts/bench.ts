/**
 * `npm run bench`: the figures of the main job, measured with the real command against a target in another
 * process. Prints; asserts nothing; writes nothing unless told to.
 *
 *   --only main|large    one of the two
 *   --repeat 3           how often the main job is run; medians are printed, with least and most
 *   --seconds 60         how long the large one goes on before Ctrl-C
 *   --write              puts what was printed into docs/benchmarks.md
 */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Measured, measureRun } from "./measuredRun.ts";

const DOCUMENT = resolve(import.meta.dirname, "../docs/benchmarks.md");
const BEGIN = "<!-- figures: npm run bench -- --write -->";
const END = "<!-- end of figures -->";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    repeat: { type: "string", default: "3" },
    seconds: { type: "string", default: "60" },
    write: { type: "boolean", default: false },
  },
});

type Figure = readonly [name: string, of: (run: Measured) => number, digits: number];

const placeFigures: readonly Figure[] = [
  ["start of the command to first call, s", (run) => run.firstCallMs / 1000, 2],
  ["peak memory of the process tree, MB", (run) => run.peakRss / 1e6, 0],
  ["of it not shared with files, MB", (run) => run.peakAnonymous / 1e6, 0],
  ["CPU of the target, % of a core", (run) => 100 * run.targetCpu, 0],
];

const printed: string[] = [];
say(
  `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model ?? "unknown processor"}, ` +
    `${availableParallelism()} cores shared by target, command and workerd; ` +
    `Node ${process.versions.node}; load before the start ${loadavg()[0]?.toFixed(1)}`,
);
const mains = values.only === "large" ? [] : await runMain(Number(values.repeat));
if (values.only !== "main") await runLarge(mains, Number(values.seconds));
if (values.write) writeDocument();

/** 20,000 ids at 1,000/s, strictly enforced. */
async function runMain(times: number): Promise<Measured[]> {
  say("", `**20,000 ids at 1,000/s** (target: 1,000/s with burst 100, 25–75 ms), ${times} runs`, "");
  const runs: Measured[] = [];
  for (let i = 0; i < times; i++) {
    runs.push(
      await measureRun({
        ids: 20_000,
        flags: ["--rate", "1000/s", "--parallel", "100", "--chunk", "200"],
        target: { limit: { ratePerSecond: 1000, burst: 100 }, latencyMs: [25, 75] },
        ratePerSecond: 1000,
      }),
    );
    process.stderr.write(`main job ${i + 1} of ${times} done\n`);
  }
  table(runs, [
    ["rows", (run) => run.rows?.count ?? 0, 0],
    ["ids without exactly one row", (run) => run.rows?.wrong ?? 0, 0],
    ["answered 429, % of calls", (run) => (100 * run.throttled) / run.arrivals.calls, 2],
    ["needed burst, calls", (run) => run.arrivals.neededBurst, 1],
    ["first to last call, s", (run) => run.arrivals.spanMs / 1000, 2],
    ["calls/s", (run) => run.arrivals.meanPerSecond, 1],
    ["most in any 10 ms", (run) => run.arrivals.mostIn[10], 0],
    ["most in any 100 ms", (run) => run.arrivals.mostIn[100], 0],
    ["most in any 1 s", (run) => run.arrivals.mostIn[1000], 0],
    ["coordinator requests per call", (run) => run.run.coordinatorRequests / run.arrivals.calls, 3],
    ...placeFigures,
  ]);
  return runs;
}

/** 2,000,000 ids: does size change the start or the memory? */
async function runLarge(mains: readonly Measured[], seconds: number): Promise<void> {
  say("", `**2,000,000 ids** (a file of lines, 2,000 chunks, 1,000/s), stopped after ${seconds} s`, "");
  const large = await measureRun({
    ids: 2_000_000,
    flags: ["--rate", "1000/s", "--parallel", "100", "--chunk", "1000"],
    target: { limit: { ratePerSecond: 1000, burst: 100 }, latencyMs: [25, 75] },
    ratePerSecond: 1000,
    interruptAfterMs: seconds * 1000,
  });
  table(
    [large],
    [
      ["items planned", (run) => run.run.counts.items ?? 0, 0],
      ["chunks planned", (run) => run.run.chunks.total, 0],
      ["answered 429, % of calls", (run) => (100 * run.throttled) / run.arrivals.calls, 2],
      ["needed burst, calls", (run) => run.arrivals.neededBurst, 1],
      ["calls/s", (run) => run.arrivals.meanPerSecond, 1],
      ["coordinator requests per call", (run) => run.run.coordinatorRequests / run.arrivals.calls, 3],
      ...placeFigures,
    ],
  );
  if (mains.length === 0) return;
  const ratio = large.peakRss / median(mains.map((run) => run.peakRss));
  say("", `Peak memory of the large run over the main job's: ${ratio.toFixed(2)}`);
}

/** A Markdown table of medians, least and most. */
function table(runs: readonly Measured[], figures: readonly Figure[]): void {
  say("| | median | least | most |", "| --- | ---: | ---: | ---: |");
  for (const [name, of, digits] of figures) {
    const all = runs.map(of);
    const [mid, least, most] = [median(all), Math.min(...all), Math.max(...all)].map((value) =>
      value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }),
    );
    say(`| ${name} | ${mid} | ${least} | ${most} |`);
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
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
