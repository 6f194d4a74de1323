/** What people use today, measured beside Weir in one go on one machine. */
import { spawnSync } from "node:child_process";
import { type Bar, barChart } from "../chart.ts";
import { median, shown, withSpread } from "../journal.ts";
import { type Measured, measureRun } from "../measuredRun.ts";
import { type Contest, contest, PEERS } from "../peers/contest.ts";
import { CONTESTANTS, type Contestant } from "../peers/contestants.ts";
import type { Scene } from "../scene.ts";
import { FAIR_FLAGS, LOG_NORMAL } from "./fair.ts";
import { FROZEN_MS, type Frozen, freezeOnce } from "./frozen.ts";

const HEAD = [
  "who",
  "setting",
  "rate used, %",
  "429 of 20,000",
  "needed burst",
  "most in 10 ms",
  "100 ms",
  "1 s",
  "in flight",
  "messages per call",
  "lost",
  "doubled",
  "CPU ms per call",
  "peak MB",
];

/** What both sides of the comparison have. */
type Row = Omit<Contest, "tree"> & { readonly peakRss: number };

/**
 * Installs the peers from their own lock. `npm ci` refuses a lock whose optional packages for other platforms a registry
 * does not have; `npm install` takes the same versions then. False: neither worked, said on the terminal.
 */
export function installPeers(): boolean {
  const installs = (command: string[], stdio: "ignore" | "inherit") =>
    spawnSync("npm", [...command, "--no-audit", "--no-fund"], { cwd: PEERS, stdio }).status === 0;
  return installs(["ci"], "ignore") || installs(["install", "--no-save"], "inherit");
}

export const peers: Scene = {
  name: "peers",
  minutes: 18,
  async play(journal, stage) {
    journal.say(
      "",
      `**20,000 ids at 1,000/s** (target: GCRA 1,000/s burst 100, log-normal around 150 ms; DBOS: 4,000 at 200/s), ` +
        `${stage.repeat} runs each, medians with least and most. A peer does not repeat a refused call, so a 429 is a ` +
        "lost row; the Python loop repeats.",
    );
    const rows: string[][] = [];
    const ours: Row[] = [];
    for (let i = 0; i < stage.repeat; i++) ours.push(rowOf(await measureWeir()));
    rows.push(cells("**Weir**", "`--rate 1000/s --parallel 250`", ours));
    const bars = [barOf("Weir", ours)];
    for (const peer of CONTESTANTS) {
      const seen = await repeated(peer, stage.repeat);
      if (typeof seen === "string") {
        rows.push([peer.name, peer.setting, seen, ...HEAD.slice(3).map(() => "")]);
        continue;
      }
      rows.push(cells(peer.name, peer.setting, seen));
      bars.push(barOf(`${peer.name}, ${peer.setting.replaceAll("`", "")}`, seen));
    }
    journal.table(HEAD, rows);
    journal.chart(
      "peers",
      "Needed burst of Weir and its peers",
      barChart("Needed burst at the target, calls (less is more even)", bars, 1),
    );
    journal.say(
      "",
      "*messages*: requests at the coordinator (Weir), scripts at Redis (BullMQ, Bottleneck), transactions at PostgreSQL (DBOS).",
    );
  },
};

export const frozenPeers: Scene = {
  name: "frozen-peers",
  minutes: 4,
  async play(journal, stage) {
    journal.say(
      "",
      `**The same, half of the worker processes stopped for ${FROZEN_MS / 1000} s** (SIGSTOP), target only observes, ${stage.repeat} runs each`,
    );
    const ours: Frozen[] = [];
    for (let i = 0; i < stage.repeat; i++) ours.push(await freezeOnce());
    const rows = [frozenCells("**Weir**", "250 lanes in 2 processes", ours, ours)];
    for (const peer of CONTESTANTS.filter(({ isFrozen }) => isFrozen === true)) {
      const seen: Contest[] = [];
      for (let i = 0; i < stage.repeat; i++) {
        const one = await contest(peer, { isStrict: false, frozenMs: FROZEN_MS });
        if ("missing" in one) break;
        seen.push(one);
      }
      if (seen.length === 0) continue;
      const arrivals = seen.map((one) => one.arrivals);
      rows.push(frozenCells(peer.name, peer.setting, arrivals, ours));
    }
    journal.table(["who", "setting", "needed burst", "times Weir's", "most in 100 ms", "most in 1 s"], rows);
  },
};

type Bunched = Pick<Frozen, "neededBurst" | "mostIn">;

function frozenCells(
  name: string,
  setting: string,
  seen: readonly Bunched[],
  ours: readonly Bunched[],
): string[] {
  const of = (figure: (one: Bunched) => number, digits = 0) => withSpread(seen.map(figure), digits);
  const burst = (runs: readonly Bunched[]) => median(runs.map(({ neededBurst }) => neededBurst));
  return [
    name,
    setting,
    of((one) => one.neededBurst, 1),
    shown(burst(seen) / burst(ours), 1),
    of((one) => one.mostIn[100]),
    of((one) => one.mostIn[1000]),
  ];
}

/** A sentence when it cannot be run here, or fails. */
async function repeated(peer: Contestant, times: number): Promise<Row[] | string> {
  const seen: Row[] = [];
  for (let i = 0; i < times; i++) {
    const one = await contest(peer, { isStrict: true }).catch((error: unknown) => ({
      missing: String(error),
    }));
    if ("missing" in one) return `not run: ${one.missing}`;
    seen.push({ ...one, peakRss: one.tree.peakRss });
    process.stderr.write(`${peer.name}, ${peer.setting}: ${i + 1} of ${times} done\n`);
  }
  return seen;
}

function barOf(name: string, runs: readonly Row[]): Bar {
  const isOurs = name === "Weir";
  const short = name.length > 46 ? `${name.slice(0, 45)}…` : name;
  return { name: short, value: median(runs.map((run) => run.arrivals.neededBurst)), isOurs };
}

function measureWeir(): Promise<Measured> {
  return measureRun({
    ids: 20_000,
    flags: FAIR_FLAGS,
    target: { limit: { ratePerSecond: 1000, burst: 100 }, latencyMs: LOG_NORMAL },
    ratePerSecond: 1000,
  });
}

function rowOf(run: Measured): Row {
  return {
    ...run,
    lost: run.rows?.lost ?? Number.NaN,
    doubled: run.rows?.doubled ?? Number.NaN,
    messagesPerCall: run.run.coordinatorRequests / run.arrivals.calls,
    peakRss: run.tree.peakRss,
  };
}

function cells(name: string, setting: string, runs: readonly Row[]): string[] {
  const of = (figure: (run: Row) => number, digits = 0) => withSpread(runs.map(figure), digits);
  return [
    name,
    setting,
    of((run) => 100 * run.share, 1),
    of((run) => run.throttled),
    of((run) => run.arrivals.neededBurst, 1),
    of((run) => run.arrivals.mostIn[10]),
    of((run) => run.arrivals.mostIn[100]),
    of((run) => run.arrivals.mostIn[1000]),
    of((run) => run.inFlight),
    shown(runs[0]?.messagesPerCall ?? Number.NaN, 3),
    of((run) => run.lost),
    of((run) => run.doubled),
    of((run) => run.cpuMsPerCall, 2),
    of((run) => run.peakRss / 1e6),
  ];
}
