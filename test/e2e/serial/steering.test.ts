/** A run in one process, steered from another; and Ctrl-C. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { until } from "../../support/until.ts";
import { idLines, type WeirProcess, Workspace } from "../../support/weir.ts";

const IDS = 1500;

describe("steering", () => {
  let workspace: Workspace;
  let target: Target;

  beforeEach(async () => {
    workspace = new Workspace();
    target = await spawnTarget({ latencyMs: [10, 30] });
    workspace.write("ids.txt", idLines(IDS));
  });
  afterEach(async () => {
    await workspace.close();
    await target.close();
  });

  const start = (rate: string, ...flags: string[]): WeirProcess => {
    const url = `${target.url}/v1/users/{{item}}`;
    const rest = ["--rate", rate, "--parallel", "20", "--chunk", "50", "--out", "rows.jsonl", ...flags];
    return workspace.start(["run", "--input", "ids.txt", "--url", url, ...rest]);
  };
  const calls = async () => (await target.stats()).calls;
  const someCalls = () => until("some calls", async () => (await calls()) > 100);
  const paused = (run: string) =>
    until("the run to be paused with no lane live", async () => {
      const { status, lanes } = await workspace.status(run);
      return status === "paused" && lanes.live === 0;
    });
  const expectOneCallAndOneRowEach = async () => {
    const { ids } = await target.log();
    expect(ids).toHaveLength(IDS);
    expect(new Set(ids).size).toBe(IDS);
    const indexes = workspace.rows("rows.jsonl").map((row) => row.index);
    expect(indexes).toEqual(Array.from({ length: IDS }, (_, i) => i));
  };

  test("pause stops the calls, resume goes on, and no call is repeated", async () => {
    const running = start("300/s");
    const run = await running.runId();
    await someCalls();
    expect(await workspace.weir(["pause", run])).toMatchObject({ exitCode: 0 });
    await paused(run);
    const before = await calls();
    expect(before).toBeLessThan(IDS);
    expect((await workspace.status(run)).status).toBe("paused");
    expect(await calls()).toBe(before);
    expect(running.child.exitCode).toBeNull();

    expect(await workspace.weir(["resume", run])).toMatchObject({ exitCode: 0 });
    const ended = await running.finished();
    expect(ended.exitCode, ended.stderr).toBe(0);
    await expectOneCallAndOneRowEach();
  });

  test("set changes rate and lanes of a run that is going, in both directions", async () => {
    const running = start("100/s");
    const run = await running.runId();
    await someCalls();
    const perSecond = async () => {
      const { atMs, originEpochMs } = await target.log();
      const sinceMs = Date.now() - originEpochMs - 1000;
      return atMs.filter((at) => at >= sinceMs).length;
    };

    expect(await workspace.weir(["set", run, "--rate", "20/s", "--parallel", "5"])).toMatchObject({
      exitCode: 0,
    });
    await until("the calls to slow down", async () => (await perSecond()) <= 22);
    expect(await workspace.status(run)).toMatchObject({
      rate: { limitPerSecond: 20 },
      lanes: { max: 5 },
      spec: { quota: { requests: "20/s" }, maxParallelism: 5 },
    });
    await until("lanes above the limit to end", async () => (await workspace.status(run)).lanes.live <= 5);

    expect(await workspace.weir(["set", run, "--rate", "500/s", "--parallel", "40"])).toMatchObject({
      exitCode: 0,
    });
    await until("the calls to speed up", async () => (await perSecond()) > 150);
    expect((await running.finished()).exitCode).toBe(0);
    await expectOneCallAndOneRowEach();
  });

  test("Ctrl-C commits, says how to resume and exits with 5; resume repeats nothing", async () => {
    const running = start("300/s");
    const run = await running.runId();
    await someCalls();
    running.interrupt();
    const ended = await running.finished();
    expect(ended.exitCode, ended.stderr).toBe(5);
    expect(ended.stderr).toContain(`weir run --resume ${run}`);
    const before = await calls();
    expect(await workspace.status(run)).toMatchObject({ status: "paused", lanes: { live: 0 } });
    expect(await calls()).toBe(before);

    const resumed = await workspace.weir(["run", "--resume", "--out", "rows.jsonl"]);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    await expectOneCallAndOneRowEach();
  });

  test("cancel ends the run with exit code 4 and keeps the rows it has", async () => {
    const running = start("300/s");
    const run = await running.runId();
    await someCalls();
    expect(await workspace.weir(["cancel", run])).toMatchObject({ exitCode: 0 });
    const ended = await running.finished();
    expect(ended.exitCode, ended.stderr).toBe(4);
    const view = await workspace.status(run);
    expect(view.status).toBe("cancelled");
    const results = await workspace.weir(["results", run]);
    const rows = results.stdout.split("\n").filter((line) => line !== "");
    expect(rows).toHaveLength(view.counts.done);
    expect(view.counts.done).toBeGreaterThan(0);
  });
});
