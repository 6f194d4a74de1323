#!/usr/bin/env node
// The `weir` command. In the package it is JavaScript (`scripts/package.ts`), for Node 20 and later. In a clone it is
// TypeScript that Node runs as it stands, which needs Node 24; on an older one this file runs itself again with the
// Node that is installed beside Weir (the npm package `node`).
//
// Invariant: those two processes live and die as one. The inner one holds a pipe from the outer one and ends itself
// when that closes; the outer one ends the way the inner one ended.
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import module, { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const OLDEST_NODE = 24;
const here = dirname(fileURLToPath(import.meta.url));

if (!existsSync(join(here, "main.ts"))) {
  await import("../../dist/cli/weir.js");
} else if (Number(process.versions.node.split(".")[0]) >= OLDEST_NODE) {
  // Compiled code is kept beside the bundle: it takes a tenth of a second off every start.
  module.enableCompileCache(join(here, "../../dist/compiled"));
  const { main } = await import("./main.ts");
  await main(process.argv.slice(2));
} else {
  runWithBundledNode();
}

function runWithBundledNode() {
  const node = bundledNode();
  if (node === null) {
    console.error(
      `weir: Node ${OLDEST_NODE} or later is needed; here it is ${process.versions.node}. Run "npm ci" in`,
    );
    console.error("weir: the project's folder (it brings its own Node), or install a newer Node.");
    process.exit(1);
  }
  const argv = [fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const env = { ...process.env, WEIR_OUTER_FD: "3" };
  if (typeof process.execve === "function" && process.platform !== "win32") {
    process.execve(node, [node, ...argv], process.env);
  }
  const inner = spawn(node, argv, { stdio: ["inherit", "inherit", "inherit", "pipe"], env });
  const pipe = inner.stdio[3];
  pipe.on("error", () => {});
  // A terminal sends its signals to both processes, `kill` to this one only: the inner one tells them apart.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => pipe.write(`${signal}\n`));
  inner.on("error", (error) => {
    console.error(`weir: ${node}: ${error.message}`);
    process.exit(1);
  });
  inner.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}

/** The path of the bundled Node, or null. */
function bundledNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve("node/package.json");
    const path = join(dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node");
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return null;
  }
}
