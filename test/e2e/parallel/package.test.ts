/**
 * The package as people install it: packed, installed from the tarball into folders of their own, run by the Node that
 * the machine has, and deployed as far as that goes without an account.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const PROJECT = resolve(import.meta.dirname, "../../..");
const INSTALLING_MS = 600_000;
const run = promisify(execFile);

/** The machine's own Node and npm: what the project brings is not there. */
const env = {
  ...process.env,
  PATH: (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => !folder.includes("node_modules"))
    .join(delimiter),
  npm_config_audit: "false",
  npm_config_fund: "false",
};
// Not those of the script that runs the tests.
for (const name of Object.keys(env))
  if (/^npm_(?:package|lifecycle)/.test(name)) delete (env as NodeJS.ProcessEnv)[name];

let folder: string;
let target: Server;
let url: string;

/** In `folder`, or in the folder of that name below it; its output. */
async function sh(command: string, args: readonly string[], below = "."): Promise<string> {
  try {
    const options = { cwd: join(folder, below), env, maxBuffer: 2 ** 24 };
    const { stdout, stderr } = await run(command, args, options);
    return stdout + stderr;
  } catch (fault) {
    const { stdout, stderr } = fault as { readonly stdout?: string; readonly stderr?: string };
    throw new Error(`${command} ${args.join(" ")}: ${stdout ?? ""}${stderr ?? ""}${String(fault)}`);
  }
}

beforeAll(async () => {
  // With a blank in its name.
  folder = mkdtempSync(join(tmpdir(), "weir package "));
  target = createServer((_, response) => response.end("{}"));
  await new Promise<void>((listening) => target.listen(0, "127.0.0.1", listening));
  const address = target.address();
  url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  await run("npm", ["pack", PROJECT, "--pack-destination", folder], { cwd: folder });
  await sh("npm", ["init", "-y"]);
  await sh("npm", ["install", `./weir-run-${version()}.tgz`]);
}, INSTALLING_MS);

afterAll(() => {
  target.close();
  rmSync(folder, { recursive: true, force: true });
});

function version(): string {
  return (JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8")) as { version: string }).version;
}

test("runs a list from an empty folder", async () => {
  writeFileSync(join(folder, "ids.txt"), `${Array.from({ length: 1000 }, (_, n) => n).join("\n")}\n`);
  const input = ["--input", "ids.txt", "--url", `${url}/{{item}}`, "--rate", "1000/s", "--parallel", "20"];
  const said = await sh("npx", ["weir", "run", ...input, "--out", "out.jsonl"]);
  expect(said).toContain("1,000 ok, 0 failed");
  expect(readFileSync(join(folder, "out.jsonl"), "utf8").trim().split("\n")).toHaveLength(1000);
});

test("installs what running needs, and neither wrangler nor a test tool", async () => {
  const installed = (await sh("npm", ["ls", "--all", "--parseable"])).trim().split("\n");
  const names = installed.map((path) => path.replace(/^.*node_modules[/\\]/, "")).slice(1);
  expect(
    names.filter((name) => !/^(?:weir-run|workerd|esbuild|zod|@(?:cloudflare|esbuild)[/\\].*)$/.test(name)),
  ).toEqual([]);
});

test("begins a project whose test, types, run and deploy go through", {
  timeout: INSTALLING_MS,
}, async () => {
  await sh("npx", ["weir", "init", "own"]);
  await sh("npm", ["install"], "own");
  expect(await sh("npm", ["test"], "own")).toMatch(/1 passed/);
  await sh("npx", ["tsc"], "own");
  expect(await sh("npx", ["weir", "run", "spec.json"], "own")).toContain("1,000 ok, 0 failed");
  const wrangler = join(PROJECT, "node_modules/wrangler/bin/wrangler.js");
  const dry = await sh(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", "dry"], "own");
  expect(dry).toContain("env.RUN (RunObject)");
  await expect(sh("npx", ["weir", "init", "own"])).rejects.toThrow(/overwrites nothing/);
});

test("says in which file and line of a config a mistake is", async () => {
  mkdirSync(join(folder, "broken"));
  writeFileSync(join(folder, "broken/weir.config.ts"), "export default {\n  tasks: {,\n};\n");
  const spec = { source: { kind: "items", items: [1] }, task: { kind: "mine" } };
  writeFileSync(join(folder, "broken/spec.json"), JSON.stringify(spec));
  await expect(sh("npx", ["weir", "run", "spec.json"], "broken")).rejects.toThrow(/weir\.config\.ts:2:10/);
  const names = `import { defineWeir } from "weir-run";\nexport default defineWeir({ tasks: { http: {} } });\n`;
  writeFileSync(join(folder, "broken/weir.config.ts"), names);
  await expect(sh("npx", ["weir", "run", "spec.json"], "broken")).rejects.toThrow(
    /weir\.config: tasks\.http has no function run/,
  );
});
