/**
 * What the embedded runtime is started with: the Worker as one file, and the bindings that `wrangler.toml` declares
 * as Miniflare options. Both lie in `dist/` and are made again when something they were made from has changed.
 *
 * The options are made by wrangler itself, so that both ways to run Weir read one configuration; wrangler takes a
 * second to load, which is why they are kept.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import type { BuildOptions, Plugin } from "esbuild";
import type { V4WorkerOptions } from "miniflare";
import type { Encoding } from "../tasks/tokenizer.ts";
import { ranksOf } from "../tasks/tokenizerTables.ts";
import { network } from "./network.ts";

/** The project's folder. */
export const PROJECT = resolve(import.meta.dirname, "../..");
const DIST = join(PROJECT, "dist");
/** The tokenizer's tables, which the Worker reads when it needs them. */
const TABLES = join(DIST, "tables");
const ENCODINGS: readonly Encoding[] = ["o200k_base", "cl100k_base"];
const CONFIG = join(PROJECT, "wrangler.toml");

export interface Bundle {
  /** The Worker first, then what it loads when it needs it. */
  readonly modules: { readonly type: "ESModule"; readonly path: string; readonly contents: string }[];
  readonly options: V4WorkerOptions;
}

/**
 * The bundle, made now if it is missing or older than its sources. Throws where the sources do not compile.
 * Made by a process of its own: the memory that takes is not the command's to keep.
 */
export function loadBundle(): Bundle {
  if (!isFresh("worker") || !isFresh("options")) {
    execFileSync(process.execPath, [join(PROJECT, "scripts/build.ts")], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  }
  const options = JSON.parse(readFileSync(join(DIST, "options.json"), "utf8")) as V4WorkerOptions;
  const serviceBindings = {
    ...options.serviceBindings,
    TABLES: { disk: { path: TABLES, writable: false } },
    NETWORK: { network: network() },
  };
  return { modules: readModules(), options: { ...options, serviceBindings } };
}

function readModules(): Bundle["modules"] {
  const names = JSON.parse(readFileSync(join(DIST, "worker.modules.json"), "utf8")) as readonly string[];
  return names.map((name) => ({
    type: "ESModule",
    path: name,
    contents: readFileSync(join(DIST, name), "utf8"),
  }));
}

/** Makes what is missing or older than its sources. */
export async function build(): Promise<void> {
  if (!isFresh("worker")) await buildWorker();
  if (!isFresh("options")) await buildOptions();
}

/** How a Worker is made of its sources, for esbuild: all but entry and outcome. */
export function workerBuild(): BuildOptions {
  return {
    absWorkingDir: PROJECT,
    bundle: true,
    format: "esm",
    target: "es2024",
    platform: "browser",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "pg-native"],
    plugins: [lazyBuiltins, englishOnly],
    // A character beyond Latin-1, in a comment too, doubles what the source takes in memory for as long as it runs.
    minifyWhitespace: true,
    logLevel: "error",
  };
}

async function buildWorker(): Promise<void> {
  const startedMs = Date.now();
  const { build: bundle } = await import("esbuild");
  await writeTables();
  const result = await bundle({
    ...workerBuild(),
    entryPoints: [join(PROJECT, "src/embeddedWorker.ts")],
    // What is imported when it is needed is a module of its own.
    splitting: true,
    plugins: [lazyBuiltins, englishOnly, tablesOnDisk],
    chunkNames: "worker.[name]-[hash]",
    entryNames: "worker",
    outdir: DIST,
    metafile: true,
    write: false,
  });
  const modules = new Map(result.outputFiles.map(({ path, text }) => [basename(path), text]));
  for (const [name, text] of modules) writeWhole(name, text);
  const others = [...modules.keys()].filter((name) => name !== "worker.js");
  writeWhole("worker.modules.json", JSON.stringify(["worker.js", ...others]));
  stamp("worker", startedMs, ["src/cli/bundle.ts", ...Object.keys(result.metafile.inputs)]);
}

async function writeTables(): Promise<void> {
  for (const encoding of ENCODINGS)
    writeWhole(join(basename(TABLES), `${encoding}.json`), JSON.stringify(await ranksOf(encoding)));
}

/** See `tasks/tokenizerTablesOnDisk.ts`. */
const tablesOnDisk: Plugin = {
  name: "tables on disk",
  setup(bundler) {
    bundler.onResolve({ filter: /\/tokenizerTables\.ts$/ }, () => ({
      path: join(PROJECT, "src/tasks/tokenizerTablesOnDisk.ts"),
    }));
  },
};

/**
 * Node's modules, which workerd has, loaded when the code that wants them is reached and not when the Worker starts:
 * what is imported on demand (the PostgreSQL client) costs a run that does not need it nothing.
 */
const lazyBuiltins: Plugin = {
  name: "lazy-builtins",
  setup(bundler) {
    bundler.onResolve({ filter: /^[a-z]/ }, ({ path }) =>
      isBuiltin(path) ? { path: path.replace(/^node:/, ""), namespace: "builtin" } : undefined,
    );
    bundler.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(`node:${path}`)});`,
    }));
  },
};

/** zod's messages in all other languages: a fifth of the Worker, and no one asks for them. */
const englishOnly: Plugin = {
  name: "english only",
  setup(bundler) {
    bundler.onLoad({ filter: /[/\\]zod[/\\]v4[/\\]locales[/\\]index\.js$/ }, () => ({
      contents: `export { default as en } from "./en.js";`,
    }));
  },
};

async function buildOptions(): Promise<void> {
  const startedMs = Date.now();
  const { unstable_getMiniflareWorkerOptions } = await import("wrangler");
  const { workerOptions } = unstable_getMiniflareWorkerOptions(CONFIG);
  const { modulesRules: _, rootPath: __, ...options } = workerOptions;
  writeWhole("options.json", JSON.stringify(options));
  stamp("options", startedMs, ["wrangler.toml", "package-lock.json"]);
}

/** Writes down what `name` was made from, and that it was read no earlier than `startedMs`. */
function stamp(name: string, startedMs: number, inputs: readonly string[]): void {
  const files = inputs.filter((input) => statSync(join(PROJECT, input), { throwIfNoEntry: false })?.isFile());
  writeWhole(`${name}.inputs.json`, JSON.stringify({ startedMs, files }));
}

function isFresh(name: string): boolean {
  try {
    const text = readFileSync(join(DIST, `${name}.inputs.json`), "utf8");
    const { startedMs, files } = JSON.parse(text) as { startedMs: number; files: readonly string[] };
    return files.every((file) => statSync(join(PROJECT, file)).mtimeMs < startedMs);
  } catch {
    return false;
  }
}

/** Two commands may build at once: each file is there whole or not at all. */
function writeWhole(name: string, text: string): void {
  mkdirSync(dirname(join(DIST, name)), { recursive: true });
  const next = join(DIST, `${name}.${process.pid}`);
  writeFileSync(next, text);
  renameSync(next, join(DIST, name));
}
