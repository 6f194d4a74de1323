/**
 * Half of the lanes stand still for 5 s: lanes in a second workerd process, bound to the first one's objects, stopped
 * with SIGSTOP in the middle of whatever they do.
 */

import { freezeHalf } from "../../../test/support/frozenHalf.ts";
import { wrongRows } from "../../../test/support/killedRun.ts";
import { mostInWindow, neededBurst } from "../../../test/support/neededBurst.ts";
import { spawnTarget } from "../../../test/support/spawnTarget.ts";
import { startTwoProcesses } from "../../../test/support/twoProcesses.ts";
import { GRACE_CALLS } from "../bounds.ts";
import { shown, withSpread } from "../journal.ts";
import type { Scene } from "../scene.ts";
import { LOG_NORMAL } from "./fair.ts";

const RATE = 1000;
const IDS = 20_000;
export const FROZEN_MS = 5000;

export const frozen: Scene = {
  name: "frozen",
  minutes: 2,
  async play(journal, stage) {
    journal.say(
      "",
      `**${shown(IDS)} ids at 1,000/s, half of 250 lanes stopped for ${FROZEN_MS / 1000} s** (SIGSTOP of a second workerd ` +
        `process), target only observes, log-normal around 150 ms, ${stage.repeat} runs`,
    );
    const seen: Frozen[] = [];
    for (let i = 0; i < stage.repeat; i++) seen.push(await freezeOnce());
    const of = (figure: (one: Frozen) => number, digits = 0) => withSpread(seen.map(figure), digits);
    journal.table(
      ["", "seen"],
      [
        [`needed burst, calls (bound ${GRACE_CALLS})`, of((one) => one.neededBurst, 1)],
        ["most in any 1 s", of((one) => one.mostIn[1000])],
        ["ids without exactly one row", shown(seen.reduce((sum, { wrong }) => sum + wrong, 0))],
      ],
    );
  },
};

/** What the target saw of one run of which half stood still. */
export interface Frozen {
  readonly neededBurst: number;
  readonly mostIn: { readonly 100: number; readonly 1000: number };
  /** Ids without exactly one row. */
  readonly wrong: number;
}

export async function freezeOnce(): Promise<Frozen> {
  const target = await spawnTarget({ latencyMs: LOG_NORMAL, warm: true });
  const weir = await startTwoProcesses();
  try {
    const thawed = await freezeHalf(weir, target, {
      ids: IDS,
      lanes: 250,
      ratePerSecond: RATE,
      chunkSize: 100,
      fromCall: IDS / 3,
      forMs: FROZEN_MS,
      lateCommits: false,
    });
    return {
      neededBurst: neededBurst(thawed.log.atMs, RATE),
      mostIn: { 100: mostInWindow(thawed.log.atMs, 100), 1000: mostInWindow(thawed.log.atMs, 1000) },
      wrong: wrongRows(thawed.rows, IDS),
    };
  } finally {
    await weir.close();
    await target.close();
  }
}
