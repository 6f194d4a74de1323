/** One peer's run, measured like Weir's: by the target, and from /proc. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { type ArrivalFigures, arrivalFigures, usedShare } from "../../../test/support/neededBurst.ts";
import { spawnTarget } from "../../../test/support/spawnTarget.ts";
import type { Target } from "../../../test/support/targetOptions.ts";
import { sleep } from "../measuredRun.ts";
import { LOG_NORMAL } from "../scenes/fair.ts";
import { type TreeFigures, watchTree } from "../watchedTree.ts";
import type { Contestant } from "./contestants.ts";
import { type Store, startPostgres, startRedis } from "./stores.ts";

export const PEERS = resolve(import.meta.dirname, "../../peers");
/** A peer that is slower than half the rate is cut off here: what it did until then is measured. */
const MOST_MS = 40_000;
/** Queues whose calls failed never reach their number of answers: over when nothing comes for so long. */
const SILENT_MS = 3000;
const WARM_UP_MS = 2000;
const LOOK_MS = 100;
const BURST = 100;

export interface Contest {
  readonly arrivals: ArrivalFigures;
  readonly share: number;
  readonly throttled: number;
  readonly inFlight: number;
  /** Ids never answered 200; NaN when it was cut off. */
  readonly lost: number;
  /** Answers of 200 beyond one for an id. */
  readonly doubled: number;
  /** Scripts of Redis or transactions of PostgreSQL; NaN without a store. */
  readonly messagesPerCall: number;
  readonly cpuMsPerCall: number;
  readonly tree: TreeFigures;
}

/** Null: cannot be run here, and why. `frozenMs`: half of the processes stand still for so long in the middle. */
export async function contest(
  peer: Contestant,
  options: { readonly isStrict: boolean; readonly frozenMs?: number },
): Promise<Contest | { readonly missing: string }> {
  if (peer.file.endsWith(".py") && spawnSync("/usr/bin/python3", ["-c", "import aiohttp"]).status !== 0)
    return { missing: "no python3 with aiohttp here (Debian: `apt-get install python3-aiohttp`)" };
  const store = await storeOf(peer);
  if (store === "missing") return { missing: `no ${peer.store} here` };
  const { ratePerSecond } = peer;
  const limit = options.isStrict ? { ratePerSecond, burst: BURST } : null;
  const target = await spawnTarget({ limit, latencyMs: LOG_NORMAL, warm: true });
  try {
    return await play(peer, { target, store, frozenMs: options.frozenMs ?? 0 });
  } finally {
    await target.close();
    await store?.stop();
  }
}

async function storeOf(peer: Contestant): Promise<Store | null | "missing"> {
  if (peer.store === null) return null;
  return (await (peer.store === "redis" ? startRedis() : startPostgres())) ?? "missing";
}

async function play(
  peer: Contestant,
  on: { readonly target: Target; readonly store: Store | null; readonly frozenMs: number },
): Promise<Contest> {
  const { target, store } = on;
  const begin = (more: object): ChildProcess =>
    startProcess(peer, { url: target.url, ...addresses(peer, store), ...more });
  if (peer.produces === true) {
    const [code] = await once(begin({ role: "produce" }), "exit");
    if (code !== 0) throw new Error(`${peer.name} did not fill its queue`);
  }
  const { processes } = peer;
  const workers = Array.from({ length: processes }, (_, process) =>
    begin({ role: "work", process, processes }),
  );
  const tree = watchTree([
    ...workers.map(({ pid }) => pid as number),
    ...(store === null ? [] : [store.pid]),
  ]);
  const before = (await store?.messages()) ?? Number.NaN;
  const frozen = on.frozenMs > 0 ? freeze(workers, peer, on.frozenMs, target) : null;
  const isDone = await over(peer, target, workers);
  await frozen;
  const messages = ((await store?.messages()) ?? Number.NaN) - before;
  const figures = tree.stop();
  await Promise.all(workers.map(end));

  const log = await target.log();
  const stats = await target.stats();
  const accepted = log.ids.filter((_, i) => log.statuses[i] === 200);
  const distinct = new Set(accepted).size;
  return {
    arrivals: arrivalFigures(log.atMs, peer.ratePerSecond),
    share: usedShare(log.atMs, log.statuses, { ratePerSecond: peer.ratePerSecond, warmUpMs: WARM_UP_MS }),
    throttled: stats.perStatus["429"] ?? 0,
    inFlight: stats.maxInFlight,
    lost: isDone ? peer.ids - distinct : Number.NaN,
    doubled: accepted.length - distinct,
    messagesPerCall: messages / log.ids.length,
    cpuMsPerCall: figures.cpuMs / log.ids.length,
    tree: figures,
  };
}

function startProcess(peer: Contestant, more: object): ChildProcess {
  const { settings, ids, ratePerSecond } = peer;
  const program = peer.file.endsWith(".py") ? "/usr/bin/python3" : process.execPath;
  const input = JSON.stringify({ settings, ids, ratePerSecond, ...more });
  return spawn(program, [join(PEERS, peer.file), input], { stdio: "ignore" });
}

function addresses(peer: Contestant, store: Store | null): object {
  if (store === null) return {};
  return peer.store === "redis"
    ? { redisPort: store.port }
    : { postgresUrl: `postgresql://postgres@127.0.0.1:${store.port}/peers` };
}

/** True when every id was called; false when it was cut off. */
async function over(peer: Contestant, target: Target, workers: readonly ChildProcess[]): Promise<boolean> {
  const untilMs = performance.now() + MOST_MS;
  let calls = 0;
  let movedMs = performance.now();
  for (;;) {
    const stats = await target.stats();
    if (stats.calls !== calls) movedMs = performance.now();
    calls = stats.calls;
    const isSilent = performance.now() - movedMs > SILENT_MS && calls > 0;
    const haveEnded = workers.every((worker) => worker.exitCode !== null);
    if ((haveEnded || isSilent) && stats.inFlight === 0) return calls >= peer.ids;
    if (performance.now() > untilMs || (haveEnded && calls === 0)) return false;
    await sleep(LOOK_MS);
  }
}

/** In the middle of the run. */
async function freeze(
  workers: readonly ChildProcess[],
  peer: Contestant,
  forMs: number,
  target: Target,
): Promise<void> {
  const hasEnded = () => workers.every((worker) => worker.exitCode !== null);
  while ((await target.stats()).calls < peer.ids / 3 && !hasEnded()) await sleep(LOOK_MS);
  const half = workers.slice(0, Math.floor(workers.length / 2));
  for (const worker of half) worker.kill("SIGSTOP");
  await sleep(forMs);
  for (const worker of half) worker.kill("SIGCONT");
}

async function end(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const ended = once(worker, "exit");
  worker.kill("SIGKILL");
  await ended;
}
