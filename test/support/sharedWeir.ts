/**
 * Runs under one named target with the real command: a `weir dev` that works on all of them, and an outside system that
 * writes down whose call each was. A run's items begin with its name.
 */
import type { TargetView } from "../../src/core/target/targetView.ts";
import type { ArrivalLog } from "./arrivals.ts";
import { spawnTarget } from "./spawnTarget.ts";
import type { Target, TargetOptions } from "./targetOptions.ts";
import { until } from "./until.ts";
import { type WeirProcess, Workspace } from "./weir.ts";

const NAME = "crm";
/** Characters enough for a token of one's own. */
const TOKEN = "a-token-of-runs-that-share-0123456789";

export class SharedWeir {
  readonly workspace: Workspace;
  readonly outside: Target;
  readonly address: string;

  private constructor(workspace: Workspace, outside: Target, address: string) {
    this.workspace = workspace;
    this.outside = outside;
    this.address = address;
  }

  /** `limits`: flags of `weir target set`. */
  static async start(limits: readonly string[], options: TargetOptions): Promise<SharedWeir> {
    const workspace = new Workspace();
    const outside = await spawnTarget({ warm: true, ...options });
    const dev = workspace.start(["dev", "--port", "0"], { WEIR_TOKEN: TOKEN });
    const address = await until("weir dev to be ready", () =>
      dev.stderr.includes("ready")
        ? /http:\/\/127\.0\.0\.1:\d+/.exec(dev.stdout + dev.stderr)?.[0]
        : undefined,
    );
    const set = await workspace.weir(["target", "set", NAME, ...limits]);
    if (set.exitCode !== 0) throw new Error(`weir target set ended with ${set.exitCode}: ${set.stderr}`);
    return new SharedWeir(workspace, outside, address);
  }

  /** A run of `calls` items whose names begin with `who`. */
  run(who: string, calls: number, flags: readonly string[] = []): WeirProcess {
    const spec = {
      source: { kind: "range", from: 0, to: calls },
      task: { kind: "http", url: `${this.outside.url}/v1/users/${who}_{{item}}` },
      quota: { target: NAME },
      maxParallelism: 60,
      chunkSize: 100,
    };
    const file = this.workspace.write(`${who}.json`, JSON.stringify(spec));
    return this.workspace.start(["run", file, "--out", `${who}.jsonl`, ...flags]);
  }

  async target(): Promise<TargetView> {
    const { stdout } = await this.workspace.weir(["target", "show", NAME, "--json"]);
    return JSON.parse(stdout) as TargetView;
  }

  /** What a program asks for; returned with how long the answer took, ms. */
  async permits(ask: object): Promise<{ readonly sendInMs: readonly number[]; readonly tookMs: number }> {
    const sentMs = performance.now();
    const answer = await fetch(`${this.address}/v1/targets/${NAME}/permits`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify(ask),
    });
    const { sendInMs } = (await answer.json()) as { sendInMs: number[] };
    return { sendInMs, tookMs: performance.now() - sentMs };
  }

  async calls(who: string): Promise<number> {
    return arrivalsOf(await this.outside.log(), who).length;
  }

  async close(): Promise<void> {
    await this.workspace.close();
    await this.outside.close();
  }
}

/** When the calls of one run arrived, ascending. */
export function arrivalsOf({ atMs, ids }: ArrivalLog, who: string): number[] {
  return atMs.filter((_, at) => ids[at]?.startsWith(`${who}_`) === true);
}

/** Calls a second in a stretch of time. */
export function rateIn(atMs: readonly number[], fromMs: number, toMs: number): number {
  return (atMs.filter((at) => at >= fromMs && at < toMs).length * 1000) / (toMs - fromMs);
}
