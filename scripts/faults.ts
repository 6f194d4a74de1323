/**
 * `npm run faults`: figures of runs in bad weather, measured with the real command against a target in another
 * process. Prints; asserts nothing; writes nothing unless told to. A quarter of an hour in all.
 *
 *   --only kills|outage|limit|revoked    one of them
 *   --write                              puts what was printed into docs/benchmarks.md
 */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { RunView } from "../src/core/runView.ts";
import type { ArrivalLog } from "../test/support/arrivals.ts";
import { killAndResume, repeatedCalls, wrongRows } from "../test/support/killedRun.ts";
import { neededBurst } from "../test/support/neededBurst.ts";
import { spawnTarget } from "../test/support/spawnTarget.ts";
import type { Target, TargetOptions } from "../test/support/targetOptions.ts";
import { until } from "../test/support/until.ts";
import { type Finished, idLines, type WeirProcess, Workspace } from "../test/support/weir.ts";

const DOCUMENT = resolve(import.meta.dirname, "../docs/benchmarks.md");
const BEGIN = "<!-- figures: npm run faults -- --write -->";
const END = "<!-- end of figures of faults -->";
const FLAGS = ["--rate", "1000/s", "--parallel", "100", "--chunk", "200"];
const TARGET: TargetOptions = { limit: { ratePerSecond: 1000, burst: 100 }, latencyMs: [25, 75] };

const { values } = parseArgs({
  options: { only: { type: "string" }, write: { type: "boolean", default: false } },
});

const SCENES: Readonly<Record<string, (place: Workspace, target: Target) => Promise<void>>> = {
  kills,
  outage,
  limit,
  revoked,
};

const printed: string[] = [];
say(
  `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model ?? "unknown processor"}, ` +
    `${availableParallelism()} cores shared by target, command and workerd; Node ${process.versions.node}`,
);
for (const [name, scene] of Object.entries(SCENES)) {
  if (values.only !== undefined && values.only !== name) continue;
  const place = new Workspace();
  const target = await spawnTarget(TARGET);
  try {
    await scene(place, target);
  } finally {
    await place.close();
    await target.close();
  }
}
if (values.write) writeDocument();

/** The whole process tree killed ten times in one run, at random moments. */
async function kills(place: Workspace, target: Target): Promise<void> {
  const ids = 20_000;
  say(
    "",
    `**20,000 ids at 1,000/s, \`kill -9\` of the whole process tree ten times**, then \`--resume\``,
    "",
  );
  const options = { ids, kills: 10, withinMs: 7000, flags: FLAGS, random: Math.random };
  const killed = await killAndResume(place, target, options);
  const rest = options.kills - killed.kills;
  figures([
    ["exit code of the last start", killed.ended.exitCode ?? -1],
    ["kills", killed.kills],
    ...(rest === 0 ? [] : [["kills not made: the run had ended", rest] as const]),
    ["from start to kill, s", killed.moments.map((ms) => (ms / 1000).toFixed(1)).join(" ")],
    ["rows", killed.rows.length],
    ["ids without exactly one row", wrongRows(killed.rows, ids)],
    ["calls repeated (bound: 10 × 100 lanes × 100 rows a checkpoint)", repeatedCalls(killed.log)],
    ["most calls in flight at the target (limit 100)", killed.stats.maxInFlight],
    ["needed burst, calls (bound 76)", neededBurst(killed.log.atMs, 1000).toFixed(1)],
    ["answered 429", killed.stats.perStatus["429"] ?? 0],
  ]);
}

/** The target refuses connections for ten seconds in the middle. */
async function outage(place: Workspace, target: Target): Promise<void> {
  const ids = 20_000;
  say("", "**20,000 ids at 1,000/s, target down for 10 s in the middle**, default settings", "");
  const running = start(place, target, ids);
  await calls(target, ids / 2);
  await target.set({ down: true });
  await pause(10_000);
  await target.set({ down: false });
  const upAt = Date.now();
  const ended = await running.finished();
  const log = await target.log();
  const since = log.atMs.filter((atMs) => atMs > upAt - log.originEpochMs);
  const fullAt = since.find((atMs, i) => (since[i + 900] ?? Number.POSITIVE_INFINITY) - atMs < 1000);
  const run = viewOf(ended);
  figures([
    ["exit code", ended.exitCode ?? -1],
    ["failed rows", run.counts.failed],
    ["ids without exactly one row", wrongRows(place.rows("rows.jsonl"), ids)],
    ["needed burst, calls (bound 76)", neededBurst(log.atMs, 1000).toFixed(1)],
    ["needed burst from the end of the outage on", neededBurst(since, 1000).toFixed(1)],
    ["answered 429", (await target.stats()).perStatus["429"] ?? 0],
    ["end of the outage to first call, s", secondsAfter(log, upAt, since[0])],
    ["end of the outage to 900 calls/s, s", secondsAfter(log, upAt, fullAt)],
  ]);
}

