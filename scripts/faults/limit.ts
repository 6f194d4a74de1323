/** We are told twice what the target allows; later it allows what we were told. */
import { calls, figure, pause, type Scene, startIds, viewOf } from "./scene.ts";

const TOLD_PER_SECOND = 1000;
const TRUE_PER_SECOND = 500;
/** "Back above 900/s" is judged over so long. */
const OVER_MS = 3000;

export const limit: Scene = async (place, target) => {
  await target.set({ limit: { ratePerSecond: TRUE_PER_SECOND, burst: 100 } });
  const running = startIds(place, target, 200_000);
  await calls(target, 1);
  await pause(70_000);
  await target.set({ limit: { ratePerSecond: TOLD_PER_SECOND, burst: 100 } });
  const raisedAt = Date.now();
  await pause(65_000);
  running.interrupt();
  const ended = await running.finished();

  const log = await target.log();
  const first = log.atMs[0] ?? 0;
  const raised = raisedAt - log.originEpochMs;
  const between = (fromMs: number, toMs: number) => {
    const statuses = log.statuses.filter((_, i) => (log.atMs[i] ?? 0) >= fromMs && (log.atMs[i] ?? 0) < toMs);
    const rejected = statuses.filter((status) => status === 429).length;
    return { calls: statuses.length, rejected, accepted: statuses.length - rejected };
  };
  const start = between(first, first + 10_000);
  const next = between(first + 10_000, first + 70_000);
  const enough = (900 * OVER_MS) / 1000;
  let backMs = OVER_MS;
  while (backMs < 65_000 && between(raised + backMs - OVER_MS, raised + backMs).accepted < enough) {
    backMs += 100;
  }
  return {
    title: "**Told 1,000/s, the target allows 500/s** (burst 100, 100 lanes); after 70 s it allows 1,000/s",
    figures: [
      figure("exit code (5: stopped by Ctrl-C)", ended.exitCode ?? -1, { is: 5 }),
      figure("rejected in the first 10 s", start.rejected, { most: 300 }),
      figure("rejected in the next 60 s, % of calls", ((100 * next.rejected) / next.calls).toFixed(2), {
        most: 2,
      }),
      figure("of the true limit used in them, %", (next.accepted / (TRUE_PER_SECOND * 0.6)).toFixed(1), {
        least: 90,
      }),
      figure("limit raised to above 900/s over 3 s, s", (backMs / 1000).toFixed(1), { most: 60 }),
      figure("failed rows", viewOf(ended).counts.failed, { is: 0 }),
    ],
  };
};
