/** When the target as a whole is the trouble, no item pays for it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { until } from "../../support/until.ts";
import { idLines, Workspace } from "../../support/weir.ts";

const IDS = 600;

describe("a target in trouble", () => {
  let home: Workspace;
  let workspace: Workspace;
  let target: Target;

  beforeAll(async () => {
    home = new Workspace();
    await home.dev();
  });
  afterAll(() => home.close());
  beforeEach(async () => {
    workspace = home.beside();
    target = await spawnTarget({ latencyMs: [10, 30] });
    workspace.write("ids.txt", idLines(IDS));
  });
  afterEach(async () => {
    await workspace.close();
    await target.close();
  });

  const start = () => {
    const url = `${target.url}/v1/users/{{item}}`;
    const limits = ["--rate", "200/s", "--parallel", "20", "--chunk", "30"];
    return workspace.start(["run", "--input", "ids.txt", "--url", url, "--out", "rows.jsonl", ...limits]);
  };
  const someCalls = () => until("some calls", async () => (await target.stats()).calls > 150);
  const expectAllOk = () => {
    const rows = workspace.rows("rows.jsonl");
    expect(rows.map((row) => row.index)).toEqual(Array.from({ length: IDS }, (_, i) => i));
    expect(rows.filter((row) => !row.ok)).toEqual([]);
  };

  test("that is down is probed with single calls, and no item fails", async () => {
    const running = start();
    const run = await running.runId();
    await someCalls();
    await target.set({ down: true });
    await until("the run to say that the target is down", async () =>
      /down/.test((await workspace.status(run)).why),
    );
    await target.set({ down: false });
    const ended = await running.finished();
    expect(ended.exitCode, ended.stderr).toBe(0);
    expectAllOk();
  });

  test("that takes no connection for ten seconds while the last 50 items are called fails none of them", async () => {
    const running = start();
    const run = await running.runId();
    await until("the last calls", async () => (await target.stats()).calls > IDS - 50);
    await target.set({ down: true });
    await until("ten seconds without a connection", async () =>
      /no connection for 1\d s, connection refused by 127\.0\.0\.1:\d+/.test(
        (await workspace.status(run)).why,
      ),
    );
    await target.set({ down: false });
    const ended = await running.finished();
    expect(ended.exitCode, ended.stderr).toBe(0);
    expectAllOk();
  });

  test("that refuses the credentials pauses the run, and the refused items are tried again on resume", async () => {
    // From the first call on: an answer accepted in between would make a refusal that item's own.
    await target.set({ refuseFromCall: 1 });
    const running = start();
    const run = await running.runId();
    const ended = await running.finished();
    expect(ended.exitCode, ended.stderr).toBe(5);
    const view = await workspace.status(run);
    expect(view).toMatchObject({ status: "paused", counts: { failed: 0 } });
    expect(view.why).toContain("refuses every call (401 Unauthorized");

    await target.set({ refuseFromCall: Number.MAX_SAFE_INTEGER });
    const resumed = await workspace.weir(["run", "--resume", run, "--out", "rows.jsonl"]);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expectAllOk();
  });

  test("that answers nothing but errors pauses the run at the tolerated share of failures", async () => {
    await target.set({ missingShare: 1 });
    const running = start();
    const run = await running.runId();
    const ended = await running.finished();
    expect(ended.exitCode, ended.stderr).toBe(5);
    const view = await workspace.status(run);
    expect(view.status).toBe("paused");
    expect(view.counts.done).toBeLessThan(IDS);
    expect((await target.stats()).calls).toBe(view.counts.attempts);
  });
});
