/** The key is revoked in the middle, and later put right. */
import { wrongRows } from "../../test/support/killedRun.ts";
import { FLAGS, figure, type Scene, startIds, viewOf } from "./scene.ts";

const IDS = 10_000;

export const revoked: Scene = async (place, target) => {
  await target.set({ refuseFromCall: 3001 });
  const paused = await startIds(place, target, IDS, ["--rate", "200/s", "--parallel", "20"]).finished();
  const refused = async () => (await target.stats()).perStatus["401"] ?? 0;
  const first = await refused();
  const { id } = viewOf(paused);
  // The same at full speed: then more calls are under way when the first refusal comes.
  const fast = await place.weir(["run", "--resume", id, "--json", ...FLAGS.slice(0, 4)]);
  const second = (await refused()) - first;
  await target.set({ refuseFromCall: Number.MAX_SAFE_INTEGER });
  const resumed = await place.weir(["run", "--resume", id, "--out", "rows.jsonl", "--json"]);
  const failed = viewOf(paused).counts.failed + viewOf(fast).counts.failed;
  return {
    title: "**10,000 ids, 401 from call 3,001 on**; later the key is good again",
    figures: [
      figure("exit code (5: it waits)", paused.exitCode ?? -1, { is: 5 }),
      figure("calls refused before the pause, 200/s with 20 lanes", first, { most: 40 }),
      figure("calls refused before it paused again, resumed at 1,000/s with 100 lanes", second),
      figure("failed rows at the two pauses", failed, { is: 0 }),
      figure("exit code of the resume with a good key", resumed.exitCode ?? -1, { is: 0 }),
      figure("failed rows at the end", viewOf(resumed).counts.failed, { is: 0 }),
      figure("ids without exactly one row", wrongRows(place.rows("rows.jsonl"), IDS), { is: 0 }),
    ],
  };
};
