/** Bad weather, with the rate kept: the coordinator dies, the target browns out, the target halves its limit. */

import { killAndResume, wrongRows } from "../../../test/support/killedRun.ts";
import { mostInWindow, neededBurst, usedShare } from "../../../test/support/neededBurst.ts";
import { spawnTarget } from "../../../test/support/spawnTarget.ts";
import type { TargetOptions } from "../../../test/support/targetOptions.ts";
import { Workspace } from "../../../test/support/weir.ts";
import { GRACE_CALLS } from "../bounds.ts";
import { type Journal, shown } from "../journal.ts";
import { type Meddling, measureRun } from "../measuredRun.ts";
import type { Scene } from "../scene.ts";
import { FAIR_FLAGS, LOG_NORMAL } from "./fair.ts";

const RATE = 1000;
const IDS = 30_000;
const TARGET: TargetOptions = { limit: { ratePerSecond: RATE, burst: 100 }, latencyMs: LOG_NORMAL };
/** Calls before the fault. */
const FROM_CALL = 8000;

export const faults: Scene = {
  name: "faults",
  minutes: 2.4,
  async play(journal) {
    await restarted(journal);
    await brownedOut(journal);
    await halved(journal);
  },
};

/** The coordinator lives in the process that dies, as do the lanes; the run is resumed by the next one. */
async function restarted(journal: Journal): Promise<void> {
  journal.say(
    "",
    `**${shown(IDS)} ids at 1,000/s, coordinator and lanes killed (\`kill -9\`) twice**, resumed at once`,
  );
  const place = new Workspace();
  const target = await spawnTarget({ ...TARGET, warm: true });
  try {
    const killed = await killAndResume(place, target, {
      ids: IDS,
      kills: 2,
      withinMs: 9000,
      flags: [...FAIR_FLAGS],
      random: () => 1,
    });
    journal.table(
      ["", "seen"],
      [
        ["kills", shown(killed.kills)],
        [`needed burst, calls (bound ${GRACE_CALLS})`, shown(neededBurst(killed.log.atMs, RATE), 1)],
        ["most in any 1 s", shown(mostInWindow(killed.log.atMs, 1000))],
        ["calls answered 429", shown(killed.stats.perStatus["429"] ?? 0)],
        ["calls repeated", shown(killed.log.ids.length - IDS)],
        ["ids without exactly one row", shown(wrongRows(killed.rows, IDS))],
      ],
    );
  } finally {
    await place.close();
    await target.close();
  }
}

async function brownedOut(journal: Journal): Promise<void> {
  journal.say("", `**${shown(IDS)} ids at 1,000/s, every answer 60 times as slow for 10 s**`);
  const span = { fromMs: Number.NaN, toMs: Number.NaN };
  const run = await measureRun({
    ids: IDS,
    flags: FAIR_FLAGS,
    target: TARGET,
    ratePerSecond: RATE,
    during: (meddling) =>
      changed(meddling, { during: { slowedBy: 60 }, after: { slowedBy: 1 }, span }, 10_000),
  });
  const since = run.log.atMs.filter((atMs) => atMs + run.log.originEpochMs >= span.toMs);
  journal.table(
    ["", "seen"],
    [
      [`needed burst, calls (bound ${GRACE_CALLS})`, shown(run.arrivals.neededBurst, 1)],
      ["needed burst from the end of the brownout on", shown(neededBurst(since, RATE), 1)],
      ["most in any 1 s", shown(run.arrivals.mostIn[1000])],
      ["calls answered 429", shown(run.throttled)],
      ["most in flight at the target (250 lanes)", shown(run.inFlight)],
      ["rows lost or doubled", shown((run.rows?.lost ?? Number.NaN) + (run.rows?.doubled ?? Number.NaN))],
    ],
  );
}

async function halved(journal: Journal): Promise<void> {
  journal.say("", "**40,000 ids, told 1,000/s; the target allows 500/s for 20 s, then 1,000/s again**");
  const half = { limit: { ratePerSecond: RATE / 2, burst: 100 } };
  const span = { fromMs: Number.NaN, toMs: Number.NaN };
  const run = await measureRun({
    ids: 40_000,
    flags: FAIR_FLAGS,
    target: TARGET,
    ratePerSecond: RATE,
    during: (meddling) =>
      changed(meddling, { during: half, after: { limit: TARGET.limit ?? null }, span }, 20_000),
  });
  const { log } = run;
  const [fromMs, toMs] = [span.fromMs - log.originEpochMs, span.toMs - log.originEpochMs];
  const inside = log.atMs
    .map((atMs, i) => ({ atMs, status: log.statuses[i] ?? 0 }))
    .filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
  const share = usedShare(
    inside.map(({ atMs }) => atMs),
    inside.map(({ status }) => status),
    { ratePerSecond: RATE / 2, warmUpMs: 4000 },
  );
  const refused = inside.filter(({ status }) => status === 429);
  const late = refused.filter(({ atMs }) => atMs >= fromMs + 4000);
  journal.table(
    ["", "seen"],
    [
      ["calls answered 429 in the first 4 s of the cut", shown(refused.length - late.length)],
      [
        "calls answered 429 in the other 16 s, % of calls",
        shown(
          (100 * late.length) / Math.max(1, inside.filter(({ atMs }) => atMs >= fromMs + 4000).length),
          2,
        ),
      ],
      ["of the halved limit used in them, %", shown(100 * share, 1)],
      ["limit restored to 900/s over 2 s, s", restoredAfter(log.atMs, toMs)],
      ["rows lost or doubled", shown((run.rows?.lost ?? Number.NaN) + (run.rows?.doubled ?? Number.NaN))],
    ],
  );
}

/** Changes the target in the middle of the run, and back; writes down when, milliseconds since the epoch. */
async function changed(
  { target, calls, wait }: Meddling,
  change: {
    readonly during: Partial<TargetOptions>;
    readonly after: Partial<TargetOptions>;
    readonly span: { fromMs: number; toMs: number };
  },
  forMs: number,
): Promise<void> {
  await calls(FROM_CALL);
  await target.set(change.during);
  change.span.fromMs = Date.now();
  await wait(forMs);
  await target.set(change.after);
  change.span.toMs = Date.now();
}

function restoredAfter(atMs: readonly number[], fromMs: number): string {
  const since = atMs.filter((ms) => ms >= fromMs);
  const at = since.find((ms, i) => (since[i + 1800] ?? Number.POSITIVE_INFINITY) - ms < 2000);
  return at === undefined ? "not before the end" : shown((at - fromMs) / 1000, 1);
}
