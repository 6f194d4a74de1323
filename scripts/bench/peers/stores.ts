/**
 * Redis and PostgreSQL for peers: started on a free port of 127.0.0.1 with their files in a folder of their own, and
 * ended with it. Null where the machine has none.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../freePort.ts";
import { sleep } from "../measuredRun.ts";

export interface Store {
  readonly pid: number;
  readonly port: number;
  /** Messages it has answered so far: Lua scripts of Redis, transactions of PostgreSQL. */
  messages(): Promise<number>;
  stop(): Promise<void>;
}

const READY_MS = 20_000;
const STOP_MS = 5000;
/** `nobody`: PostgreSQL refuses to run as root. */
const NOBODY = 65_534;

/** Nothing is written to disk. */
export async function startRedis(): Promise<Store | null> {
  if (spawnSync("redis-server", ["--version"]).error !== undefined) return null;
  const folder = mkdtempSync(join(tmpdir(), "weir-redis-"));
  const port = await freePort();
  const child = spawn(
    "redis-server",
    ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder],
    { stdio: "ignore" },
  );
  await listens(port);
  return {
    pid: child.pid as number,
    port,
    messages: async () => scriptsIn(await redisInfo(port)),
    stop: () => stop(child, folder),
  };
}

/** Scripts run: each is one round trip of a peer's protocol. */
function scriptsIn(info: string): number {
  const calls = info.matchAll(/^cmdstat_(?:eval|evalsha|fcall):calls=(\d+)/gm);
  return [...calls].reduce((sum, [, count]) => sum + Number(count), 0);
}

function redisInfo(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.end("INFO commandstats\r\nQUIT\r\n"));
    let text = "";
    socket.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
    socket.once("close", () => resolve(text)).once("error", reject);
  });
}

/** A fresh cluster that does not wait for the disk: what is measured is pacing, not storage. */
export async function startPostgres(): Promise<Store | null> {
  const bin = postgresFolder();
  if (bin === null) return null;
  const folder = mkdtempSync(join(tmpdir(), "weir-postgres-"));
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if ("uid" in user) chownSync(folder, NOBODY, NOBODY);
  chmodSync(folder, 0o700);
  execFileSync(join(bin, "initdb"), ["-D", folder, "-U", "postgres", "-A", "trust"], {
    stdio: "ignore",
    cwd: folder,
    ...user,
  });
  const port = await freePort();
  const child = spawn(
    join(bin, "postgres"),
    ["-D", folder, "-p", String(port), "-h", "127.0.0.1", "-k", folder, "-F", "-c", "max_connections=200"],
    { stdio: "ignore", cwd: folder, ...user },
  );
  await listens(port);
  return {
    pid: child.pid as number,
    port,
    messages: async () => transactions(join(bin, "psql"), port),
    stop: () => stop(child, folder),
  };
}

function transactions(psql: string, port: number): number {
  const query = "SELECT coalesce(sum(xact_commit + xact_rollback), 0) FROM pg_stat_database";
  const args = ["-h", "127.0.0.1", "-p", String(port), "-U", "postgres", "-Atc", query, "postgres"];
  return Number(execFileSync(psql, args, { encoding: "utf8" }));
}

/** Debian keeps each version's programs in a folder of its own. */
function postgresFolder(): string | null {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = versions.map((version) => join(root, version, "bin"));
  return folders.find((folder) => existsSync(join(folder, "initdb"))) ?? null;
}

async function listens(port: number): Promise<void> {
  const untilMs = performance.now() + READY_MS;
  while (performance.now() < untilMs) {
    const isOpen = await new Promise<boolean>((done) => {
      const socket = connect(port, "127.0.0.1", () => done(true)).once("error", () => done(false));
      socket.unref();
    });
    if (isOpen) return;
    await sleep(50);
  }
  throw new Error(`nothing listens on port ${port} after ${READY_MS / 1000} s`);
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, "exit");
    child.kill("SIGINT");
    const isGone = await Promise.race([ended.then(() => true), sleep(STOP_MS).then(() => false)]);
    if (!isGone) {
      child.kill("SIGKILL");
      await ended;
    }
  }
  rmSync(folder, { recursive: true, force: true });
}
