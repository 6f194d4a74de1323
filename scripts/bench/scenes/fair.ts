/** Fair weather: the main job, a minute at the rate, and other ways to limit. */
import type { LimitOptions } from "../../../test/support/strictLimit.ts";
import type { TargetOptions } from "../../../test/support/targetOptions.ts";
import type { WindowOptions } from "../../../test/support/windowLimit.ts";
import { lineChart } from "../chart.ts";
import { PLACE_FIGURES, RATE_FIGURES, ROW_FIGURES } from "../figures.ts";
import { shown } from "../journal.ts";
import { type Measured, measureRun } from "../measuredRun.ts";
import type { Scene } from "../scene.ts";

const RATE = 1000;
/** As a provider far away answers: most calls near 150 ms, one in a hundred above 400. */
export const LOG_NORMAL = { medianMs: 150, spread: 0.4 } as const;
export const FAIR_FLAGS = ["--rate", "1000/s", "--parallel", "250", "--chunk", "200"] as const;

/** The job of the README. */
export const main: Scene = {
  name: "main",
  minutes: 1.4,
  async play(journal, stage) {
    journal.say("", "**20,000 ids at 1,000/s**, 100 lanes (target: GCRA 1,000/s burst 100, 25–75 ms)");
    const runs = await repeat(
      stage.repeat,
      20_000,
      ["--rate", "1000/s", "--parallel", "100", "--chunk", "200"],
      {
        limit: { ratePerSecond: RATE, burst: 100 },
        latencyMs: [25, 75],
      },
    );
    stage.seen.main = runs[0] as Measured;
    journal.spread(runs, [
      ...ROW_FIGURES,
      ["start of the command to first call, s", (run) => run.firstCallMs / 1000, 2],
      ["first to last call, s", (run) => run.arrivals.spanMs / 1000, 2],
      ...RATE_FIGURES,
      ...PLACE_FIGURES,
    ]);
  },
};

/** The protocol's own fair weather. */
export const minute: Scene = {
  name: "minute",
  minutes: 3.6,
  async play(journal, stage) {
    journal.say(
      "",
      "**60,000 ids at 1,000/s**, at most 250 lanes (target: GCRA 1,000/s burst 100, log-normal around 150 ms)",
    );
    const runs = await repeat(stage.repeat, 60_000, FAIR_FLAGS, {
      limit: { ratePerSecond: RATE, burst: 100 },
      latencyMs: LOG_NORMAL,
    });
    stage.seen.minute = runs[0] as Measured;
    journal.spread(runs, [...ROW_FIGURES, ...RATE_FIGURES, ...PLACE_FIGURES]);
    const chart = lineChart(
      "Calls at the target in each second, quota 1,000/s",
      [{ name: "calls/s", values: perSecond(stage.seen.minute.log.atMs) }],
      { stepName: "s", most: 1200 },
    );
    journal.chart("minute", "Calls at the target in each second", chart);
  },
};

interface Mode {
  readonly name: string;
  readonly limit: LimitOptions | WindowOptions | null;
  readonly maxInFlight?: number;
  /** What of the quota a user would write down for such a target. */
  readonly flags: readonly string[];
}

const MODES: readonly Mode[] = [
  { name: "only observes", limit: null, flags: FAIR_FLAGS },
  {
    name: "GCRA, burst 50",
    limit: { ratePerSecond: RATE, burst: 50 },
    flags: [...FAIR_FLAGS, "--burst", "50"],
  },
  { name: "GCRA, burst 1", limit: { ratePerSecond: RATE, burst: 1 }, flags: [...FAIR_FLAGS, "--burst", "1"] },
  { name: "exact sliding second", limit: { window: "sliding", perSecond: RATE }, flags: FAIR_FLAGS },
  { name: "aligned second", limit: { window: "aligned", perSecond: RATE }, flags: FAIR_FLAGS },
  {
    name: "at most 50 in flight",
    limit: null,
    maxInFlight: 50,
    flags: ["--rate", "1000/s", "--parallel", "50", "--chunk", "200"],
  },
];

/** How providers limit, one run each. */
export const modes: Scene = {
  name: "modes",
  minutes: 1.5,
  async play(journal) {
    journal.say(
      "",
      "**10,000 ids at 1,000/s against other ways to limit**, one run each, log-normal around 150 ms",
    );
    const rows: string[][] = [];
    for (const mode of MODES) {
      const { limit, maxInFlight } = mode;
      const target = { limit, latencyMs: LOG_NORMAL, ...(maxInFlight === undefined ? {} : { maxInFlight }) };
      const run = await measureRun({ ids: 10_000, flags: mode.flags, target, ratePerSecond: RATE });
      const refused = run.throttled + run.log.statuses.filter((status) => status === 503).length;
      rows.push([
        mode.name,
        shown(100 * run.share, 1),
        shown(refused),
        shown(run.arrivals.neededBurst, 1),
        shown(run.arrivals.mostIn[1000]),
        shown(run.inFlight),
        shown((run.rows?.lost ?? Number.NaN) + (run.rows?.doubled ?? Number.NaN)),
      ]);
    }
    journal.table(
      [
        "target",
        "rate used, %",
        "429 or 503",
        "needed burst",
        "most in 1 s",
        "in flight",
        "rows lost or doubled",
      ],
      rows,
    );
  },
};

function perSecond(atMs: readonly number[]): number[] {
  const first = atMs[0] ?? 0;
  const calls: number[] = [];
  for (const ms of atMs) {
    const second = Math.floor((ms - first) / 1000);
    calls[second] = (calls[second] ?? 0) + 1;
  }
  return Array.from(calls, (count) => count ?? 0);
}

async function repeat(
  times: number,
  ids: number,
  flags: readonly string[],
  target: TargetOptions,
): Promise<Measured[]> {
  const runs: Measured[] = [];
  for (let i = 0; i < times; i++) {
    runs.push(await measureRun({ ids, flags, target, ratePerSecond: RATE }));
    process.stderr.write(`${ids} ids: ${i + 1} of ${times} done\n`);
  }
  return runs;
}
