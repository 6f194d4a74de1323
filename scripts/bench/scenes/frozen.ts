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
const FROZEN_MS = 5000;
/** Seen on 2026-11-21; `--peers` measures them anew. */
const PEERS =
  "Bottleneck 142, tuned BullMQ 98 (medians of 2, `npm run bench -- --peers --only frozen-peers`)";

export const frozen: Scene = {
  name: "frozen",
  minutes: 2,
  async play(journal, stage) {
    journal.say(
      "",
      `**${shown(IDS)} ids at 1,000/s, half of 250 lanes stopped for ${FROZEN_MS / 1000} s** (SIGSTOP of a second workerd ` +
        `process), target only observes, log-normal around 150 ms, ${stage.repeat} runs`,
    );
    const bursts: number[] = [];
    const seconds: number[] = [];
    let wrong = 0;
    for (let i = 0; i < stage.repeat; i++) {
      const one = await freezeOnce();
      bursts.push(one.neededBurst);
      seconds.push(one.mostInSecond);
      wrong += one.wrong;
    }
    journal.table(
      ["", "seen"],
      [
        [`needed burst, calls (bound ${GRACE_CALLS})`, withSpread(bursts, 1)],
        ["most in any 1 s", withSpread(seconds)],
        ["ids without exactly one row", shown(wrong)],
        ["peers' needed burst in the same weather", PEERS],
      ],
    );
  },
};

async function freezeOnce(): Promise<{
  readonly neededBurst: number;
  readonly mostInSecond: number;
  readonly wrong: number;
}> {
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
      mostInSecond: mostInWindow(thawed.log.atMs, 1000),
      wrong: wrongRows(thawed.rows, IDS),
    };
  } finally {
    await weir.close();
    await target.close();
  }
}
