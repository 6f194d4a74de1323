/**
 * The wall clock of the command and its runtime is set back by an hour in the middle, and forward again: a library
 * preloaded into both (`steppedClock.c`, compiled here with `cc`) shows them the time. The target's clock is true.
 */
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ArrivalLog } from "../../test/support/arrivals.ts";
import { wrongRows } from "../../test/support/killedRun.ts";
import { neededBurst } from "../../test/support/neededBurst.ts";
import { calls, FLAGS, figure, type Scene, startIds, throttled } from "./scene.ts";

const IDS = 20_000;
const HOUR_S = 3600;
const SOURCE = resolve(import.meta.dirname, "steppedClock.c");

export const clock: Scene = async (place, target) => {
  const library = join(place.folder, "steppedClock.so");
  execFileSync("cc", ["-shared", "-fPIC", "-O1", "-o", library, SOURCE]);
  const steps = join(place.folder, "step");
  setClock(steps, 0);
  const running = startIds(place, target, IDS, FLAGS, { LD_PRELOAD: library, CLOCK_STEP_FILE: steps });
  await calls(target, IDS / 4);
  const backAt = Date.now();
  setClock(steps, -HOUR_S);
  await calls(target, IDS / 2);
  const forwardAt = Date.now();
  setClock(steps, 0);
  const ended = await running.finished();
  const log = await target.log();
  return {
    title:
      "**20,000 ids at 1,000/s, the clock set back by an hour at 5,000 calls and forward again at 10,000**",
    figures: [
      figure("exit code", ended.exitCode ?? -1, { is: 0 }),
      figure("ids without exactly one row", wrongRows(place.rows("rows.jsonl"), IDS), { is: 0 }),
      figure("needed burst, calls", neededBurst(log.atMs, 1000).toFixed(1), { most: 76 }),
      figure("answered 429", await throttled(target), { is: 0 }),
      figure("longest gap between calls after the step back, s", longestGapS(log, backAt, forwardAt)),
      figure(
        "longest gap between calls after the step forward, s",
        longestGapS(log, forwardAt, Number.POSITIVE_INFINITY),
      ),
      figure("repeated calls", log.ids.length - new Set(log.ids).size),
    ],
  };
};

/** Read by the library at every look at the clock. */
function setClock(path: string, seconds: number): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(seconds));
  // In place: the library has the file mapped.
  const file = openSync(path, constants.O_CREAT | constants.O_RDWR);
  writeSync(file, bytes, 0, bytes.length, 0);
  closeSync(file);
}

function longestGapS({ atMs, originEpochMs }: ArrivalLog, fromEpochMs: number, toEpochMs: number): string {
  const between = atMs.filter((at) => at >= fromEpochMs - originEpochMs && at <= toEpochMs - originEpochMs);
  const gaps = between.slice(1).map((at, i) => at - (between[i] ?? at));
  return (gaps.reduce((longest, gap) => Math.max(longest, gap), 0) / 1000).toFixed(1);
}
