/** Two runs under one target of 500/s, and a program that takes permits from its reserve. */
import { neededBurst } from "../../../test/support/neededBurst.ts";
import { arrivalsOf, rateIn, SharedWeir } from "../../../test/support/sharedWeir.ts";
import { until } from "../../../test/support/until.ts";
import { median, withSpread } from "../journal.ts";
import { sleep } from "../measuredRun.ts";
import type { Scene } from "../scene.ts";

const RATE = 500;
const CALL_MS = [25, 75] as const;
/** Both are let alone for so long after the later one's first call. */
const SETTLED_MS = 3000;
const PROGRAM_EVERY_MS = 20;
const PROGRAM_ASKS = 400;

interface Shared {
  /** Of the rate, while both run. */
  readonly first: number;
  readonly second: number;
  /** Of the rate, from 3 s after the first one's last call on. */
  readonly alone: number;
  readonly neededBurst: number;
  readonly refused: number;
}

export const shared: Scene = {
  name: "shared",
  minutes: 4,
  async play(journal, stage) {
    const bound = RATE * 0.075 + 2;
    journal.say(
      "",
      `**Two runs under one target of ${RATE}/s** in one \`weir dev\`, 60 lanes each ` +
        `(outside: GCRA ${RATE}/s burst 50, ${CALL_MS.join("–")} ms)`,
    );
    const rows: string[][] = [];
    for (const [name, flags, calls] of [
      ["weights 1:1", [], [4000, 8000]],
      ["weights 3:1", ["--weight", "3"], [5000, 6000]],
    ] as const) {
      const seen: Shared[] = [];
      for (let i = 0; i < stage.repeat; i++) seen.push(await playTwo(flags, calls));
      const of = (figure: (one: Shared) => number, digits = 1) => withSpread(seen.map(figure), digits);
      rows.push([
        name,
        of(({ first }) => 100 * first),
        of(({ second }) => 100 * second),
        of(({ alone }) => 100 * alone),
        of((one) => one.neededBurst),
        of(({ refused }) => refused, 0),
      ]);
    }
    const [first, second] = ["first run, % of the rate", "second run, %"];
    const head = ["", first, second, "second alone, from 3 s on, %", `needed burst (bound ${bound})`, "429"];
    journal.table(head, rows);
    const took: number[] = [];
    for (let i = 0; i < stage.repeat; i++) took.push(await playProgram());
    journal.say(
      "",
      `A program that asks for ${1000 / PROGRAM_EVERY_MS} permits a second of a reserve of 10 %, beside two runs at full ` +
        `load: from asking to the permit's instant at the median ${withSpread(took, 1)} ms`,
    );
  },
};

async function playTwo(flags: readonly string[], calls: readonly [number, number]): Promise<Shared> {
  const weir = await startShared([]);
  try {
    const first = weir.run("a", calls[0], flags);
    const second = weir.run("b", calls[1]);
    for (const run of [first, second]) {
      const { exitCode, stderr } = await run.finished();
      if (exitCode !== 0) throw new Error(`weir run ended with ${exitCode}: ${stderr}`);
    }
    const log = await weir.outside.log();
    const [a, b] = [arrivalsOf(log, "a"), arrivalsOf(log, "b")];
    const fromMs = Math.max(a[0] ?? 0, b[0] ?? 0) + SETTLED_MS;
    const toMs = a.at(-1) ?? 0;
    const endMs = (b.at(-1) ?? 0) - 200;
    return {
      first: rateIn(a, fromMs, toMs - 500) / RATE,
      second: rateIn(b, fromMs, toMs - 500) / RATE,
      alone: rateIn(b, toMs + 3000, endMs) / RATE,
      neededBurst: neededBurst(log.atMs, RATE),
      refused: log.statuses.filter((status) => status === 429).length,
    };
  } finally {
    await weir.close();
  }
}

/** The median time from asking to the instant, ms; answers that bring none are asked again and count from the first ask. */
async function playProgram(): Promise<number> {
  const weir = await startShared(["--reserve", "10%"]);
  try {
    weir.run("a", 20_000);
    weir.run("b", 20_000);
    await until(
      "both runs to call",
      async () => (await weir.calls("a")) > 500 && (await weir.calls("b")) > 500,
    );
    const took: Promise<number>[] = [];
    for (let i = 0; i < PROGRAM_ASKS; i++) {
      took.push(takeOne(weir));
      await sleep(PROGRAM_EVERY_MS);
    }
    // The first second of them brings the reserve back from the runs.
    return median((await Promise.all(took)).slice(PROGRAM_ASKS / 4));
  } finally {
    await weir.close();
  }
}

async function takeOne(weir: SharedWeir): Promise<number> {
  const beganMs = performance.now();
  for (;;) {
    const { sendInMs } = await weir.permits({ count: 1, waitMs: 1000 });
    const [inMs] = sendInMs;
    if (inMs !== undefined) return performance.now() - beganMs + inMs;
    await sleep(100);
  }
}

function startShared(limits: readonly string[]): Promise<SharedWeir> {
  return SharedWeir.start(["--rate", `${RATE}/s`, ...limits], {
    limit: { ratePerSecond: RATE, burst: 50 },
    latencyMs: [...CALL_MS],
  });
}
