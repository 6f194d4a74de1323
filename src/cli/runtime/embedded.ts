/**
 * The embedded runtime: this process's own workerd, by way of Miniflare, with its state in the state folder.
 *
 * Invariants: it listens on loopback only; it never outlives this process (`watchdog.ts`); its token is new in
 * every process. The API is served by a socket that leads straight to the Worker, past Miniflare's own entry, which
 * answers development paths without a token.
 */
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import type { Miniflare } from "miniflare";
import { CommandError, UsageError } from "../exit.ts";
import { endProcess, type ProcessId } from "../process/processes.ts";
import { recordedWorkerd, recordWorkerd, startWatchdog, type Watchdog } from "../process/watchdog.ts";
import { say } from "../rows/output.ts";
import { printable } from "../words/printable.ts";
import { TaskLines } from "../words/taskLines.ts";
import { type Bundle, loadBundle } from "./bundle.ts";
import { setDamagedIndexAside } from "./damagedIndex.ts";
import { embeddedWorkers, WEIR } from "./embeddedWorkers.ts";
import { keepSchema } from "./migrations.ts";
import { loadMiniflare } from "./miniflareCopy.ts";
import { requireOpenFiles } from "./openFiles.ts";
import { findConfig } from "./ownConfig.ts";
import { openRuntimeLog, type RuntimeLog } from "./runtimeLog.ts";
import { bucketName, emptyTmp, type StateFolder } from "./stateFolder.ts";

export interface Embedded {
  /** `http://127.0.0.1:<port>`. */
  readonly address: string;
  readonly token: string;
  readonly workerd: ProcessId | null;
  /** The cron triggers' turn: the runtime does not fire them by itself. */
  tick(): Promise<void>;
  /** A request to the API began to compute and has not ended since: whatever hangs or died, no item did it. */
  isComputingRequest(): boolean;
  /** Ends workerd and waits until it is gone. */
  stop(): Promise<void>;
}

/**
 * While V8 collects garbage no call leaves, and workerd has it collect all at once: what is not over within a call's
 * grace is lost. A young generation of 2 MB and a heap that grows by V8's MemBalancer (Kirisame et al., "Optimal heap
 * limits for reducing browser memory use", 2022) make it often and short. docs/design/runtime.md has the figures.
 */
const V8_FLAGS = [
  "--max-semi-space-size=2",
  "--initial-old-space-size=7",
  "--memory-balancer",
  "--memory-balancer-c-value=3e-9",
].join(" ");
const STOP_MS = 5000;
const require = createRequire(import.meta.url);
/** Exit hooks of Miniflare that end the process at the first Ctrl-C: that decision is the command's. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface EmbeddedOptions {
  readonly generation: string;
  /** Generations of this process whose runtime hung or died: their runs go on in this one. */
  readonly succeeds: readonly string[];
  /** The last one ended for a reason that lies in none of its items. */
  readonly blameless: boolean;
  /** 0 takes a free one. */
  readonly port: number;
  /** Null makes a new one. */
  readonly token: string | null;
  /** This process stays: schedules may fire in it. */
  readonly drivesSchedules: boolean;
  /** See `keepSchema`. */
  readonly repairs: boolean;
  /** Gets lines that tasks say on their console, ready to be printed. */
  readonly taskSaid: (line: string) => void;
}

/** Starts workerd. The caller owns the folder. Throws UsageError for a port in use. */
export async function startEmbedded(folder: StateFolder, options: EmbeddedOptions): Promise<Embedded> {
  requireOpenFiles();
  const bundle = loadBundle(findConfig(process.cwd()));
  const bucket = bucketName(folder);
  emptyTmp(folder);
  const aside = options.repairs ? await setDamagedIndexAside(folder) : null;
  if (aside !== null) say(`the damaged index is set aside as ${printable(aside)}, which may be deleted`);
  process.env.TMPDIR = folder.tmp;
  process.env.MINIFLARE_WORKERD_V8_FLAGS ??= V8_FLAGS;
  recordWorkerd(folder, require("workerd").default);
  const watchdog = startWatchdog(folder);
  const token = options.token ?? randomBytes(32).toString("base64url");
  const log = openRuntimeLog(folder.workerdLog, options.succeeds.length > 0);
  const taskLines = new TaskLines(folder.workerdLog);
  const logged: RuntimeLog["write"] = (line) => {
    log.write(line);
    for (const said of taskLines.of(line.message, performance.now())) options.taskSaid(said);
  };
  const miniflare = withoutExitHooks(() =>
    createMiniflare(bundle, { bucket, folder, ...options, token, logged }),
  );
  const stop = () => stopEmbedded({ miniflare, folder, watchdog, closeLog: log.close });
  try {
    await miniflare.ready;
    const entrance = async () => ({ url: await miniflare.unsafeGetDirectURL(WEIR, "Schema"), token });
    await keepSchema(folder, entrance, options.repairs);
    const url = await miniflare.unsafeGetDirectURL(WEIR);
    const tick = () => fireCron(miniflare);
    const { isComputingRequest } = log;
    return { address: url.origin, token, workerd: recordedWorkerd(folder), tick, isComputingRequest, stop };
  } catch (error) {
    await stop();
    throw explain(error, options.port);
  }
}

