/**
 * `npm run demo`: the main job in half a minute, and what the other side saw of it.
 *
 * A target in a process of its own enforces 1,000 calls/s strictly; 20,000 ids go through it with the real
 * command; then the target's log is judged, not Weir's own counters. Ends with exit code 0 only if every id has
 * exactly one row. The run stays in `.weir/`, so that the commands it ends with work.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { isEnded, type RunView } from "../src/core/run/runView.ts";
import type { ArrivalLog } from "../test/support/arrivals.ts";
import { arrivalFigures } from "../test/support/neededBurst.ts";
import { spawnTarget } from "../test/support/spawnTarget.ts";

const IDS = 20_000;
const RATE_PER_SECOND = 1000;
/** What the target tolerates at one instant: a tenth of a second's worth. */
const BURST = 100;
const TOP = resolve(import.meta.dirname, "..");
const IDS_FILE = ".weir/demo-ids.txt";
const ROWS_FILE = ".weir/demo-results.jsonl";
const EXIT_WITH_FAILURES = 3;

process.chdir(TOP);
// Ctrl-C belongs to the command: it pauses its run, says how to resume, and the demo ends after it.
process.on("SIGINT", () => {});
process.exitCode = await demo();

async function demo(): Promise<number> {
  const target = await spawnTarget({
    limit: { ratePerSecond: RATE_PER_SECOND, burst: BURST },
    latencyMs: [30, 120],
    missingShare: 0.01,
    failOnceShare: 0.01,
  });
  try {
    mkdirSync(".weir", { recursive: true, mode: 0o700 });
    writeFileSync(IDS_FILE, Array.from({ length: IDS }, (_, i) => `u_${i}\n`).join(""));
    say(
      `A target on ${target.url} allows ${RATE_PER_SECOND} calls/s and answers 429 above that.`,
      "It takes 30 to 120 ms a call; 1 % of the ids do not exist (404), 1 % fail once (500).",
      "",
    );
    const url = `${target.url}/v1/users/{{item}}`;
    const { exitCode, run } = await runWeir(["--input", IDS_FILE, "--url", url, "--out", ROWS_FILE]);
    if (run === null) return exitCode === 0 ? 1 : exitCode;
    if (!isEnded(run.status)) return await abandon(run, exitCode);
    const complete = await judgeRows(run);
    judgeArrivals(await target.log(), run);
    sayNext(run.id);
    return complete && (exitCode === 0 || exitCode === EXIT_WITH_FAILURES) ? 0 : 1;
  } finally {
    await target.close();
  }
}

/** Starts the real command on this terminal; its stdout comes through a pipe, everything else is left to it. */
async function weir(args: readonly string[]): Promise<{ exitCode: number; stdout: string }> {
  const command = join("src", "cli", "weir.js");
  const child = spawn(process.execPath, [command, ...args], { stdio: ["inherit", "pipe", "inherit"] });
  const [[exitCode], stdout] = await Promise.all([once(child, "close"), text(child.stdout)]);
  return { exitCode: (exitCode as number | null) ?? 1, stdout };
}

async function runWeir(flags: readonly string[]): Promise<{ exitCode: number; run: RunView | null }> {
  const limits = ["--rate", `${RATE_PER_SECOND}/s`, "--parallel", "150", "--chunk", "50", "--name", "demo"];
  const args = ["run", ...flags, ...limits];
  const shown = args.map((arg) => (/[{}]/.test(arg) ? `'${arg}'` : arg)).join(" ");
  say(`$ npx weir ${shown}`);
  const { exitCode, stdout } = await weir([...args, "--json"]);
  return { exitCode, run: stdout.trim() === "" ? null : (JSON.parse(stdout) as RunView) };
}

/** A paused run could be resumed, but its target ends with the demo: it is cancelled. */
async function abandon(run: RunView, exitCode: number): Promise<number> {
  await weir(["cancel", run.id]);
  say("", "The target ends with the demo, so this run was cancelled; npm run demo starts anew.");
  return exitCode;
}

/** Reads the results file line by line and checks that every id has exactly one row. */
async function judgeRows(run: RunView): Promise<boolean> {
  const seen = new Uint8Array(IDS);
  const statuses = new Map<string, number>();
  let rows = 0;
  let wrong = 0;
  for await (const line of createInterface({ input: createReadStream(ROWS_FILE) })) {
    const row = JSON.parse(line) as { index: number; item: string; ok: boolean; status?: number };
    if (row.item !== `u_${row.index}` || seen[row.index] !== 0) wrong += 1;
    else seen[row.index] = 1;
    rows += 1;
    const status = row.ok ? "ok" : String(row.status ?? "no answer");
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  const missing = seen.filter((times) => times === 0).length;
  const complete = rows === IDS && wrong === 0 && missing === 0;
  const kinds = [...statuses].map(([status, count]) => `${n(count)} ${status}`).join(", ");
  say(
    "",
    complete
      ? `Rows      ${n(rows)} in ${ROWS_FILE}: one for every id (${kinds})`
      : `Rows      ${n(rows)} for ${n(IDS)} ids: ${n(missing)} missing, ${n(wrong)} wrong or doubled`,
    `Attempts  ${n(run.counts.attempts)}: ${n(run.counts.attempts - IDS)} second tries after a 500`,
  );
  return complete;
}

/** Prints what the target saw. */
function judgeArrivals(log: ArrivalLog, run: RunView): void {
  const figures = arrivalFigures(log.atMs, RATE_PER_SECOND);
  const throttled = log.statuses.filter((status) => status === 429).length;
  const perCall = run.coordinatorRequests / figures.calls;
  say(
    "",
    "What the target saw:",
    `  calls           ${n(figures.calls)} in ${(figures.spanMs / 1000).toFixed(1)} s`,
    `  calls/s         ${n(Math.round(figures.meanPerSecond))} of ${n(RATE_PER_SECOND)} allowed`,
    `  worst second    ${n(figures.mostIn[1000])} calls in any 1 s, ${n(figures.mostIn[100])} in any 100 ms`,
    `  429s            ${n(throttled)}`,
    `  needed burst    ${figures.neededBurst.toFixed(0)} (the smallest bucket that would have rejected nothing)`,
    `Coordination      ${perCall.toFixed(3)} requests per call`,
  );
}

function sayNext(run: string): void {
  say(
    "",
    "Try next:",
    `  npx weir failures ${run}     # the ids that answered 404`,
    `  npx weir status ${run}       # the run as it stands in .weir/`,
    `  npx weir plan --input ${IDS_FILE} --url 'https://api.example.com/v1/users/{{item}}' --rate 50/s`,
  );
}

function say(...lines: readonly string[]): void {
  process.stderr.write(`${lines.join("\n")}\n`);
}

function n(value: number): string {
  return value.toLocaleString("en-US");
}
