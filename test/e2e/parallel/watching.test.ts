/** Other terminals: they follow a run and its rows whoever drives it, and have no power over it. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { until } from "../../support/until.ts";
import { idLines, parseRows, type WeirProcess, Workspace } from "../../support/weir.ts";

const ITEMS = 300;

let workspace: Workspace;
let target: Target;
beforeEach(async () => {
  workspace = new Workspace();
  target = await spawnTarget({ latencyMs: [5, 15] });
  workspace.write("ids.txt", idLines(ITEMS));
});
afterEach(async () => {
  await workspace.close();
  await target.close();
});

const start = (rate: string): WeirProcess =>
  workspace.start([
    ...["run", "--input", "ids.txt", "--url", `${target.url}/v1/users/{{item}}`],
    ...["--rate", rate],
  ]);
const indexes = (ndjson: string) => parseRows(ndjson).map((row) => row.index);
const everyItem = Array.from(Array(ITEMS).keys());

describe("weir results --follow", () => {
  test("gives every row once, whichever process drives the run, and ends with the run", async () => {
    const first = start("5/s");
    const id = await first.runId();
    const following = workspace.start(["results", id, "--follow"]);
    await until("the first rows", () => indexes(following.stdout).length > 0);
    first.interrupt();
    expect(await first.finished()).toMatchObject({ exitCode: 5 });
    const { counts } = await workspace.status(id);
    await until("all that is committed", () => indexes(following.stdout).length === counts.done);
    expect(following.stderr).toContain("the next ones follow when it goes on");

    const second = await workspace.weir(["run", "--resume", id, "--rate", "none"]);
    expect(second.exitCode, second.stderr).toBe(0);
    const { exitCode, stdout } = await following.finished();
    expect(exitCode).toBe(0);
    expect(indexes(stdout).sort((a, b) => a - b)).toEqual(everyItem);
  });
});

describe("weir watch", () => {
  test("shows a run to its end, and leaves it alone at Ctrl-C", async () => {
    const running = start("5/s");
    const id = await running.runId();
    const leaving = workspace.start(["watch"]);
    const staying = workspace.start(["watch", id]);
    await until("both to show it", () => [leaving, staying].every(({ stderr }) => /\/300/.test(stderr)));
    leaving.interrupt();
    expect((await leaving.finished()).exitCode).toBe(130);
    expect(await workspace.status(id)).toMatchObject({ status: "running" });
    await workspace.weir(["set", id, "--rate", "none"]);
    expect((await running.finished()).exitCode).toBe(0);
    const { exitCode, stderr } = await staying.finished();
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("completed") });
    expect((await workspace.weir(["watch"])).exitCode).toBe(0);
  });

  test("ends where nobody works on the run, and says what would", async () => {
    const running = start("5/s");
    const id = await running.runId();
    running.interrupt();
    await running.finished();
    const { exitCode, stderr } = await workspace.weir(["watch"]);
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining(`weir run --resume ${id}`),
    });
  });
});

describe("commands that read", () => {
  test("look again when the process that has the folder ends meanwhile", async () => {
    const running = start("400/s");
    const codes: (number | null)[] = [];
    let hasEnded = false;
    const ended = running.finished().then(() => {
      hasEnded = true;
    });
    while (!hasEnded) codes.push((await workspace.weir(["status", "--json"])).exitCode);
    await ended;
    expect(codes).toEqual(codes.map(() => 0));
  });
});
