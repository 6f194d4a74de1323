/** Whatever ends the command from outside, to it alone or to its group: the run is paused, and no call is lost. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunView } from "../../../src/core/run/runView.ts";
import { processTree } from "../../support/processTree.ts";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { until } from "../../support/until.ts";
import { idLines, type WeirProcess, Workspace } from "../../support/weir.ts";

let workspace: Workspace;
let target: Target;
beforeEach(async () => {
  workspace = new Workspace();
  target = await spawnTarget({ latencyMs: [50, 150] });
  workspace.write("ids.txt", idLines(400));
});
afterEach(async () => {
  await workspace.close();
  await target.close();
});

const calls = async () => (await target.stats()).calls;
const flags = (rate: string) => [
  ...["--input", "ids.txt", "--url", `${target.url}/v1/users/{{item}}`, "--rate", rate],
  ...["--out", "rows.jsonl"],
];

async function underWay(...more: string[]): Promise<WeirProcess> {
  const running = workspace.startGroup(["run", ...flags("40/s"), ...more]);
  await until("some calls", async () => (await calls()) > 20);
  workspace.note(processTree(running.pid));
  return running;
}

/** Files of the bucket, whatever they are. */
function storedFiles(): string[] {
  const names = readdirSync(join(workspace.folder, ".weir"), { recursive: true, encoding: "utf8" });
  return names.filter((name) => /\/blobs\/./.test(name));
}

describe("an upload", () => {
  test("of an endless stream ends with Ctrl-C, and nothing of it is kept", async () => {
    const pipe = join(workspace.folder, "endless");
    execFileSync("mkfifo", [pipe]);
    const writer = spawn("sh", ["-c", 'exec yes > "$0"', pipe]);
    try {
      const url = `${target.url}/v1/users/{{item}}`;
      const running = workspace.startGroup(["run", "--input", pipe, "--url", url]);
      await until(
        "some pieces",
        () => existsSync(join(workspace.folder, ".weir")) && storedFiles().length > 3,
      );
      workspace.note(processTree(running.pid));
      process.kill(-running.pid, "SIGINT");
      const { exitCode, stderr } = await running.finished();
      expect({ exitCode, stderr }).toEqual({
        exitCode: 130,
        stderr: "weir: the upload was given up: nothing is kept\n",
      });
      expect(storedFiles()).toEqual([]);
    } finally {
      writer.kill();
    }
  });
});

describe("a run", () => {
  const toOne = (running: WeirProcess, signal: NodeJS.Signals) => process.kill(running.pid, signal);
  const toGroup = (running: WeirProcess, signal: NodeJS.Signals) => process.kill(-running.pid, signal);
  /** As `timeout` does it. */
  const toBoth = (running: WeirProcess, signal: NodeJS.Signals) => {
    toOne(running, signal);
    toGroup(running, signal);
  };

  test.each([
    ["SIGTERM to the command", "SIGTERM", toOne],
    ["SIGTERM to its group", "SIGTERM", toGroup],
    ["SIGTERM to both", "SIGTERM", toBoth],
    ["SIGHUP to its group", "SIGHUP", toGroup],
    ["Ctrl-C", "SIGINT", toGroup],
  ] as const)("is paused by %s, with every call committed", async (_, signal, send) => {
    const running = await underWay("--json");
    send(running, signal);
    const { exitCode, stderr, stdout } = await running.finished();
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 5, stderr: expect.not.stringMatching(/died/) });
    const { status, counts } = JSON.parse(stdout) as RunView;
    expect({ status, done: counts.done }).toEqual({ status: "paused", done: await calls() });
  });

  test("goes on when nobody reads what it says", async () => {
    const running = workspace.start(["run", ...flags("400/s")]);
    await until("some calls", async () => (await calls()) > 5);
    running.child.stderr?.destroy();
    const [exitCode] = await once(running.child, "exit");
    expect(exitCode).toBe(0);
    expect(workspace.rows("rows.jsonl")).toHaveLength(400);
  });

  test("is stopped and continued with its command", async () => {
    const running = await underWay();
    process.kill(-running.pid, "SIGTSTP");
    const stopped = await until("no further call", async () => {
      const before = await calls();
      await new Promise((next) => setTimeout(next, 1000));
      return (await calls()) === before ? before : undefined;
    });
    process.kill(-running.pid, "SIGCONT");
    await until("further calls", async () => (await calls()) > stopped);
  });
});
