/**
 * Size: millions of ids for real, what planning and download take, and whether an item costs the same in small runs and
 * in large ones.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { lineChart } from "../chart.ts";
import { type Journal, shown } from "../journal.ts";
import { interruptAfter, type Measured, measureRun } from "../measuredRun.ts";
import type { Scene, Stage } from "../scene.ts";

const COMMAND = resolve(import.meta.dirname, "../../../src/cli/weir.js");
const MILLIONS = 2_000_000;
/**
 * Of what is reached without a quota just before, by so many ids: a minute or more, because a machine that shares its
 * caches with others is now fast and now slow for tens of seconds.
 */
const SHARE_OF_UNCAPPED = 0.8;
const UNCAPPED_IDS = 400_000;
/** When the machine is slow. */
const LEAST_PER_SECOND = 1000;
const LANES = 100;
const FLAGS = ["--parallel", String(LANES), "--chunk", "1000"];
/** For start, join and download, and what other scenes still need. */
const MOST_BESIDES_MS = 60_000;
const MOST_AFTERWARDS_MS = 120_000;

export const large: Scene = {
  name: "large",
  minutes: 12,
  async play(journal, stage) {
    const before = await measureUncapped();
    const { meanPerSecond } = before.arrivals;
    const rate = Math.max(LEAST_PER_SECOND, 100 * Math.floor((SHARE_OF_UNCAPPED * meanPerSecond) / 100));
    const leftMs = Math.max(
      MOST_BESIDES_MS,
      stage.untilMs - Date.now() - MOST_BESIDES_MS - MOST_AFTERWARDS_MS,
    );
    const ids = Math.min(MILLIONS, 10_000 * Math.floor((rate * leftMs * 0.8) / 1000 / 10_000));
    journal.say(
      "",
      `**${shown(ids)} ids for real, quota ${shown(rate)}/s** (80 % of ${shown(meanPerSecond)}/s reached just before without one, with ${shown(UNCAPPED_IDS)} ids; target only observes, answers at once)` +
        (ids < MILLIONS ? `; ${shown(MILLIONS)} would not have ended in time` : ""),
    );
    let download = { mb: Number.NaN, seconds: Number.NaN };
    const run = await measureRun({
      ids,
      flags: ["--rate", `${rate}/s`, ...FLAGS],
      target: {},
      ratePerSecond: rate,
      mostMs: leftMs + MOST_BESIDES_MS,
      afterwards: async (folder, id) => {
        download = await downloaded(folder, id);
      },
    });
    stage.seen.large = run;
    const after = await measureUncapped();
    journal.table(
      ["", "seen"],
      [
        ["rows", shown(run.rows?.count ?? Number.NaN)],
        ["rows lost or doubled", shown((run.rows?.lost ?? Number.NaN) + (run.rows?.doubled ?? Number.NaN))],
        ["share of the quota used, %", shown(100 * run.share, 2)],
        ["needed burst, calls", shown(run.arrivals.neededBurst, 1)],
        ["coordinator requests per call", shown(run.run.coordinatorRequests / run.arrivals.calls, 3)],
        ["start of the command to first call, s", shown(run.firstCallMs / 1000, 2)],
        ["without a quota just before, calls/s", shown(meanPerSecond)],
        ["without a quota just after, calls/s", shown(after.arrivals.meanPerSecond)],
        [
          "CPU of the process tree without a quota, µs per call: before, after",
          `${cpuUs(before)}, ${cpuUs(after)}`,
        ],
        ["results downloaded, MB/s", `${shown(download.mb / download.seconds)} (${shown(download.mb)} MB)`],
      ],
    );
    journal.table(
      [
        "minute of calls",
        "share of the quota used, %",
        "CPU of the process tree, µs per call",
        "most memory, MB",
      ],
      byMinute(run, rate),
    );
    const sampled = run.tree.samples.filter((_, i) => i % 50 === 0);
    const memory = [{ name: "resident, MB", values: sampled.map(({ rss }) => rss / 1e6) }];
    journal.chart(
      "memory",
      "Memory of the process tree over the run",
      lineChart("Memory of the process tree, MB", memory, { stepName: "times 5 s" }),
    );
  },
};

interface Plot {
  readonly ids: number;
  readonly chunk: number;
  /** Of a range: no file of lines, so that only chunks and items are new. */
  readonly range: boolean;
}

const PLOTS: readonly Plot[] = [
  { ids: 2000, chunk: 200, range: true },
  { ids: 20_000, chunk: 200, range: true },
  { ids: 200_000, chunk: 1000, range: true },
  { ids: 2_000_000, chunk: 1000, range: true },
  { ids: 20_000_000, chunk: 1000, range: true },
  { ids: 20_000_000, chunk: 200, range: true },
  { ids: 2_000_000, chunk: 1000, range: false },
  { ids: 20_000_000, chunk: 1000, range: false },
];
/** A large run is looked at for so long and then broken off: an item's cost shows after a few thousand. */
const LOOKED_MS = 8000;

