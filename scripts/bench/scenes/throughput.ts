/**
 * Without a quota: how near the whole of Weir comes to a bare fetch loop in the same workerd. Two such loops are measured:
 * one with the global `fetch`, as people write it, and one past the Worker through which Miniflare leads that, as Weir does.
 */
import { bareLoop } from "../bareLoop.ts";
import { median, shown, withSpread } from "../journal.ts";
import { type Measured, measureRun } from "../measuredRun.ts";
import type { Scene } from "../scene.ts";

const IDS = 80_000;
const LANES = 100;

export const throughput: Scene = {
  name: "throughput",
  minutes: 2.5,
  async play(journal, stage) {
    journal.say(
      "",
      `**${shown(IDS)} calls without a quota**, ${LANES} lanes, target answers at once; bare loops and Weir in turns`,
    );
    const bare: number[] = [];
    const direct: number[] = [];
    const ours: Measured[] = [];
    for (let i = 0; i < stage.repeat; i++) {
      bare.push(await bareLoop({ ids: IDS, lanes: LANES, target: {} }));
      direct.push(await bareLoop({ ids: IDS, lanes: LANES, target: {}, isDirect: true }));
      ours.push(
        await measureRun({
          ids: IDS,
          range: true,
          flags: ["--parallel", String(LANES), "--chunk", "200"],
          target: {},
          ratePerSecond: null,
        }),
      );
      process.stderr.write(`bare loops and Weir: ${i + 1} of ${stage.repeat} done\n`);
    }
    const perSecond = ours.map((run) => run.arrivals.meanPerSecond);
    journal.table(
      ["", "bare loop, `fetch`", "bare loop, past Miniflare's Worker", "Weir"],
      [
        ["calls/s, median (least–most)", withSpread(bare), withSpread(direct), withSpread(perSecond)],
        [
          "share of the loop with `fetch`",
          "1",
          shown(median(direct) / median(bare), 2),
          shown(median(perSecond) / median(bare), 2),
        ],
        ["share of the other loop", "", "1", shown(median(perSecond) / median(direct), 2)],
        [
          "CPU of the process tree, ms per call",
          "–",
          "–",
          withSpread(
            ours.map((run) => run.cpuMsPerCall),
            2,
          ),
        ],
        ["CPU of the target, % of a core", "–", "–", withSpread(ours.map((run) => 100 * run.targetCpu))],
        [
          "rows lost or doubled",
          "–",
          "–",
          withSpread(ours.map((run) => (run.rows?.lost ?? 0) + (run.rows?.doubled ?? 0))),
        ],
      ],
    );
  },
};

/** Two chunks for each lane: all lanes come to the end of one together. */
const SHORT_CHUNK = "30";

/** Many lanes against a slow target: enough of them must be reached, from one machine. */
export const lanes: Scene = {
  name: "lanes",
  minutes: 4.5,
  async play(journal, stage) {
    journal.say(
      "",
      "**1,000 lanes, 60,000 ids at 1,000/s, every answer after 900 ms** (target: GCRA 1,000/s burst 100)",
    );
    const runs: Measured[] = [];
    for (let i = 0; i < stage.repeat; i++) runs.push(await manyLanes([]));
    journal.spread(runs, [
      ["share of the allowed rate used, %", (run) => 100 * run.share, 2],
      ["calls answered 429", (run) => run.throttled, 0],
      ["most in flight at the target", (run) => run.inFlight, 0],
      ["needed burst, calls", (run) => run.arrivals.neededBurst, 1],
      ["coordinator requests per call", (run) => run.run.coordinatorRequests / run.arrivals.calls, 3],
      ["rows lost or doubled", (run) => (run.rows?.lost ?? 0) + (run.rows?.doubled ?? 0), 0],
    ]);
    const short = await manyLanes(["--chunk", SHORT_CHUNK]);
    const { arrivals, share, throttled } = short;
    journal.say(
      "",
      `In chunks of ${SHORT_CHUNK}, once: ${shown(100 * share, 2)} %, ${throttled} calls answered 429, needed burst ${shown(arrivals.neededBurst, 1)}.`,
    );
  },
};

function manyLanes(flags: readonly string[]): Promise<Measured> {
  return measureRun({
    ids: 60_000,
    flags: ["--rate", "1000/s", "--parallel", "1000", ...flags],
    target: { limit: { ratePerSecond: 1000, burst: 100 }, latencyMs: [900, 900] },
    ratePerSecond: 1000,
  });
}
