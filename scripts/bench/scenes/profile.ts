/** Where the time of a run without a quota goes. */
import { spawnTarget } from "../../../test/support/spawnTarget.ts";
import { shown } from "../journal.ts";
import { profileRun } from "../profiled.ts";
import type { Scene } from "../scene.ts";

const FOR_MS = 6000;
const SHOWN = 16;

export const profile: Scene = {
  name: "profile",
  minutes: 0.4,
  async play(journal) {
    const target = await spawnTarget();
    try {
      const times = await profileRun(target.url, FOR_MS);
      const all = times.reduce((sum, [, ms]) => sum + ms, 0);
      const calls = await target.stats();
      const perSecond = (calls.calls * 1000) / ((calls.lastAtEpochMs ?? 0) - (calls.firstAtEpochMs ?? 0));
      journal.say(
        "",
        `**Profile of the isolate, ${FOR_MS / 1000} s at ${shown(perSecond)} calls/s** (self time; \`(program)\` is workerd's own code: sockets, HTTP, storage, RPC; \`(idle)\` waits)`,
      );
      journal.table(
        ["function", "% of the time"],
        times.slice(0, SHOWN).map(([name, ms]) => [`\`${name}\``, shown((100 * ms) / all, 1)]),
      );
    } finally {
      await target.close();
    }
  },
};
