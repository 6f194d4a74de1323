/** Items that end the runtime: each costs one failed row, and nothing else. Requests that do cost none. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { copyWithTask } from "../../support/ownWeir.ts";
import { spawnTarget } from "../../support/spawnTarget.ts";
import { until } from "../../support/until.ts";
import { Workspace } from "../../support/weir.ts";

const ITEMS = 120;
const TRAPS: Readonly<Record<number, string>> = {
  ...{ 3: "say", 11: "bigint", 17: "throw", 25: "cycle", 33: "map", 40: "loop" },
  ...{ 55: "nothing", 66: "function", 77: "date", 90: "memory" },
};
const NOT_JSON = "the task's value is not JSON: it";

/** A copy of the project whose command knows the task `trap`. */
let places: Workspace;
let command: string;
beforeAll(() => {
  places = new Workspace();
  const trap = join(import.meta.dirname, "../../support/trapTask.ts");
  command = copyWithTask(join(places.folder, "own"), "trap", trap);
});
afterAll(() => places.close());

test("an item on which the task throws, returns what is not JSON, never yields or exhausts memory costs one failed row", async () => {
  const workspace = new Workspace(command);
  const target = await spawnTarget({ latencyMs: [5, 20] });
  try {
    const items = Array.from({ length: ITEMS }, (_, i) => TRAPS[i] ?? `u_${i}`);
    const spec = {
      source: { kind: "items", items },
      task: { kind: "trap", url: `${target.url}/v1/users/` },
      chunkSize: 10,
      maxParallelism: 6,
    };
    workspace.write("spec.json", JSON.stringify(spec));
    // Less memory is sooner exhausted, and spares the machine.
    const env = { MINIFLARE_WORKERD_V8_FLAGS: "--max-old-space-size=256" };
    const ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"], env);
    expect(ended.exitCode, ended.stderr).toBe(3);
    const rows = workspace.rows("rows.jsonl");
    expect(rows.map((row) => row.item)).toEqual(items);
    const failed = rows
      .filter((row) => !row.ok)
      .map((row) => [row.index, row.error?.kind, row.error?.message]);
    expect(failed).toEqual([
      [11, "task", `${NOT_JSON} has a BigInt at /id`],
      [17, "task", "a trap"],
      [25, "task", `${NOT_JSON} contains itself at /self`],
      [33, "task", `${NOT_JSON} has a Map`],
      [40, "task", "the lane died 3 times on this item"],
      [55, "task", "the task returned undefined, not an outcome"],
      [66, "task", `${NOT_JSON} has a function`],
      [90, "task", "the lane died 3 times on this item"],
    ]);
    expect(rows[17]?.error?.detail).toMatch(/^Error: a trap\n\s+at /);
    expect(rows[77]).toMatchObject({ ok: true, value: "1970-01-01T00:00:00.000Z" });
    expect(ended.stderr).toContain("task: say is the item, and \\u001b[31mthis is not red { a: 1 }\n");
    expect(ended.stderr).toContain("task: it may be wrong\n");
  } finally {
    await workspace.close();
    await target.close();
  }
});

test("a request that hangs the runtime again and again costs no item a row", async () => {
  const workspace = new Workspace(command);
  // So slow that every restart finds the same items under way.
  const target = await spawnTarget({ latencyMs: [9000, 9000] });
  try {
    const { process: dev, address, token } = await workspace.dev();
    const spec = (url: string) => ({
      source: { kind: "items", items: ["a", "b", "c", "d"] },
      task: { kind: "trap", url },
      chunkSize: 2,
      maxParallelism: 4,
    });
    workspace.write("spec.json", JSON.stringify(spec(`${target.url}/v1/users/`)));
    const run = workspace.start(["run", "spec.json", "--out", "rows.jsonl"]);
    await until("calls to be under way", async () => (await target.stats()).inFlight > 0);
    const headers = { authorization: `Bearer ${token}` };
    for (let hangs = 1; hangs <= 3; hangs++) {
      const body = JSON.stringify(spec(`${target.url}/hang`));
      const answer = fetch(`${address}/v1/plans`, { method: "POST", headers, body });
      await expect(answer, "its connection ends with the runtime").rejects.toThrow();
      const restart = "does not yield any more over a request to its API: starting it again\n";
      await until("the restart to be said", () => dev.stderr.split(restart).length > hangs);
      await until("it to answer again", () =>
        fetch(`${address}/healthz`).then(
          (response) => response.ok,
          () => false,
        ),
      );
    }
    const ended = await run.finished();
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(workspace.rows("rows.jsonl").map((row) => row.ok)).toEqual([true, true, true, true]);
  } finally {
    await workspace.close();
    await target.close();
  }
});
