/**
 * One run of the real command against a target of its own, with everything about it measured from outside:
 * arrivals by the target, memory from /proc, rows from the results file. Nothing here trusts Weir's counters
 * except `coordinatorRequests`, which nobody else can see.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { finished } from "node:stream/promises";
import type { RunView } from "../src/core/runView.ts";
import { type ArrivalFigures, arrivalFigures } from "../test/support/neededBurst.ts";
import { isAlive, killAll, memoryOf, processTree } from "../test/support/processTree.ts";
import { spawnTarget } from "../test/support/spawnTarget.ts";
import type { Target, TargetOptions } from "../test/support/targetOptions.ts";

const COMMAND = resolve(import.meta.dirname, "../src/cli/weir.js");
const SAMPLE_MS = 100;

export interface RunToMeasure {
  readonly ids: number;
  readonly flags: readonly string[];
  readonly target: TargetOptions;
  /** Rate against which the needed burst is told. */
  readonly ratePerSecond: number;
  /** Ctrl-C this long after the first call; absent: the run goes to its end. */
  readonly interruptAfterMs?: number;
}

export interface Measured {
  readonly run: RunView;
  readonly arrivals: ArrivalFigures;
  readonly throttled: number;
  /** Rows, and how many ids have none or more than one; null for an interrupted run. */
  readonly rows: { readonly count: number; readonly wrong: number } | null;
  /** From the start of the command to the target's first arrival. */
  readonly firstCallMs: number;
  /** Peak over the command's process tree, bytes. */
  readonly peakRss: number;
  readonly peakAnonymous: number;
  /** Share of one core the target used between first and last call: near 1 the figures say nothing. */
  readonly targetCpu: number;
}

/** Makes the input, runs the command, and removes everything but the figures. */
export async function measureRun(options: RunToMeasure): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), "weir-bench-"));
  const target = await spawnTarget(options.target);
  try {
    await writeIds(join(folder, "ids.txt"), options.ids);
    return await measureIn(folder, target, options);
  } finally {
    await target.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureIn(folder: string, target: Target, options: RunToMeasure): Promise<Measured> {
  const url = `${target.url}/v1/users/{{item}}`;
  const args = ["run", "--input", "ids.txt", "--url", url, "--out", "rows.jsonl", "--json", ...options.flags];
  const startedAtMs = Date.now();
  const child = spawn(process.execPath, [COMMAND, ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const peak = samplePeak(child.pid as number);
  const ended = Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]);
  const interrupted =
    options.interruptAfterMs === undefined
      ? null
      : interruptLater(child.pid as number, target, options.interruptAfterMs, () => child.exitCode === null);
  const [[exitCode], stdout, stderr] = await ended;
  await interrupted;
  const { rss, anonymous } = peak.stop();
  if (stdout.trim() === "") throw new Error(`weir ended with ${exitCode}: ${stderr}`);

  const stats = await target.stats();
  const log = await target.log();
  const arrivals = arrivalFigures(log.atMs, options.ratePerSecond);
  return {
    run: JSON.parse(stdout) as RunView,
    arrivals,
    throttled: stats.perStatus["429"] ?? 0,
    rows: interrupted === null ? await countRows(join(folder, "rows.jsonl"), options.ids) : null,
    firstCallMs: (stats.firstAtEpochMs ?? Number.NaN) - startedAtMs,
    peakRss: rss,
    peakAnonymous: anonymous,
    targetCpu: stats.cpuMs / arrivals.spanMs,
  };
}

async function interruptLater(
  pid: number,
  target: Target,
  afterMs: number,
  isRunning: () => boolean,
): Promise<void> {
  while (isRunning() && (await target.stats()).calls === 0) await sleep(SAMPLE_MS);
  const untilMs = performance.now() + afterMs;
  while (isRunning() && performance.now() < untilMs) await sleep(SAMPLE_MS);
  if (isRunning()) process.kill(pid, "SIGINT");
}

/** Samples the memory of a process tree until stopped; then makes sure that nothing of it lives on. */
function samplePeak(pid: number): { stop(): { rss: number; anonymous: number } } {
  let rss = 0;
  let anonymous = 0;
  const seen = new Set<number>();
  const timer = setInterval(() => {
    const tree = processTree(pid);
    for (const member of tree) seen.add(member);
    const now = memoryOf(tree);
    rss = Math.max(rss, now.rss);
    anonymous = Math.max(anonymous, now.anonymous);
  }, SAMPLE_MS);
  return {
    stop: () => {
      clearInterval(timer);
      killAll([...seen].filter((member) => member !== pid && isAlive(member)));
      return { rss, anonymous };
    },
  };
}

async function writeIds(path: string, count: number): Promise<void> {
  const file = createWriteStream(path);
  for (let first = 0; first < count; first += 10_000) {
    const length = Math.min(10_000, count - first);
    const lines = Array.from({ length }, (_, i) => `u_${first + i}\n`).join("");
    if (!file.write(lines)) await once(file, "drain");
  }
  file.end();
  await finished(file);
}

async function countRows(path: string, ids: number): Promise<{ count: number; wrong: number }> {
  const seen = new Uint8Array(ids);
  let count = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const { index } = JSON.parse(line) as { index: number };
    seen[index] = Math.min(2, (seen[index] ?? 1) + 1);
    count += 1;
  }
  return { count, wrong: seen.filter((times) => times !== 1).length };
}

function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
