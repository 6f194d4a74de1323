/**
 * One run of the real command against a target of its own, with everything about it measured from outside:
 * arrivals by the target, memory and processor time from /proc, rows from the results file. Nothing here trusts Weir's
 * counters except `coordinatorRequests` and `operations`, which nobody else can see.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { finished } from "node:stream/promises";
import type { RunView } from "../../src/core/run/runView.ts";
import type { ArrivalLog } from "../../test/support/arrivals.ts";
import { type ArrivalFigures, arrivalFigures, usedShare } from "../../test/support/neededBurst.ts";
import { spawnTarget } from "../../test/support/spawnTarget.ts";
import type { Target, TargetOptions } from "../../test/support/targetOptions.ts";
import { type TreeFigures, type WatchedTree, watchTree } from "./watchedTree.ts";

const COMMAND = resolve(import.meta.dirname, "../../src/cli/weir.js");
const LOOK_MS = 50;
/** Left out of the used share: the first grants find a full bucket and cold code. */
const WARM_UP_MS = 2000;
/** A command that has not ended after this hangs: the measurement ends with it, and its scene. */
const MOST_MS = 4 * 60_000;

/** What happens to a run while it is measured. */
export interface Meddling {
  readonly target: Target;
  readonly pid: number;
  readonly folder: string;
  readonly tree: WatchedTree;
  readonly isRunning: () => boolean;
  /** Resolves when the target has had so many calls, or the command has ended. */
  calls(atLeast: number): Promise<void>;
  /** Resolves after this, or when the command has ended. */
  wait(ms: number): Promise<void>;
}

export interface RunToMeasure {
  /** A file of so many ids, or with `range` the numbers below it. */
  readonly ids: number;
  readonly range?: boolean;
  readonly flags: readonly string[];
  readonly target: TargetOptions;
  /** Rate against which needed burst and used share are told; null: none is told. */
  readonly ratePerSecond: number | null;
  /** Where calls go instead of straight to the target, given the target's address. */
  readonly through?: (url: string) => string;
  readonly during?: (meddling: Meddling) => Promise<void>;
  /** For runs that may last; absent: minutes. */
  readonly mostMs?: number;
  /** With the folder of a run that completed, while what it left is still there. */
  readonly afterwards?: (folder: string, run: string) => Promise<void>;
}

export interface Measured {
  readonly run: RunView;
  readonly arrivals: ArrivalFigures;
  readonly log: ArrivalLog;
  readonly throttled: number;
  /** Most calls in flight at the target. */
  readonly inFlight: number;
  /** Share of the allowed rate used, whole seconds after the warm-up. */
  readonly share: number;
  /** Rows; how many ids have none, and how many rows are one too many; null for an interrupted run. */
  readonly rows: { readonly count: number; readonly lost: number; readonly doubled: number } | null;
  /** From the start of the command to the target's first arrival. */
  readonly firstCallMs: number;
  readonly tree: TreeFigures;
  /** Processor time of the process tree by call, milliseconds. */
  readonly cpuMsPerCall: number;
  /** Share of one core the target used between first and last call: near 1 the figures say nothing. */
  readonly targetCpu: number;
}

/** Makes the input, runs the command, and removes everything but the figures. */
export async function measureRun(options: RunToMeasure): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), "weir-bench-"));
  const target = await spawnTarget({ ...options.target, warm: true });
  try {
    if (options.range === true) await writeRange(join(folder, "spec.json"), options.ids);
    else await writeIds(join(folder, "ids.txt"), options.ids);
    return await measureIn(folder, target, options);
  } finally {
    await target.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureIn(folder: string, target: Target, options: RunToMeasure): Promise<Measured> {
  const url = `${(options.through ?? same)(target.url)}/v1/users/{{item}}`;
  const source = options.range === true ? ["spec.json"] : ["--input", "ids.txt"];
  const args = ["run", ...source, "--url", url, "--out", "rows.jsonl", "--json", ...options.flags];
  const startedAtMs = Date.now();
  const child = spawn(process.execPath, [COMMAND, ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: options.mostMs ?? MOST_MS,
  });
  const pid = child.pid as number;
  const tree = watchTree([pid]);
  const ended = Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]);
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const meddled = options.during?.({ target, pid, folder, tree, isRunning, ...patience(target, isRunning) });
  const [[exitCode], stdout, stderr] = await ended;
  await meddled;
  const figures = tree.stop();
  if (stdout.trim() === "") throw new Error(`weir ended with ${exitCode}: ${stderr}`);

  const run = JSON.parse(stdout) as RunView;
  if (run.status === "completed") await options.afterwards?.(folder, run.id);
  const stats = await target.stats();
  const log = await target.log();
  const ratePerSecond = options.ratePerSecond ?? Number.NaN;
  const arrivals = arrivalFigures(log.atMs, ratePerSecond);
  return {
    run,
    arrivals,
    log,
    throttled: stats.perStatus["429"] ?? 0,
    inFlight: stats.maxInFlight,
    share: usedShare(log.atMs, log.statuses, { ratePerSecond, warmUpMs: WARM_UP_MS }),
    rows: run.status === "completed" ? await countRows(join(folder, "rows.jsonl"), options.ids) : null,
    firstCallMs: (stats.firstAtEpochMs ?? Number.NaN) - startedAtMs,
    tree: figures,
    cpuMsPerCall: figures.cpuMs / arrivals.calls,
    targetCpu: stats.cpuMs / arrivals.spanMs,
  };
}

function same(url: string): string {
  return url;
}

function patience(target: Target, isRunning: () => boolean): Pick<Meddling, "calls" | "wait"> {
  return {
    calls: async (atLeast) => {
      while (isRunning() && (await target.stats()).calls < atLeast) await sleep(LOOK_MS);
    },
    wait: async (ms) => {
      const untilMs = performance.now() + ms;
      while (isRunning() && performance.now() < untilMs) await sleep(LOOK_MS);
    },
  };
}

/** Ctrl-C so long after the first call. */
export function interruptAfter(ms: number): NonNullable<RunToMeasure["during"]> {
  return async ({ calls, wait, isRunning, pid }) => {
    await calls(1);
    await wait(ms);
    if (isRunning()) process.kill(pid, "SIGINT");
  };
}

export async function writeIds(path: string, count: number): Promise<void> {
  const file = createWriteStream(path);
  for (let first = 0; first < count; first += 10_000) {
    const length = Math.min(10_000, count - first);
    const lines = Array.from({ length }, (_, i) => `u_${first + i}\n`).join("");
    if (!file.write(lines)) await once(file, "drain");
  }
  file.end();
  await finished(file);
}

async function writeRange(path: string, to: number): Promise<void> {
  await writeFile(path, JSON.stringify({ source: { kind: "range", from: 0, to }, task: { kind: "http" } }));
}

async function countRows(path: string, ids: number): Promise<Measured["rows"]> {
  const seen = new Uint8Array(ids);
  let count = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const { index } = JSON.parse(line) as { index: number };
    seen[index] = Math.min(2, (seen[index] ?? 1) + 1);
    count += 1;
  }
  const lost = seen.filter((times) => times === 0).length;
  return { count, lost, doubled: count - (ids - lost) };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