function createMiniflare(
  bundle: Bundle,
  input: {
    readonly bucket: string;
    readonly folder: StateFolder;
    readonly generation: string;
    readonly succeeds: readonly string[];
    readonly blameless: boolean;
    readonly port: number;
    readonly token: string;
    readonly drivesSchedules: boolean;
    readonly logged: RuntimeLog["write"];
  },
): Miniflare {
  const secrets = Object.entries(process.env).filter(([name]) => name.startsWith("WEIR_SECRET_"));
  const { convertV4MiniflareOptions, Miniflare, NoOpLog } = loadMiniflare();
  return new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new NoOpLog(),
      logRequests: false,
      telemetry: { enabled: false },
      unsafeTriggerHandlers: true,
      resourcePersistencePath: input.folder.data,
      handleStructuredLogs: input.logged,
      workers: embeddedWorkers(bundle, {
        bucket: input.bucket,
        bindings: {
          ...Object.fromEntries(secrets),
          WEIR_TOKEN: input.token,
          WEIR_GENERATION: input.generation,
          WEIR_SUCCEEDS: input.succeeds.join(" "),
          ...(input.drivesSchedules ? { WEIR_SCHEDULES: "driven" } : {}),
          WEIR_BLAMELESS: input.blameless ? "yes" : "no",
        },
        sockets: [
          { host: "127.0.0.1", port: input.port },
          { host: "127.0.0.1", port: 0, entrypoint: "Schema" },
        ],
      }),
    }),
  );
}

async function stopEmbedded(parts: {
  readonly miniflare: Miniflare;
  readonly folder: StateFolder;
  readonly watchdog: Watchdog;
  readonly closeLog: () => void;
}): Promise<void> {
  // Miniflare starts a workerd anew that ends before it is disposed of, and waits for one that does not answer: it is
  // disposed of first, and workerd ended meanwhile. What that holds in memory is of no worth: everything that counts
  // is on disk before it is answered.
  const workerd = recordedWorkerd(parts.folder);
  const disposed = parts.miniflare.dispose().catch(() => {});
  const isGone = workerd === null || (await endProcess(workerd, STOP_MS));
  await disposed;
  parts.closeLog();
  // Otherwise the watchdog goes on trying when this process ends.
  if (isGone) parts.watchdog.release();
}

/** By a request, not through Miniflare's proxies: those block this whole process while workerd does not answer. */
async function fireCron(miniflare: Miniflare): Promise<void> {
  const answer = await miniflare.dispatchFetch("http://localhost/cdn-cgi/local/scheduled?cron=*+*+*+*+*");
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`the cron trigger was answered with ${answer.status}`);
}

/** Runs `create` and removes the signal listeners it added. */
function withoutExitHooks<T>(create: () => T): T {
  const before = SIGNALS.map((signal) => process.listeners(signal));
  const created = create();
  for (const [i, signal] of SIGNALS.entries()) {
    for (const listener of process.listeners(signal)) {
      if (!before[i]?.includes(listener)) process.removeListener(signal, listener);
    }
  }
  return created;
}

function explain(error: unknown, port: number): Error {
  const message = error instanceof Error ? error.message : String(error);
  if (/address already in use|EADDRINUSE/i.test(message)) {
    return new UsageError(
      `--port: ${port} is in use on this machine; give another one, or 0 for any free one`,
    );
  }
  if (/SQLITE_(?:CORRUPT|NOTADB)/.test(message)) {
    return new CommandError(
      "a database in the state folder is damaged; where it is the index, weir reindex makes it anew from the stored rows",
    );
  }
  return new CommandError(`the embedded runtime did not start: ${message}`);
}
