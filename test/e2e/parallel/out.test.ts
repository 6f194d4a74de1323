/** `--out` replaces plain files alone, grows while the run goes, and is remembered. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { lstatSync, openSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { until } from "../../support/until.ts";
import { idLines, parseRows, Workspace } from "../../support/weir.ts";

const COMMAND = resolve(import.meta.dirname, "../../../src/cli/weir.js");
const IDS = idLines(60);

/** Its `weir dev` works on the runs; each test has a folder of its own. */
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
  target = await spawnTarget({ latencyMs: [5, 15] });
  workspace.write("ids.txt", IDS);
});
afterEach(async () => {
  await workspace.close();
  await target.close();
});

const calls = async () => (await target.stats()).calls;
const at = (name: string) => join(workspace.folder, name);
const run = (...more: string[]) => [
  ...["run", "--input", "ids.txt", "--url", `${target.url}/v1/users/{{item}}`, ...more],
];
const kindOf = (name: string) => {
  const stat = lstatSync(at(name));
  if (stat.isSymbolicLink()) return "link";
  return stat.isFIFO() ? "pipe" : stat.isFile() ? "file" : "device";
};
/** With stdout where a shell would put it. */
async function withStdout(name: string, args: readonly string[]) {
  const stdout = openSync(at(name), "r+");
  const child = spawn(process.execPath, [COMMAND, ...args], {
    cwd: workspace.folder,
    stdio: ["ignore", stdout, "pipe"],
  });
  let stderr = "";
  child.stderr?.on("data", (data: Buffer) => {
    stderr += data.toString();
  });
  const [exitCode] = await once(child, "close");
  return { exitCode, stderr };
}

describe("--out", () => {
  test("writes to a pipe, and waits for its reader", async () => {
    execFileSync("mkfifo", [at("pipe")]);
    const running = workspace.start(run("--out", "pipe"));
    await until("the command to wait for a reader", () => running.stderr.includes("waiting for somebody"));
    const rows = execFileSync("cat", [at("pipe")], { encoding: "utf8" });
    expect((await running.finished()).exitCode).toBe(0);
    expect(parseRows(rows)).toHaveLength(60);
    expect(kindOf("pipe")).toBe("pipe");
  });

  test.skipIf(process.getuid?.() !== 0)("writes to a device and leaves it one", async () => {
    execFileSync("mknod", [at("nothing"), "c", "1", "3"]);
    expect(await workspace.weir(run("--out", "nothing"))).toMatchObject({ exitCode: 0 });
    expect(kindOf("nothing")).toBe("device");
    execFileSync("mknod", [at("full"), "c", "1", "7"]);
    const { exitCode, stderr } = await workspace.weir(run("--out", "full"));
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(
        /no space left.*the run itself is completed.*weir results r_\w+ --out FILE/,
      ),
    });
    expect(kindOf("full")).toBe("device");
  });

  test.skipIf(process.getuid?.() !== 0)(
    "and stdout on a full disk are noticed by every command",
    async () => {
      const { stdout } = await workspace.weir(run("--json"));
      const { id } = JSON.parse(stdout) as { readonly id: string };
      execFileSync("mknod", [at("full"), "c", "1", "7"]);
      for (const args of [
        ["results", id],
        ["status", "--json"],
        ["failures", id, "--summary", "--json"],
      ]) {
        expect(await withStdout("full", args), args[0]).toMatchObject({
          exitCode: 1,
          stderr: expect.stringMatching(/broke off: no space left/),
        });
      }
    },
  );

  test("follows a link to what it names, and none that stands in the place of .partial", async () => {
    symlinkSync("real.jsonl", at("link.jsonl"));
    writeFileSync(at("precious"), "kept\n");
    symlinkSync("precious", at("real.jsonl.partial"));
    expect(await workspace.weir(run("--out", "link.jsonl"))).toMatchObject({ exitCode: 0 });
    expect([kindOf("link.jsonl"), kindOf("real.jsonl"), workspace.read("precious")]).toEqual([
      "link",
      "file",
      "kept\n",
    ]);
    expect(workspace.rows("link.jsonl")).toHaveLength(60);
  });

  test("gives the rows on stdout for -, and makes no file of that name", async () => {
    for (const name of ["-", "/dev/stdout"]) {
      const { exitCode, stdout } = await workspace.weir(run("--out", name));
      expect([exitCode, parseRows(stdout).length]).toEqual([0, 60]);
    }
    expect(() => lstatSync(at("-"))).toThrow();
    expect(await workspace.weir(run("--out", "-", "--json"))).toMatchObject({ exitCode: 2 });
  });

  test("never overwrites what the run is made from", async () => {
    symlinkSync("ids.txt", at("link.txt"));
    workspace.write("rows.jsonl.partial", IDS);
    for (const [input, out] of [
      ["ids.txt", "ids.txt"],
      ["ids.txt", "link.txt"],
      ["link.txt", "ids.txt"],
      ["rows.jsonl.partial", "rows.jsonl"],
    ] as const) {
      const { exitCode, stderr } = await workspace.weir(run("--out", out).with(2, input));
      expect({ exitCode, stderr }).toMatchObject({
        exitCode: 2,
        stderr: expect.stringMatching(/is the input/),
      });
      expect(workspace.read(input)).toBe(IDS);
    }
    workspace.write("spec.json", "{}");
    const spec = JSON.stringify({
      source: { kind: "range", from: 0, to: 5 },
      task: { kind: "http", url: `${target.url}/v1/users/{{item}}` },
    });
    workspace.write("spec.json", spec);
    expect(await workspace.weir(["run", "spec.json", "--out", "spec.json"])).toMatchObject({ exitCode: 2 });
    expect([workspace.read("spec.json"), await calls()]).toEqual([spec, 0]);

    const { stdout } = await workspace.weir(run("--json"));
    const { id } = JSON.parse(stdout) as { readonly id: string };
    for (const command of ["results", "failures", "retry"]) {
      expect(await workspace.weir([command, id, "--out", "ids.txt"]), command).toMatchObject({ exitCode: 2 });
    }
    expect(workspace.read("ids.txt")).toBe(IDS);
  });

  test.each(["rows.jsonl.gz", "rows.zst"])("refuses %s, which would be a lie", async (name) => {
    expect(await workspace.weir(run("--out", name))).toMatchObject({ exitCode: 2 });
    expect(await calls()).toBe(0);
  });
});

