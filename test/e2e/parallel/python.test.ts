/** The example in Python, against a Weir that is running and a target that fails some items once. */
import { execFile, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startWeir, type TestWeir } from "../../../src/package/testing.ts";
import { Workspace } from "../../support/weir.ts";

const EXAMPLE = resolve(import.meta.dirname, "../../../docs/examples/python/weir_client.py");
const run = promisify(execFile);
const ITEMS = 60;
/** What the project asks for is Node and npm: where there is no Python, nobody runs the example. */
const HAS_PYTHON = spawnSync("python3", ["--version"]).status === 0;

let workspace: Workspace;
let weir: TestWeir;
let target: Server;
let url: string;

beforeEach(async () => {
  workspace = new Workspace();
  const asked = new Set<string>();
  // Every tenth item is not there at first.
  target = createServer(({ url: path = "" }, response) => {
    const isMissing = path.endsWith("0") && !asked.has(path);
    asked.add(path);
    response.writeHead(isMissing ? 404 : 200).end(JSON.stringify({ path }));
  });
  await new Promise<void>((listening) => target.listen(0, "127.0.0.1", listening));
  const address = target.address();
  url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  weir = await startWeir({ cwd: workspace.folder });
});
afterEach(async () => {
  await weir.stop();
  target.close();
  await workspace.close();
});

test.skipIf(!HAS_PYTHON)(
  "creates a run, follows it, saves its failures, retries them and saves the merged rows",
  async () => {
    const ids = Array.from({ length: ITEMS }, (_, n) => `u_${n + 1}`);
    writeFileSync(join(workspace.folder, "ids.txt"), `${ids.join("\n")}\n`);
    const env = { ...process.env, WEIR_URL: weir.url, WEIR_TOKEN: weir.token };
    const options = { cwd: workspace.folder, env };
    const { stdout, stderr } = await run("python3", [EXAMPLE, "ids.txt", `${url}/{{item}}`], options);
    expect(stdout).toMatch(/^r_\w+\n$/);
    expect(stderr).toContain(`of ${ITEMS}: `);
    const rowsOf = (file: string) =>
      readFileSync(join(workspace.folder, file), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { readonly item: string; readonly ok: boolean });
    expect(rowsOf("failures.jsonl").map(({ item }) => item)).toEqual(ids.filter((id) => id.endsWith("0")));
    expect(rowsOf("results.jsonl").map(({ item, ok }) => ok && item)).toEqual(ids);
    await expect(run("python3", [EXAMPLE, "ids.txt", "no url"], options)).rejects.toThrow(/weir: 400: /);
  },
);
