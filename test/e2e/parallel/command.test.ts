/** The command around the main job: stdin, plans, `weir dev` and what is handed to it, an older Node. */

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { delimiter, join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isAlive, processTree } from "../../support/processTree.ts";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { until } from "../../support/until.ts";
import { idLines, parseRows, type WeirProcess, Workspace } from "../../support/weir.ts";

const COMMAND = resolve(import.meta.dirname, "../../../src/cli/weir.js");

let workspace: Workspace;
let target: Target;
beforeEach(async () => {
  workspace = new Workspace();
  target = await spawnTarget({ latencyMs: [5, 15] });
  workspace.write("ids.txt", idLines(100));
});
afterEach(async () => {
  await workspace.close();
  await target.close();
});

const calls = async () => (await target.stats()).calls;
const flags = (...more: string[]) => [
  ...["--input", "ids.txt", "--url", `${target.url}/v1/users/{{item}}`, "--chunk", "10", ...more],
];
const items = (ndjson: string) => parseRows(ndjson).map((row) => row.item);

describe("weir run", () => {
  test("takes items from stdin, and only the first with --limit", async () => {
    const child = spawn(
      process.execPath,
      [COMMAND, "run", ...flags("--limit", "3", "--out", "rows.jsonl", "--json")],
      {
        cwd: workspace.folder,
        stdio: ["pipe", "pipe", "ignore"],
      },
    );
    const [exitCode] = await once(child, "close");
    expect(exitCode).toBe(0);
    expect(workspace.rows("rows.jsonl").map((row) => row.item)).toEqual(["u_0", "u_1", "u_2"]);

    const piped = spawnSync(process.execPath, [COMMAND, "run", ...flags("--out", "all.jsonl").with(1, "-")], {
      cwd: workspace.folder,
      input: "x\n\ny\n",
    });
    expect(piped.status, piped.stderr.toString()).toBe(0);
    expect(workspace.rows("all.jsonl").map((row) => row.item)).toEqual(["x", "y"]);
  });

  test("writes the rows of a cancelled run to FILE.partial, never to FILE", async () => {
    const running = workspace.start(["run", ...flags("--rate", "1/s", "--out", "rows.jsonl")]);
    const run = await running.runId();
    await until("some calls", async () => (await calls()) > 3);
    expect(await workspace.weir(["cancel", run])).toMatchObject({ exitCode: 0 });
    expect((await running.finished()).exitCode).toBe(4);
    expect(() => workspace.read("rows.jsonl")).toThrow();
    expect(workspace.rows("rows.jsonl.partial")).toHaveLength((await workspace.status(run)).counts.done);
  });

  test("refuses --detach where nothing would go on, and --out where nothing can be written", async () => {
    expect(await workspace.weir(["run", ...flags("--detach")])).toMatchObject({ exitCode: 2 });
    const out = await workspace.weir(["run", ...flags("--out", "no/such/folder/rows.jsonl")]);
    expect(out).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/^weir: --out: /) });
    expect(await calls()).toBe(0);
  });

  test("refuses --resume when there is nothing to resume", async () => {
    const { exitCode, stderr } = await workspace.weir(["run", "--resume"]);
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/no unfinished run/),
    });
  });
});

describe("weir plan", () => {
  test("says what would happen, shows no secret and calls no target", async () => {
    const secret = { WEIR_SECRET_API_KEY: "sesame-sesame" };
    const header = ["--header", "authorization: Bearer {{secret:API_KEY}}"];
    const { exitCode, stdout } = await workspace.weir(["plan", ...flags(...header, "--json")], secret);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      items: 100,
      chunks: 10,
      firstRequest: { method: "GET", url: `${target.url}/v1/users/u_0` },
    });
    expect(stdout).not.toContain("sesame");
    expect(JSON.parse((await workspace.weir(["status", "--json"])).stdout)).toEqual([]);
    expect(await calls()).toBe(0);
  });
});

