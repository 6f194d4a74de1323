/** Schedules with the real command: driven by `weir dev`, fired by hand and by its clock. */
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RunView } from "../../../src/core/run/runView.ts";
import type { FireView, ScheduleView } from "../../../src/core/schedule/scheduleView.ts";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { until } from "../../support/until.ts";
import { Workspace } from "../../support/weir.ts";

let workspace: Workspace;
let target: Target;
beforeEach(async () => {
  workspace = new Workspace();
  target = await spawnTarget({ latencyMs: [5, 15] });
  const spec = {
    name: "changes of {{scheduledAt}}",
    source: { kind: "items", items: Array.from({ length: 60 }, (_, i) => `u_${i}`) },
    task: {
      kind: "http",
      url: `${target.url}/v1/users/{{item}}?since={{watermark}}&until={{scheduledAt}}`,
    },
    // A run goes on until its rate is taken away.
    quota: { requests: "1/s" },
  };
  workspace.write("spec.json", JSON.stringify(spec));
});
afterEach(async () => {
  await workspace.close();
  await target.close();
});

type Shown = ScheduleView & { readonly runs: readonly FireView[] };
/** The command's JSON; it must end well. */
async function weir<T>(...args: string[]): Promise<T> {
  const { exitCode, stdout, stderr } = await workspace.weir(["schedule", ...args, "--json"]);
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout) as T;
}
const YEARLY = ["--cron", "0 0 29 2 *"];
const add = (...flags: string[]) =>
  weir<ScheduleView>("add", "spec.json", ...YEARLY, "--watermark", "2026-01-01T00:00Z", ...flags);
