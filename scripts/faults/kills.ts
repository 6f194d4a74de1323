/** The whole process tree killed ten times in one run, at random moments. */
import { killAndResume, repeatedCalls, wrongRows } from "../../test/support/killedRun.ts";
import { neededBurst } from "../../test/support/neededBurst.ts";
import { FLAGS, figure, type Scene } from "./scene.ts";

const LANES = 100;
const CHECKPOINT_ROWS = 100;

export const kills: Scene = async (place, target) => {
  const options = { ids: 20_000, kills: 10, withinMs: 7000, flags: FLAGS, random: Math.random };
  const killed = await killAndResume(place, target, options);
  return {
    title:
      "**20,000 ids at 1,000/s, `kill -9` of the whole process tree ten times**, each time with `--resume`",
    figures: [
      figure("exit code of the last start", killed.ended.exitCode ?? -1, { is: 0 }),
      figure("kills that met a living tree", killed.kills, { is: options.kills }),
      figure("from start to kill, s", killed.moments.map((ms) => (ms / 1000).toFixed(1)).join(" ")),
      figure("rows", killed.rows.length, { is: options.ids }),
      figure("ids without exactly one row", wrongRows(killed.rows, options.ids), { is: 0 }),
      figure("calls repeated", repeatedCalls(killed.log), { most: options.kills * LANES * CHECKPOINT_ROWS }),
      figure("most calls in flight at the target", killed.stats.maxInFlight, { most: LANES }),
      figure("needed burst, calls", neededBurst(killed.log.atMs, 1000).toFixed(1), { most: 76 }),
      figure("answered 429", killed.stats.perStatus["429"] ?? 0),
    ],
  };
};
