/** The target refuses connections for ten seconds in the middle. */
import type { ArrivalLog } from "../../test/support/arrivals.ts";
import { wrongRows } from "../../test/support/killedRun.ts";
import { neededBurst } from "../../test/support/neededBurst.ts";
import { calls, figure, pause, type Scene, startIds, throttled, viewOf } from "./scene.ts";

const IDS = 20_000;

export const outage: Scene = async (place, target) => {
  const running = startIds(place, target, IDS);
  await calls(target, IDS / 2);
  await target.set({ down: true });
  await pause(10_000);
  await target.set({ down: false });
  const upAt = Date.now();
  const ended = await running.finished();
  const log = await target.log();
  const since = log.atMs.filter((atMs) => atMs > upAt - log.originEpochMs);
  const fullAt = since.find((atMs, i) => (since[i + 900] ?? Number.POSITIVE_INFINITY) - atMs < 1000);
  return {
    title: "**20,000 ids at 1,000/s, target down for 10 s in the middle**, default settings",
    figures: [
      figure("exit code", ended.exitCode ?? -1, { is: 0 }),
      figure("failed rows", viewOf(ended).counts.failed, { is: 0 }),
      figure("ids without exactly one row", wrongRows(place.rows("rows.jsonl"), IDS), { is: 0 }),
      figure("needed burst, calls", neededBurst(log.atMs, 1000).toFixed(1), { most: 76 }),
      figure("needed burst from the end of the outage on", neededBurst(since, 1000).toFixed(1), { most: 76 }),
      figure("answered 429", await throttled(target)),
      figure("end of the outage to first call, s", secondsAfter(log, upAt, since[0])),
      figure("end of the outage to 900 calls/s, s", secondsAfter(log, upAt, fullAt)),
    ],
  };
};

function secondsAfter(log: ArrivalLog, epochMs: number, atMs: number | undefined): string {
  return atMs === undefined ? "never" : ((atMs + log.originEpochMs - epochMs) / 1000).toFixed(2);
}