const show = (id: string) => weir<Shown>("show", id);
describe("weir schedule", () => {
  test("queue-one, fired four times in a slow run: two runs in all, in order, and the watermark is right", async () => {
    await workspace.dev();
    const { id } = await add("--overlap", "queue-one");
    const days = ["2026-02-01", "2026-02-02", "2026-02-03", "2026-02-04"];
    const fired: FireView[] = [];
    for (const day of days) fired.push(await weir<FireView>("fire", id, "--at", `${day}T00:00Z`));
    expect(fired.map((fire) => fire.outcome)).toEqual(["running", "waiting", "waiting", "waiting"]);
    expect(await show(id)).toMatchObject({ watermark: "2026-01-01T00:00:00.000Z" });

    const done = await until("both runs to have ended", async () => {
      const shown = await show(id);
      for (const { run } of shown.open)
        if (run !== null) await workspace.weir(["set", run, "--rate", "none"]);
      return shown.open.length === 0 && shown;
    });
    expect([...done.runs].reverse()).toMatchObject([
      {
        scheduledAt: "2026-02-01T00:00:00.000Z",
        outcome: "completed",
        watermark: "2026-01-01T00:00:00.000Z",
      },
      { scheduledAt: "2026-02-02T00:00:00.000Z", outcome: "skipped", run: null },
      { scheduledAt: "2026-02-03T00:00:00.000Z", outcome: "skipped", run: null },
      {
        scheduledAt: "2026-02-04T00:00:00.000Z",
        outcome: "completed",
        watermark: "2026-02-01T00:00:00.000Z",
      },
    ]);
    expect(done.watermark).toBe("2026-02-04T00:00:00.000Z");
    const early = await weir<FireView>("fire", id, "--at", "2026-01-15");
    expect(early).toMatchObject({
      outcome: "skipped",
      why: expect.stringContaining("the watermark is later"),
    });
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
    const future = await workspace.weir(["schedule", "fire", id, "--at", tomorrow]);
    expect([future.exitCode, future.stderr]).toEqual([
      2,
      expect.stringContaining("must not lie in the future"),
    ]);
    const { stdout: listed } = await workspace.weir(["schedule", "list"]);
    expect(listed).toContain("  last skipped 2026-01-15T00:00Z");
    const runs = JSON.parse((await workspace.weir(["status", "--json"])).stdout) as RunView[];
    const [second, first] = runs;
    expect(runs.map((run) => run.counts.ok)).toEqual([60, 60]);
    expect(first?.name).toBe("changes of 2026-02-01T00:00:00.000Z");
    expect(Date.parse(second?.createdAt ?? "")).toBeGreaterThanOrEqual(Date.parse(first?.endedAt ?? ""));
    expect((await target.log()).ids).toHaveLength(120);
  });

  test("fires by the clock of weir dev, which says what it drives", async () => {
    const added = await workspace.weir([
      "schedule",
      "add",
      "spec.json",
      ...YEARLY,
      "--watermark",
      "2026-01-01",
    ]);
    expect(added.stderr).toContain("only while weir dev runs");
    const id = /^(s_\w+)/.exec(added.stdout)?.[1] ?? "";
    // Nobody drives it: nothing would work on the run.
    expect(await workspace.weir(["schedule", "fire", id])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("weir dev"),
    });
    await weir("set", id, "--cron", "* * * * *", "--overlap", "skip");
    const driver = (await workspace.dev()).process;
    const said = `drives schedule ${id}  * * * * * (UTC)`;
    await until("weir dev to say what it drives", () => driver.stderr.includes(said));
    const shown = await until(
      "the minute to come round",
      async () => {
        const now = await show(id);
        return now.runs.length > 0 && now;
      },
      90_000,
    );
    expect(shown.runs.at(-1)).toMatchObject({ cause: "cron", run: expect.stringMatching(/^r_/) });
    expect(shown.runs.at(-1)?.scheduledAt).toMatch(/:00\.000Z$/);
  });

  test("is listed and removed without weir dev; with it changed, paused and resumed", async () => {
    const { id } = await add("--name", "nightly", "--zone", "Europe/Berlin");
    const listed = await workspace.weir(["schedule", "list"]);
    expect(listed.stdout).toMatch(
      /^s_\w+ {2}0 0 29 2 \* \(Europe\/Berlin\) {2}nightly {2}http http:\/\/\S+\{\{item\}\}\S+ {2}next \S+Z {2}no run yet {2}fires only while weir dev runs here\n$/,
    );
    const dev = (await workspace.dev()).process;
    expect(await weir<ScheduleView[]>("list")).toMatchObject([
      { id, name: "nightly", next: expect.any(Array) },
    ]);
    const changed = await weir<ScheduleView>(
      ...["set", id, "--catch-up", "2h", "--pause-after", "0", "--watermark", "2026-03-01"],
    );
    expect(changed).toMatchObject({
      catchUpMs: 7_200_000,
      pauseAfterFailures: 0,
      watermark: "2026-03-01T00:00:00.000Z",
      timeZone: "Europe/Berlin",
    });
    expect(await weir("pause", id)).toMatchObject({ status: "paused", next: [] });
    expect(await weir("resume", id)).toMatchObject({ status: "active" });
    const human = await workspace.weir(["schedule", "show", id]);
    expect(human.stdout).toContain("cron      0 0 29 2 * (Europe/Berlin)");
    dev.interrupt();
    await dev.finished();
    await weir("remove", id);
    expect((await workspace.weir(["schedule", "show", id])).exitCode).toBe(2);
  });
});

describe("weir schedule add", () => {
  let home: Workspace;
  beforeAll(async () => {
    home = new Workspace();
    await home.dev();
  });
  afterAll(() => home.close());

  test.each([
    [["--cron", "0 25 * * *"], /--cron: is not valid: Invalid value for hour: 25/],
    [[...YEARLY, "--zone", "Mars/Base"], /--zone: is not known here/],
    [[...YEARLY, "--overlap", "queue"], /--overlap: must be one of skip, queue-one/],
    [YEARLY, /--watermark: is missing/],
    [[], /--cron is missing/],
    [[...YEARLY, "--watermark", "2026-01-01", "--rate", "fast"], /--rate: /],
  ])("refuses %j by the flag that was wrong", async (flags, says) => {
    const spec = join(workspace.folder, "spec.json");
    const { exitCode, stderr } = await home.weir(["schedule", "add", spec, ...flags]);
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(says)]);
  });
});
