/**
 * A limit that is stricter, lower, or other than what the run was told, or of which it was told nothing: how much of it
 * is used, and how many calls are refused. `--rows TEXT` plays those rows whose names contain it.
 */
import { withSpread } from "../journal.ts";
import { type LimitRow, playRow, type SpanFigures } from "../limitRow.ts";
import type { Scene } from "../scene.ts";

const LANES = ["--parallel", "200", "--chunk", "200"] as const;

/** Told exactly, 12 s. */
function exact(ratePerSecond: number, burst: number, flags: readonly string[] = []): LimitRow {
  const said = flags.length === 0 ? "" : `, ${flags.join(" ")}`;
  return {
    name: `GCRA ${ratePerSecond}/s burst ${burst}, told ${ratePerSecond}/s${said}`,
    flags: ["--rate", `${ratePerSecond}/s`, ...flags, ...LANES],
    target: { limit: { ratePerSecond, burst } },
    truePerSecond: ratePerSecond,
    seconds: 12,
    spans: [[0, 12]],
  };
}

/** Told more than is true, or nothing, or to find out. */
function found(truePerSecond: number, burst: number, told: string, seconds: number): LimitRow {
  return {
    name: `GCRA ${truePerSecond}/s burst ${burst}, told ${told}`,
    flags: [...(told === "nothing" ? [] : ["--rate", told]), ...LANES],
    target: { limit: { ratePerSecond: truePerSecond, burst } },
    truePerSecond,
    seconds,
    spans: [
      [0, 10],
      [Math.min(30, Math.max(10, seconds - 20)), seconds],
    ],
  };
}

const SLIDING: LimitRow = {
  name: "exact sliding second 1,000/s, told 1,000/s",
  flags: ["--rate", "1000/s", ...LANES],
  target: { limit: { window: "sliding", perSecond: 1000 } },
  truePerSecond: 1000,
  seconds: 12,
  spans: [[0, 12]],
};

const IN_FLIGHT: LimitRow = {
  name: "at most 50 in flight, 429 above; told nothing",
  flags: [...LANES],
  target: { maxInFlight: 50, inFlightStatus: 429 },
  truePerSecond: 1000,
  seconds: 30,
  spans: [
    [0, 10],
    [10, 30],
  ],
};

const CHANGED: LimitRow = {
  name: "GCRA burst 50, told 1,000/s: 1,000/s, after 20 s 500/s, after 60 s 1,000/s",
  flags: ["--rate", "1000/s", ...LANES],
  target: { limit: { ratePerSecond: 1000, burst: 50 } },
  truePerSecond: 1000,
  seconds: 115,
  changes: [
    { atS: 20, target: { limit: { ratePerSecond: 500, burst: 50 } }, truePerSecond: 500 },
    { atS: 60, target: { limit: { ratePerSecond: 1000, burst: 50 } }, truePerSecond: 1000 },
  ],
  spans: [
    [2, 20],
    [30, 60],
    [105, 115],
  ],
};

const MINUTES: LimitRow = {
  name: "600 a calendar minute, told 10/s",
  flags: ["--rate", "10/s", ...LANES],
  target: { limit: { window: "aligned", perSecond: 600, windowMs: 60_000 } },
  truePerSecond: 10,
  seconds: 150,
  spans: [[10, 150]],
};

const ROWS: readonly LimitRow[] = [
  ...[10, 50, 100, 300, 1000].map((rate) => exact(rate, 1)),
  ...[100, 300, 1000].map((rate) => exact(rate, 5)),
  exact(1000, 5, ["--burst", "5"]),
  SLIDING,
  ...[930, 900, 800, 500, 100].map((rate) => found(rate, rate === 100 ? 20 : 100, "1000/s", 40)),
  ...[20, 500, 2000].flatMap((rate) => [found(rate, 50, "nothing", 60), found(rate, 50, "auto", 60)]),
  CHANGED,
  MINUTES,
  IN_FLIGHT,
];

export const limits: Scene = {
  name: "limits",
  minutes: 40,
  async play(journal, stage) {
    journal.say(
      "",
      `**The true limit**, ${stage.repeat} runs each (429 with \`Retry-After: 1\`, 25–75 ms a call, 200 lanes)`,
    );
    const rows: string[][] = [];
    for (const row of ROWS.filter(({ name }) => name.includes(stage.rows ?? ""))) {
      const runs: (readonly SpanFigures[])[] = [];
      for (let i = 0; i < stage.repeat; i++) runs.push(await playRow(row));
      const cells = row.spans.map(([fromS, toS], at) => [
        row.name,
        `${fromS}–${toS}`,
        withSpread(
          runs.map((run) => 100 * (run[at]?.used ?? Number.NaN)),
          1,
        ),
        withSpread(
          runs.map((run) => 100 * (run[at]?.refused ?? Number.NaN)),
          2,
        ),
      ]);
      for (const cell of cells) process.stderr.write(`${cell.join(" | ")}\n`);
      rows.push(...cells);
    }
    journal.table(["target", "seconds", "of the true limit used, %", "calls answered 429, %"], rows);
  },
};
