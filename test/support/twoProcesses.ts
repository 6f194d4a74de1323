/**
 * Weir in two workerd processes, so that half of a run's lanes can be frozen as a machine freezes them.
 *
 * The near one has the API, the Run objects and the consumers of half the queues; the far one has nothing but the
 * consumers of the other half. Miniflare's dev registry binds them: the far lanes reach the near Run objects by RPC
 * over a socket, and R2 and D1 are the near one's for both. `freeze` is SIGSTOP: the far process' clocks, timers and
 * sockets stand still, the kernel goes on taking what is sent to it. Both run the product as it is; the far entry
 * (`farLanes.ts`) only puts a gate between its lanes and the Run.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare, NoOpLog, type V4WorkerOptions } from "miniflare";
import { loadBundle } from "../../src/cli/runtime/bundle.ts";
import { readMigrations } from "../../src/cli/runtime/migrations.ts";
import { workerBuild } from "../../src/cli/runtime/workerBuild.ts";
import { CHUNK_QUEUES } from "../../src/core/limits.ts";
import type { PartMeta } from "../../src/core/protocol.ts";
import { isEnded, type RunView } from "../../src/core/run/runView.ts";
import { applyMigrations } from "../../src/storage/index/migrate.ts";
import type { GateView } from "./farLanes.ts";
import { commandLine, killAll, processTree } from "./processTree.ts";
import { until } from "./until.ts";
import { parseRows, type TestRow } from "./weir.ts";

const TOKEN = "the-token-of-two-processes-0123456789";
const NEAR = "near";
const queues = Array.from({ length: CHUNK_QUEUES }, (_, queue) => queue);

/** Starts both; `close` ends them and removes their folder. */
export async function startTwoProcesses(): Promise<TwoProcesses> {
  const folder = mkdtempSync(join(tmpdir(), "weir-two-"));
  const { options, modules } = loadBundle();
  const isFar = (queue: number) => queue >= CHUNK_QUEUES / 2;
  const near = start(folder, NEAR, {
    ...options,
    modules,
    queueConsumers: consumersOf(options, (queue) => !isFar(queue)),
  });
  // The older of the two owns the storage that both share.
  await near.ready;
  await applyMigrations(await near.getD1Database("DB"), readMigrations());
  const nearWorkerds = new Set(workerds());
  const far = start(folder, "far", {
    ...options,
    ...code(await bundleFarLanes()),
    queueConsumers: consumersOf(options, isFar),
    durableObjects: { RUN: { className: "RunObject", scriptName: NEAR } },
  });
  await far.ready;
  const farPid = workerds().find((pid) => !nearWorkerds.has(pid));
  if (farPid === undefined) throw new Error("the far process has no workerd");
  const [api, gate] = [await near.unsafeGetDirectURL(NEAR), await far.unsafeGetDirectURL("far")];
  return new TwoProcesses({ folder, near, far, farPid, api, gate });
}

interface Parts {
  readonly folder: string;
  readonly near: Miniflare;
  readonly far: Miniflare;
  readonly farPid: number;
  readonly api: URL;
  readonly gate: URL;
}

export class TwoProcesses {
  readonly #parts: Parts;
  /** A stopped process would outlive this one. */
  readonly #onExit = () => killAll([this.#parts.farPid]);

  constructor(parts: Parts) {
    this.#parts = parts;
    process.once("exit", this.#onExit);
  }

  async startRun(spec: object): Promise<RunView> {
    const answer = await this.#ask("/v1/runs", spec);
    if (answer.status !== 201) throw new Error(`refused: ${await answer.text()}`);
    return (await answer.json()) as RunView;
  }

  async view(run: string): Promise<RunView> {
    return (await (await this.#ask(`/v1/runs/${run}`)).json()) as RunView;
  }

  async ended(run: string, withinMs: number): Promise<RunView> {
    return until(
      "the run's end",
      async () => {
        const view = await this.view(run);
        return isEnded(view.status) && view;
      },
      withinMs,
    );
  }

  async rows(run: string): Promise<TestRow[]> {
    return parseRows(await (await this.#ask(`/v1/runs/${run}/results`)).text());
  }

  async manifest(run: string): Promise<PartMeta[]> {
    const parts: PartMeta[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const from: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const answer = await this.#ask(`/v1/runs/${run}/manifest?limit=1000${from}`);
      const page = (await answer.json()) as { parts: PartMeta[]; cursor: string | null };
      parts.push(...page.parts);
      cursor = page.cursor;
    }
    return parts;
  }

  /** The far process stops in the middle of whatever it does. */
  freeze(): void {
    process.kill(this.#parts.farPid, "SIGSTOP");
  }

  thaw(): void {
    process.kill(this.#parts.farPid, "SIGCONT");
  }

  /** From now on commits of far lanes are not delivered; `openGate` delivers them. */
  shutGate(): Promise<GateView> {
    return this.#askGate("/shut");
  }

  openGate(): Promise<GateView> {
    return this.#askGate("/open");
  }

  gate(): Promise<GateView> {
    return this.#askGate("/");
  }

  async close(): Promise<void> {
    const { near, far, folder, farPid } = this.#parts;
    this.thaw();
    await Promise.all([far.dispose(), near.dispose()]);
    killAll([farPid]);
    process.removeListener("exit", this.#onExit);
    rmSync(folder, { recursive: true, force: true });
  }

  #ask(path: string, body?: object): Promise<Response> {
    return fetch(new URL(path, this.#parts.api), {
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    });
  }

  async #askGate(path: string): Promise<GateView> {
    return (await (await fetch(new URL(path, this.#parts.gate))).json()) as GateView;
  }
}

function start(folder: string, name: string, worker: V4WorkerOptions): Miniflare {
  const own = join(folder, name);
  mkdirSync(own);
  const options = convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    log: new NoOpLog(),
    logRequests: false,
    handleStructuredLogs: () => {},
    unsafeDevRegistryPath: join(folder, "registry"),
    resourcePersistencePath: join(folder, "shared"),
    isolatedResourcePersistencePath: own,
    workers: [
      {
        ...worker,
        name,
        bindings: { WEIR_TOKEN: TOKEN, WEIR_GENERATION: "1", WEIR_INVOCATIONS: String(CHUNK_QUEUES) },
        unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      },
    ],
  });
  return new Miniflare({ ...options, unsafeEnableSharedStorage: true });
}

function code(contents: string) {
  return { modules: [{ type: "ESModule" as const, path: "worker.js", contents }] };
}

function consumersOf(options: V4WorkerOptions, has: (queue: number) => boolean) {
  const consumer = { maxBatchSize: 1, maxBatchTimeout: 0, maxRetries: 3 };
  const names = Object.keys(options.queueConsumers ?? {});
  if (names.length !== CHUNK_QUEUES) throw new Error(`consumers of ${CHUNK_QUEUES} queues, not ${names}`);
  return Object.fromEntries(queues.filter(has).map((queue) => [`weir-lanes-${queue}`, consumer]));
}

async function bundleFarLanes(): Promise<string> {
  const { outputFiles } = await build({
    ...workerBuild(),
    entryPoints: [resolve(import.meta.dirname, "farLanes.ts")],
    write: false,
  });
  return outputFiles[0]?.text ?? "";
}

function workerds(): number[] {
  return processTree(process.pid).filter((pid) => /\bworkerd serve\b/.test(commandLine(pid)));
}
