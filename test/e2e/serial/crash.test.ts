/** `kill -9` at any moment: on resume every id has exactly one row. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { killAndResume, repeatedCalls, wrongRows } from "../../support/killedRun.ts";
import { neededBurst } from "../../support/neededBurst.ts";
import { isAlive, killAll } from "../../support/processTree.ts";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { until } from "../../support/until.ts";
import { idLines, type WeirProcess, Workspace } from "../../support/weir.ts";

const IDS = 2000;
/** A workerd whose command died ends within this time: a promise, not a measurement. */
const ORPHAN_ENDS_WITHIN_MS = 5000;

describe("after kill -9", () => {
  let workspace: Workspace;
  let target: Target;
  let running: WeirProcess;
  let run: string;
  let tree: number[];

  const runFlags = () => {
    const url = `${target.url}/v1/users/{{item}}`;
    const limits = ["--rate", "400/s", "--parallel", "30", "--chunk", "100"];
    return ["run", "--input", "ids.txt", "--url", url, "--out", "rows.jsonl", ...limits];
  };
  const calls = async () => (await target.stats()).calls;

  beforeEach(async () => {
    workspace = new Workspace();
    target = await spawnTarget({ latencyMs: [20, 60] });
    workspace.write("ids.txt", idLines(IDS));
    running = workspace.start(runFlags());
    run = await running.runId();
    await until("the middle of the run", async () => (await calls()) > IDS / 3);
    tree = running.tree();
    workspace.note(tree);
    expect(tree.length).toBeGreaterThan(1);
  });
  afterEach(async () => {
    await workspace.close();
    await target.close();
  });

  const resumeAndExpectOneRowEach = async () => {
    const resumed = await workspace.weir([...runFlags(), "--resume"]);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    const rows = workspace.rows("rows.jsonl");
    expect(rows.map((row) => row.index)).toEqual(Array.from({ length: IDS }, (_, i) => i));
    expect(rows.every((row) => row.ok && row.item === `u_${row.index}`)).toBe(true);
    expect(await workspace.status(run)).toMatchObject({
      status: "completed",
      counts: { done: IDS, ok: IDS },
    });
  };

  test("of the whole process tree, the same command with --resume completes the run", async () => {
    killAll(tree);
    await until("the tree to be gone", () => tree.every((pid) => !isAlive(pid)));

    const before = await calls();
    expect(before).toBeLessThan(IDS);
    const view = await workspace.status(run);
    expect(view.status).toBe("running");
    expect(view.counts.done).toBeLessThanOrEqual(before);
    expect(await calls(), "weir status calls no target").toBe(before);

    await resumeAndExpectOneRowEach();
  });

  test("of the command alone, its workerd ends by itself and the run completes on resume", async () => {
    killAll([running.pid]);
    await until("the orphans to end", () => tree.every((pid) => !isAlive(pid)), ORPHAN_ENDS_WITHIN_MS);
    await resumeAndExpectOneRowEach();
  });

  test("of the command alone, a resume at once still leaves one row each", async () => {
    killAll([running.pid]);
    await resumeAndExpectOneRowEach();
    expect(tree.every((pid) => !isAlive(pid))).toBe(true);
  });
});

test("after kill -9 again and again, at any moment, every id has one row and no bound was passed", async () => {
  const workspace = new Workspace();
  const target = await spawnTarget({ latencyMs: [20, 60] });
  try {
    const [ids, kills, lanes, ratePerSecond] = [3000, 3, 30, 500];
    const limits = ["--rate", `${ratePerSecond}/s`, "--parallel", String(lanes), "--chunk", "50"];
    const options = { ids, kills, flags: limits, withinMs: 3500, random: Math.random };
    const killed = await killAndResume(workspace, target, options);
    const at = `killed after ${killed.moments.join(", ")} ms: ${killed.ended.stderr}`;
    expect(killed.ended.exitCode, at).toBe(0);
    expect(killed.rows, at).toHaveLength(ids);
    expect(wrongRows(killed.rows, ids), at).toBe(0);
    expect(repeatedCalls(killed.log), at).toBeLessThanOrEqual(kills * lanes * 50);
    expect(killed.stats.maxInFlight, at).toBeLessThanOrEqual(lanes);
    expect(neededBurst(killed.log.atMs, ratePerSecond), at).toBeLessThanOrEqual(76);
  } finally {
    await workspace.close();
    await target.close();
  }
});

describe("a state folder in use", () => {
  test("refuses a second weir run, and lets others read", async () => {
    const workspace = new Workspace();
    const target = await spawnTarget();
    try {
      workspace.write("ids.txt", idLines(200));
      const flags = ["--input", "ids.txt", "--url", `${target.url}/v1/users/{{item}}`, "--rate", "50/s"];
      const running = workspace.start(["run", ...flags]);
      const run = await running.runId();
      const second = await workspace.weir(["run", ...flags]);
      expect(second.exitCode, second.stderr).toBe(2);
      expect(second.stderr).toContain(`in use by weir run (pid ${running.pid})`);
      expect((await workspace.status(run)).id).toBe(run);
      expect((await running.finished()).exitCode).toBe(0);
      expect((await target.stats()).calls).toBe(200);
    } finally {
      await workspace.close();
      await target.close();
    }
  });
});