describe("FILE.partial", () => {
  test("has whole rows while the run goes, and goes on with them after a pause without being told", async () => {
    workspace.write("ids.txt", idLines(200));
    const running = workspace.start(run("--rate", "8/s", "--out", "rows.jsonl"));
    const id = await running.runId();
    await until("the first rows", () => rowsSoFar().length > 0);
    expect(rowsSoFar().length).toBeLessThan(200);
    running.interrupt();
    expect(await running.finished()).toMatchObject({ exitCode: 5 });
    expect(rowsSoFar()).toHaveLength((await workspace.status(id)).counts.done);

    const resumed = await workspace.weir(["run", "--resume", id, "--rate", "400/s"]);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(workspace.rows("rows.jsonl").map((row) => row.index)).toEqual(Array.from(Array(200).keys()));
    expect(() => lstatSync(at("rows.jsonl.partial"))).toThrow();
    expect(await calls()).toBe(200);
  });

  const rowsSoFar = () => {
    try {
      return parseRows(readFileSync(at("rows.jsonl.partial"), "utf8"));
    } catch {
      return [];
    }
  };
});

describe("a retry", () => {
  test("brings the file of the run it retries up to date, with one row for every item", async () => {
    const url = `${target.url}/v1/users/{{item}}`;
    let seen = 0;
    const empty = createServer((_, answer) => answer.writeHead(seen++ % 3 === 0 ? 404 : 200).end("{}"));
    empty.listen(0, "127.0.0.1");
    await once(empty, "listening");
    const wrong = `http://127.0.0.1:${(empty.address() as AddressInfo).port}/{{item}}`;
    const first = await workspace.weir(run("--out", "rows.jsonl").with(4, wrong));
    empty.close();
    expect(first.exitCode, first.stderr).toBe(3);
    expect(workspace.rows("rows.jsonl").filter((row) => !row.ok)).toHaveLength(20);
    const id = /\b(r_\w+)/.exec(first.stderr)?.[1] ?? "";
    const retried = await workspace.weir(["retry", id, "--url", url]);
    expect(retried.exitCode, retried.stderr).toBe(0);
    const rows = workspace.rows("rows.jsonl");
    expect([rows.length, rows.every((row) => row.ok)]).toEqual([60, true]);
  });
});