/** We are told twice what the target allows; later it allows what we were told. */
async function limit(place: Workspace, target: Target): Promise<void> {
  say(
    "",
    "**Told 1,000/s, the target allows 500/s** (burst 100, 100 lanes); after 70 s it allows 1,000/s",
    "",
  );
  await target.set({ limit: { ratePerSecond: 500, burst: 100 } });
  const running = start(place, target, 200_000);
  await calls(target, 1);
  await pause(70_000);
  await target.set({ limit: { ratePerSecond: 1000, burst: 100 } });
  const raisedAt = Date.now();
  await pause(65_000);
  running.interrupt();
  const ended = await running.finished();

  const log = await target.log();
  const first = log.atMs[0] ?? 0;
  const raised = raisedAt - log.originEpochMs;
  const between = (fromMs: number, toMs: number) => {
    const statuses = log.statuses.filter((_, i) => (log.atMs[i] ?? 0) >= fromMs && (log.atMs[i] ?? 0) < toMs);
    const rejected = statuses.filter((status) => status === 429).length;
    return { calls: statuses.length, rejected, accepted: statuses.length - rejected };
  };
  const start10 = between(first, first + 10_000);
  const next60 = between(first + 10_000, first + 70_000);
  let backMs = 3000;
  while (backMs < 65_000 && between(raised + backMs - 3000, raised + backMs).accepted < 2700) backMs += 100;
  figures([
    ["exit code (5: stopped by Ctrl-C)", ended.exitCode ?? -1],
    ["rejected in the first 10 s (bound 300)", start10.rejected],
    ["rejected in the next 60 s, % of calls (bound 2)", ((100 * next60.rejected) / next60.calls).toFixed(2)],
    ["of the true limit used in them, % (bound 90)", ((100 * next60.accepted) / 30_000).toFixed(1)],
    ["limit raised to above 900/s over 3 s, s (bound 60)", (backMs / 1000).toFixed(1)],
    ["failed rows", viewOf(ended).counts.failed],
  ]);
}

/** The key is revoked in the middle, and later put right. */
async function revoked(place: Workspace, target: Target): Promise<void> {
  const ids = 10_000;
  say("", "**10,000 ids, 401 from call 3,001 on**; later the key is good again", "");
  await target.set({ refuseFromCall: 3001 });
  const paused = await start(place, target, ids, ["--rate", "200/s", "--parallel", "20"]).finished();
  const refused = async () => (await target.stats()).perStatus["401"] ?? 0;
  const first = await refused();
  const { id } = viewOf(paused);
  // The same at full speed: then more calls are under way when the first refusal comes.
  const fast = await place.weir(["run", "--resume", id, "--json", ...FLAGS.slice(0, 4)]);
  const second = (await refused()) - first;
  await target.set({ refuseFromCall: Number.MAX_SAFE_INTEGER });
  const resumed = await place.weir(["run", "--resume", id, "--out", "rows.jsonl", "--json"]);
  figures([
    ["exit code (5: it waits), status", `${paused.exitCode}, ${viewOf(paused).status}`],
    ["calls refused before the pause, 200/s with 20 lanes (bound 40)", first],
    ["calls refused before it paused again, resumed at 1,000/s with 100 lanes", second],
    ["failed rows at the two pauses", viewOf(paused).counts.failed + viewOf(fast).counts.failed],
    ["exit code of the resume with a good key", resumed.exitCode ?? -1],
    ["failed rows at the end", viewOf(resumed).counts.failed],
    ["ids without exactly one row", wrongRows(place.rows("rows.jsonl"), ids)],
  ]);
}

function start(place: Workspace, target: Target, ids: number, flags: readonly string[] = FLAGS): WeirProcess {
  place.write("ids.txt", idLines(ids));
  const url = `${target.url}/v1/users/{{item}}`;
  return place.start(["run", "--input", "ids.txt", "--url", url, "--out", "rows.jsonl", "--json", ...flags]);
}

async function calls(target: Target, atLeast: number): Promise<void> {
  await until(`${atLeast} calls`, async () => (await target.stats()).calls >= atLeast, 60_000);
}

function viewOf(ended: Finished): RunView {
  if (ended.stdout.trim() === "") throw new Error(`weir ended with ${ended.exitCode}: ${ended.stderr}`);
  return JSON.parse(ended.stdout) as RunView;
}

function secondsAfter(log: ArrivalLog, epochMs: number, atMs: number | undefined): string {
  return atMs === undefined ? "never" : ((atMs + log.originEpochMs - epochMs) / 1000).toFixed(2);
}

function figures(rows: readonly (readonly [name: string, value: string | number])[]): void {
  say("| | |", "| --- | ---: |");
  for (const [name, value] of rows) {
    say(`| ${name} | ${typeof value === "number" ? value.toLocaleString("en-US") : value} |`);
  }
}

function writeDocument(): void {
  const text = readFileSync(DOCUMENT, "utf8");
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`${DOCUMENT} has no place for figures`);
  writeFileSync(DOCUMENT, `${before}${BEGIN}\n\n${printed.join("\n")}\n\n${END}${after}`);
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

function say(...lines: readonly string[]): void {
  printed.push(...lines);
  process.stdout.write(`${lines.join("\n")}\n`);
}
