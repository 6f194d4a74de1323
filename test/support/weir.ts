/**
 * The real `weir` command as tests and measurements start it: a child process with its own state folder.
 * `close` of the folder kills every process that was started on it and removes it: nothing is left behind.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { RunView } from "../../src/core/run/runView.ts";
import { isAlive, killAll, processTree } from "./processTree.ts";
import { until } from "./until.ts";

const COMMAND = resolve(import.meta.dirname, "../../src/cli/weir.js");

export interface Finished {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A `weir` command that was started. */
export class WeirProcess {
  readonly pid: number;
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly #exit: Promise<unknown[]>;

  constructor(
    args: readonly string[],
    options: { command: string; cwd: string; env: Readonly<Record<string, string>>; ownGroup?: boolean },
  ) {
    this.child = spawn(process.execPath, [options.command, ...args], {
      cwd: options.cwd,
      env: { ...process.env, NO_COLOR: "1", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: options.ownGroup === true,
    });
    this.pid = this.child.pid as number;
    this.#exit = once(this.child, "close");
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
  }

  async finished(): Promise<Finished> {
    const [exitCode] = await this.#exit;
    return { exitCode: exitCode as number | null, stdout: this.stdout, stderr: this.stderr };
  }

  /** The run's id: the first line on stderr. */
  runId(): Promise<string> {
    return until(`a run id from weir (stderr: ${this.stderr})`, () => {
      if (this.child.exitCode !== null) throw new Error(`weir ended before it named a run: ${this.stderr}`);
      return /\b(r_[a-z0-9]+)/.exec(this.stderr.split("\n", 1)[0] ?? "")?.[1];
    });
  }

  interrupt(): void {
    this.child.kill("SIGINT");
  }

  /** Processes of this command that are alive now. */
  tree(): number[] {
    return processTree(this.pid);
  }
}

/** A `weir dev` that is ready. */
export interface Dev {
  readonly process: WeirProcess;
  /** `http://127.0.0.1:<port>`. */
  readonly address: string;
  readonly token: string;
}

/** Where commands keep their state unless they get `--state`. */
const STATE = ".weir";

/** A place of its own for commands: working directory and state folder. */
export class Workspace {
  readonly folder = mkdtempSync(join(tmpdir(), "weir-test-"));
  readonly #started: WeirProcess[] = [];
  /** Processes seen in any tree: workerd may outlive the command that started it. */
  readonly #seen = new Set<number>();
  readonly #command: string;

  /** `command`: the path of `weir`, where it is not this project's own. */
  constructor(command = COMMAND) {
    this.#command = command;
  }

  /** A working directory of its own with the state of this one: its commands reach what runs on that. */
  beside(): Workspace {
    const other = new Workspace(this.#command);
    mkdirSync(join(this.folder, STATE), { recursive: true, mode: 0o700 });
    symlinkSync(join(this.folder, STATE), join(other.folder, STATE));
    return other;
  }

  /** Starts `weir dev`: later commands on its state connect to it, where each would have to start a runtime. */
  async dev(env: Readonly<Record<string, string>> = {}): Promise<Dev> {
    const started = this.start(["dev", "--port", "0"], env);
    const isReady = () => {
      if (started.child.exitCode !== null) throw new Error(`weir dev has ended: ${started.stderr}`);
      return started.stderr.includes("ready") && /^(\S+)\/#token=(\S+)/.exec(started.stdout)?.slice(1);
    };
    // The first one may have to build what it runs.
    const [address = "", token = ""] = await until("weir dev to be ready", isReady, 90_000);
    return { process: started, address, token };
  }

  /** Writes a file into the folder and returns its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  read(name: string): string {
    return readFileSync(join(this.folder, name), "utf8");
  }

  /** The rows of a results file, in the order in which they stand. */
  rows(name: string): TestRow[] {
    return parseRows(this.read(name));
  }

  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): WeirProcess {
    return this.#launch(args, { env });
  }

  /** As `start`, as the first process of a group of its own: the group can be signalled. */
  startGroup(args: readonly string[]): WeirProcess {
    return this.#launch(args, { env: {}, ownGroup: true });
  }

  #launch(
    args: readonly string[],
    options: { readonly env: Readonly<Record<string, string>>; readonly ownGroup?: boolean },
  ): WeirProcess {
    const started = new WeirProcess(args, { command: this.#command, cwd: this.folder, ...options });
    this.#started.push(started);
    return started;
  }

  /** Runs a command to its end. */
  async weir(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
    return this.start(args, env).finished();
  }

  /** The run as `weir status RUN --json` tells it. */
  async status(run: string): Promise<RunView> {
    const { exitCode, stdout, stderr } = await this.weir(["status", run, "--json"]);
    if (exitCode !== 0) throw new Error(`weir status ended with ${exitCode}: ${stderr}`);
    return JSON.parse(stdout) as RunView;
  }

  /** Notes the processes a command has now, so that `close` finds them after their parent is gone. */
  note(pids: readonly number[]): void {
    for (const pid of pids) this.#seen.add(pid);
  }

  async close(): Promise<void> {
    for (const started of this.#started) {
      if (started.child.exitCode === null && started.child.signalCode === null) this.note(started.tree());
    }
    const left = [...this.#seen].filter(isAlive);
    killAll(left);
    await until("the processes to be gone", () => left.every((pid) => !isAlive(pid)));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A row as a test looks at it. */
export interface TestRow {
  readonly index: number;
  readonly item: unknown;
  readonly ok: boolean;
  readonly status?: number;
  readonly attempts: number;
  readonly throttles: number;
  readonly value?: unknown;
  readonly error?: {
    readonly kind: string;
    readonly message: string;
    readonly retryable: boolean;
    readonly detail?: string;
  };
}

export function parseRows(ndjson: string): TestRow[] {
  return ndjson
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as TestRow);
}

/** `u_0 … u_(n-1)`, one a line. */
export function idLines(count: number): string {
  return Array.from({ length: count }, (_, i) => `u_${i}\n`).join("");
}
