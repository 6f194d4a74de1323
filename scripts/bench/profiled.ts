/**
 * Where the time goes: a processor profile of the lanes' isolate inside workerd, taken through V8's inspector while a
 * run without a quota goes at full speed. Lanes, Run object and simulated storage are in one process and on one thread,
 * the target is not.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare, NoOpLog } from "miniflare";
import { readableModules } from "../../src/cli/runtime/build.ts";
import { loadBundle } from "../../src/cli/runtime/bundle.ts";
import { embeddedWorkers, LANES } from "../../src/cli/runtime/embeddedWorkers.ts";
import { readMigrations } from "../../src/cli/runtime/migrations.ts";
import { applyMigrations } from "../../src/storage/index/migrate.ts";
import { freePort } from "./freePort.ts";
import { sleep } from "./measuredRun.ts";

const TOKEN = "the-token-of-the-profiled-runtime-0123456789";

/** As V8 gives it; times in microseconds. */
interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { readonly functionName: string } }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Milliseconds of self time by function, longest first, over `forMs` in the middle of a run against `url`. */
export async function profileRun(
  url: string,
  forMs: number,
): Promise<readonly (readonly [string, number])[]> {
  const folder = mkdtempSync(join(tmpdir(), "weir-profile-"));
  const inspectorPort = await freePort();
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      inspectorPort,
      log: new NoOpLog(),
      telemetry: { enabled: false },
      resourcePersistencePath: folder,
      workers: embeddedWorkers(
        { ...loadBundle(), ...(await readableModules()) },
        {
          bindings: { WEIR_TOKEN: TOKEN, WEIR_GENERATION: "profile" },
        },
      ),
    }),
  );
  try {
    await miniflare.ready;
    await applyMigrations(await miniflare.getD1Database("DB"), readMigrations());
    const started = await miniflare.dispatchFetch("http://127.0.0.1/v1/runs", {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify({
        source: { kind: "range", from: 0, to: 1_000_000 },
        task: { kind: "http", url: `${url}/v1/users/{{item}}` },
        chunkSize: 1000,
        maxParallelism: 100,
      }),
    });
    if (started.status !== 201) throw new Error(`refused: ${await started.text()}`);
    await sleep(3000);
    return selfTimes(await takeProfile(inspectorPort, forMs));
  } finally {
    await miniflare.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function takeProfile(port: number, forMs: number): Promise<Profile> {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
    id: string;
    webSocketDebuggerUrl: string;
  }[];
  const own = targets.find(({ id }) => id.endsWith(LANES)) ?? targets[0];
  if (own === undefined) throw new Error("the inspector shows no isolate");
  const socket = new WebSocket(own.webSocketDebuggerUrl);
  await new Promise((opened, failed) => {
    socket.addEventListener("open", opened);
    socket.addEventListener("error", failed);
  });
  let last = 0;
  const waiting = new Map<number, (result: unknown) => void>();
  socket.addEventListener("message", ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
    if (id !== undefined) waiting.get(id)?.(result);
  });
  const ask = (method: string, params: object = {}) =>
    new Promise<unknown>((answered) => {
      waiting.set(++last, answered);
      socket.send(JSON.stringify({ id: last, method, params }));
    });
  await ask("Profiler.enable");
  await ask("Profiler.setSamplingInterval", { interval: 500 });
  await ask("Profiler.start");
  await sleep(forMs);
  const { profile } = (await ask("Profiler.stop")) as { profile: Profile };
  socket.close();
  return profile;
}

function selfTimes({ nodes, samples, timeDeltas }: Profile): readonly (readonly [string, number])[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, callFrame.functionName || "(anonymous)"]));
  const times = new Map<string, number>();
  for (const [i, node] of samples.entries()) {
    const name = names.get(node) ?? "?";
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[i] ?? 0) / 1000);
  }
  return [...times].sort(([, a], [, b]) => b - a);
}
