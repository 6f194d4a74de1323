/** A committed part is damaged on the disk: what the command gives and says of it, before the run's end and after. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { until } from "../../support/until.ts";
import { idLines, parseRows, Workspace } from "../../support/weir.ts";

const ITEMS = 120;

let workspace: Workspace;
let target: Target;
beforeEach(async () => {
  workspace = new Workspace();
  target = await spawnTarget({ latencyMs: [1, 5] });
  workspace.write("ids.txt", idLines(ITEMS));
});
afterEach(async () => {
  await workspace.close();
  await target.close();
});

/** Files of the bucket that hold the row of item `index`. */
function filesWithRow(index: number): string[] {
  const blobs = join(workspace.folder, ".weir");
  const files = readdirSync(blobs, { recursive: true, encoding: "utf8" }).map((name) => join(blobs, name));
  return files.filter((file) => {
    if (!file.includes("/blobs/") || !statSync(file).isFile()) return false;
    return readFileSync(file, "latin1").includes(`{"index":${index},`);
  });
}

test("the other rows are given, the part is named with exit code 1, and the run ends as failed", async () => {
  const args = ["--input", "ids.txt", "--url", `${target.url}/v1/users/{{item}}`, "--rate", "20/s"];
  const running = workspace.start(["run", ...args, "--parallel", "2"]);
  const id = await running.runId();
  await until("some parts", async () => (await workspace.status(id)).counts.done >= 20);
  running.interrupt();
  expect((await running.finished()).exitCode).toBe(5);
  const before = parseRows((await workspace.weir(["results", id])).stdout);
  const [part, ...others] = filesWithRow(0);
  expect(others).toEqual([]);
  const damaged = readFileSync(part!);
  const lost = damaged.toString("utf8").trimEnd().split("\n").length;
  damaged[2] = damaged[2]! ^ 1;
  writeFileSync(part!, damaged);

  const named = expect.stringMatching(
    /rows are missing: part 0 of chunk \d+ cannot be read: its bytes are not those that were written/,
  );
  for (const how of [[], ["--follow"]]) {
    const { exitCode, stdout, stderr } = await workspace.weir(["results", id, ...how]);
    expect({ how, exitCode, stderr }).toEqual({ how, exitCode: 1, stderr: named });
    expect(parseRows(stdout)).toHaveLength(before.length - lost);
  }
  const toFile = await workspace.weir(["results", id, "--out", "rows.jsonl"]);
  expect(toFile.exitCode).toBe(1);
  expect(workspace.rows("rows.jsonl.partial")).toHaveLength(before.length - lost);

  const resumed = await workspace.weir(["run", "--resume", id, "--rate", "none"]);
  expect(resumed.exitCode).toBe(4);
  expect(resumed.stderr).toMatch(/part 0 of chunk \d+ cannot be read/);
  const last = await workspace.weir(["results", id]);
  expect({ ...last, stdout: "" }).toEqual({ exitCode: 1, stdout: "", stderr: named });
  expect(parseRows(last.stdout)).toHaveLength(ITEMS - lost);
});