export const flat: Scene = {
  name: "flat",
  minutes: 1.5,
  async play(journal: Journal, stage: Stage) {
    journal.say(
      "",
      `**The cost of an item, from ${shown(2000)} to ${shown(20_000_000)} items**: no quota, ${LANES} lanes, ` +
        `broken off ${LOOKED_MS / 1000} s after the first call`,
    );
    const rows: string[][] = [];
    for (const plot of PLOTS) {
      if (Date.now() + 60_000 > stage.untilMs) {
        rows.push([
          shown(plot.ids),
          shown(plot.ids / plot.chunk),
          "not run: out of time",
          "",
          "",
          "",
          "",
          "",
        ]);
        continue;
      }
      rows.push(plotRow(plot, await look(plot)));
    }
    journal.table(
      [
        "items",
        "chunks",
        "source",
        "start to first call, s",
        "calls/s",
        "CPU ms per call",
        "peak MB",
        "coordinator requests per call",
      ],
      rows,
    );
  },
};

function look(plot: Plot): Promise<Measured> {
  return measureRun({
    ids: plot.ids,
    range: plot.range,
    flags: ["--parallel", String(LANES), "--chunk", String(plot.chunk)],
    target: {},
    ratePerSecond: null,
    during: interruptAfter(LOOKED_MS),
  });
}

function plotRow(plot: Plot, run: Measured): string[] {
  return [
    shown(plot.ids),
    shown(plot.ids / plot.chunk),
    plot.range ? "range" : "lines",
    shown(run.firstCallMs / 1000, 2),
    shown(run.arrivals.meanPerSecond),
    shown(run.cpuMsPerCall, 2),
    shown(run.tree.peakRss / 1e6),
    shown(run.run.coordinatorRequests / run.arrivals.calls, 3),
  ];
}

function measureUncapped(): Promise<Measured> {
  return measureRun({ ids: UNCAPPED_IDS, flags: FLAGS, target: {}, ratePerSecond: null });
}

function cpuUs(run: Measured): string {
  return shown(1000 * run.cpuMsPerCall);
}

const MINUTE_MS = 60_000;

/** The whole minutes from the first call on, and a last line for what follows the last of them: join and download too. */
function byMinute({ log, tree }: Measured, ratePerSecond: number): string[][] {
  const firstMs = log.originEpochMs + (log.atMs[0] ?? Number.NaN);
  const lastMs = log.originEpochMs + (log.atMs.at(-1) ?? Number.NaN);
  const rows: string[][] = [];
  for (let fromMs = firstMs; fromMs < lastMs; fromMs += MINUTE_MS) {
    const isWhole = fromMs + MINUTE_MS <= lastMs;
    const toMs = isWhole ? fromMs + MINUTE_MS : Number.POSITIVE_INFINITY;
    const samples = tree.samples.filter(({ atEpochMs }) => atEpochMs >= fromMs && atEpochMs < toMs);
    const calls = log.atMs.filter((atMs) => {
      const atEpochMs = log.originEpochMs + atMs;
      return atEpochMs >= fromMs && atEpochMs < toMs;
    }).length;
    const cpuMs = (samples.at(-1)?.cpuMs ?? 0) - (samples[0]?.cpuMs ?? 0);
    rows.push([
      isWhole ? shown(rows.length + 1) : "after it, with join",
      isWhole ? shown((100 * calls * 1000) / (ratePerSecond * MINUTE_MS), 2) : "",
      isWhole ? shown((1000 * cpuMs) / calls) : "",
      shown(samples.reduce((most, { rss }) => Math.max(most, rss), 0) / 1e6),
    ]);
  }
  return rows;
}

/** `weir results` into a file, from the embedded runtime that is started for it: only the transfer is timed. */
async function downloaded(folder: string, id: string): Promise<{ mb: number; seconds: number }> {
  const child = spawn(process.execPath, [COMMAND, "results", id], {
    cwd: folder,
    stdio: ["ignore", "pipe", "ignore"],
  });
  let bytes = 0;
  let firstMs = Number.NaN;
  child.stdout.on("data", (piece: Buffer) => {
    if (bytes === 0) firstMs = performance.now();
    bytes += piece.byteLength;
  });
  await once(child, "close");
  const whole = statSync(join(folder, "rows.jsonl")).size;
  if (bytes !== whole) throw new Error(`${bytes} bytes were downloaded of ${whole}`);
  return { mb: bytes / 1e6, seconds: (performance.now() - firstMs) / 1000 };
}