describe("weir dev with WEIR_TOKEN", () => {
  test("takes it, and refuses one that could be guessed", async () => {
    const token = "a-token-of-mine-0123456789-0123456789";
    const dev = workspace.start(["dev", "--port", "0"], { WEIR_TOKEN: token });
    const address = await until("it to be ready", () => /^(http:\S+)\/#token=/.exec(dev.stdout)?.[1]);
    const answer = await fetch(`${address}/v1/runs`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(200);
    expect(dev.stderr).toContain('"authorization: Bearer $WEIR_TOKEN"');
    const short = await workspace.weir(["dev", "--port", "0"], { WEIR_TOKEN: "short" });
    expect([short.exitCode, short.stderr]).toEqual([2, expect.stringContaining("32 visible characters")]);
  });
});

describe("weir dev", () => {
  let home: Workspace;
  let dev: WeirProcess;
  let address: string;
  let token: string;
  beforeAll(async () => {
    home = new Workspace();
    ({ process: dev, address, token } = await home.dev());
  });
  afterAll(() => home.close());
  beforeEach(async () => {
    await workspace.close();
    workspace = home.beside();
    workspace.write("ids.txt", idLines(100));
  });

  test("answers --remote with its token and nobody without", async () => {
    const remote = (given: string) =>
      workspace.weir(["--remote", address, "status", "--json"], { WEIR_TOKEN: given });
    expect(await remote(token)).toMatchObject({ exitCode: 0, stdout: "[]\n" });
    expect(await remote(`${token}x`)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/refuses the token/),
    });
    const foreign = await fetch(`${address}/v1/runs`, { headers: { origin: "https://evil.example" } });
    expect(foreign.status).toBe(403);
  });

  test("works on what is handed to it, and is steered by the same commands", async () => {
    const run = await workspace.weir(["run", ...flags("--out", "rows.jsonl")]);
    expect(run.exitCode, run.stderr).toBe(0);
    expect(workspace.rows("rows.jsonl")).toHaveLength(100);

    const detached = await workspace.weir([
      "run",
      ...flags("--detach", "--rate", "20/s", "--out", "later.jsonl"),
    ]);
    expect(detached.exitCode, detached.stderr).toBe(0);
    const id = detached.stderr.split("\n", 1)[0] ?? "";
    expect(detached.stderr).toContain(
      `later.jsonl is not written while nobody here follows the run; when it has ended: weir results ${id} --out later.jsonl`,
    );
    await workspace.weir(["set", id, "--rate", "none"]);
    await until("the detached run to end", async () => (await workspace.status(id)).status === "completed");
    expect(await calls()).toBe(200);
    await workspace.weir(["results", id, "--out", "later.jsonl"]);
    expect(workspace.rows("later.jsonl")).toHaveLength(100);
  });

  test("says what becomes of its runs, and how to reach it with curl", async () => {
    const run = await workspace.weir(["run", ...flags("--name", "of the day")]);
    const id = run.stderr.split("\n", 1)[0];
    await until("the run's end to be said", () => dev.stderr.includes(`${id} (of the day) completed`));
    expect(dev.stderr).toContain(`curl -H "authorization: Bearer ${token}" ${address}/v1/runs`);
    const answer = await fetch(`${address}/v1/runs`);
    expect([answer.status, await answer.text()]).toEqual([401, expect.stringContaining("weir dev prints")]);
  });

  test.each(["localhost x", "localhost:99999", "["])(
    "refuses the malformed Host %j as such",
    async (host) => {
      const socket = connect(Number(new URL(address).port), "127.0.0.1");
      socket.end(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /);
    },
  );

  test("is the only one on its state folder", async () => {
    const second = await workspace.weir(["dev", "--port", "0"]);
    expect(second).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(`in use by weir dev (pid ${dev.pid})`),
    });
  });

  test("pauses at Ctrl-C, and weir run --resume repeats no call", async () => {
    const { stderr } = await workspace.weir(["run", ...flags("--detach", "--rate", "40/s")]);
    const id = stderr.split("\n", 1)[0] ?? "";
    await until("some calls", async () => (await calls()) > 20);
    dev.interrupt();
    const ended = await dev.finished();
    expect(ended).toMatchObject({ exitCode: 0, stderr: expect.stringContaining(`weir run --resume ${id}`) });
    const resumed = await workspace.weir(["run", "--resume", "--rate", "400/s", "--out", "rows.jsonl"]);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(items(workspace.read("rows.jsonl"))).toEqual(idLines(100).trim().split("\n"));
    expect(await calls()).toBe(100);
  });
});

/** A Node that is too old to run Weir itself; the command runs itself again with the bundled one. */
const oldNode = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "node"))
  .find((node) => {
    try {
      const version = execFileSync(node, ["--version"], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
      return Number(/^v(\d+)/.exec(version)?.[1]) < 24;
    } catch {
      return false;
    }
  });

describe.skipIf(oldNode === undefined)("on an older Node", () => {
  const start = (...args: string[]) =>
    spawn(oldNode ?? "", [COMMAND, ...args], { cwd: workspace.folder, stdio: ["ignore", "pipe", "pipe"] });

  test("output and exit code are the inner command's", async () => {
    const child = start("frobnicate");
    const [stderr, [exitCode]] = await Promise.all([text(child.stderr), once(child, "close")]);
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/^weir: unknown command/),
    });
  });

  test("a Ctrl-C that reaches the outer process alone pauses the run", async () => {
    const child = start("run", ...flags("--rate", "20/s"));
    const closed = once(child, "close");
    await until("some calls", async () => (await calls()) > 5);
    child.kill("SIGINT");
    expect(await closed).toEqual([5, null]);
  });

  test("when the outer process is killed nothing of the command lives on", async () => {
    const child = start("run", ...flags("--rate", "20/s"));
    await until("some calls", async () => (await calls()) > 5);
    const tree = processTree(child.pid ?? 0);
    workspace.note(tree);
    expect(tree.length).toBeGreaterThan(2);
    child.kill("SIGKILL");
    await until("all of them to end", () => tree.every((pid) => !isAlive(pid)));
  });
});
