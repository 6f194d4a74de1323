/**
 * What the runtime can do at most: the same calls from the same workerd in a bare `fetch` loop. No permits, no rows, no
 * storage, nothing is kept; the answer is read, because every use of it would.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare, NoOpLog } from "miniflare";
import { network } from "../../src/cli/runtime/network.ts";
import { arrivalFigures } from "../../test/support/neededBurst.ts";
import { spawnTarget } from "../../test/support/spawnTarget.ts";
import type { TargetOptions } from "../../test/support/targetOptions.ts";

const WORKER = `export default {
  async fetch(request, env) {
    const { url, lanes, ids } = await request.json();
    const fetch = env.NETWORK === undefined ? globalThis.fetch : (url) => env.NETWORK.fetch(url);
    let next = 0;
    const lane = async () => {
      while (next < ids) await (await fetch(url + next++)).json();
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return new Response("done");
  },
};`;

/** Calls per second between the first and the last call, as the target saw them. */
export async function bareLoop(of: {
  readonly ids: number;
  readonly lanes: number;
  readonly target: TargetOptions;
  /** Past the Worker through which Miniflare leads `fetch`, as Weir does it. */
  readonly isDirect?: boolean;
}): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "weir-bare-"));
  const target = await spawnTarget({ ...of.target, warm: true });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new NoOpLog(),
      telemetry: { enabled: false },
      resourcePersistencePath: folder,
      workers: [
        {
          name: "bare",
          compatibilityDate: "2026-11-01",
          ...(of.isDirect === true && { serviceBindings: { NETWORK: { network: network() } } }),
          modules: [{ type: "ESModule", path: "worker.js", contents: WORKER }],
        },
      ],
    }),
  );
  try {
    const answer = await miniflare.dispatchFetch("http://bare/", {
      method: "POST",
      body: JSON.stringify({ url: `${target.url}/v1/users/`, lanes: of.lanes, ids: of.ids }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return arrivalFigures((await target.log()).atMs, Number.NaN).meanPerSecond;
  } finally {
    await miniflare.dispose();
    await target.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
