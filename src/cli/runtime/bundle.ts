/**
 * What the embedded runtime is started with: the Worker and its lanes as modules, and the bindings that `wrangler.toml`
 * declares as Miniflare options. All lie in `dist/` and are made again when something they were made from has changed.
 *
 * The options are made by wrangler itself, so that both ways to run Weir read one configuration; wrangler takes a
 * second to load, which is why they are kept.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, join } from "node:path";
import type { BuildOptions, Metafile, Plugin } from "esbuild";
import type { V4WorkerOptions } from "miniflare";
import type { Encoding } from "../../tasks/llm/tokenizer.ts";
import { ranksOf } from "../../tasks/llm/tokenizerTables.ts";
import { DIST, isFresh, PROJECT, stamp, writeWhole } from "./dist.ts";
import { buildMiniflare, MINIFLARE } from "./miniflareCopy.ts";
import { network } from "./network.ts";
import { reachBinding } from "./reach.ts";

/** The tokenizer's tables, which the Worker reads when it needs them. */
const TABLES = join(DIST, "tables");
const ENCODINGS: readonly Encoding[] = ["o200k_base", "cl100k_base"];
const CONFIG = join(PROJECT, "wrangler.toml");
/** What `wrangler.toml` declares, as options. A former name's files held values of `.dev.vars`, and are removed. */
const CONFIGURATION = "configuration";
const WORKER = "worker";

/** The entry first, then what it imports, at once or when it needs it. */
export type Modules = { readonly type: "ESModule"; readonly path: string; readonly contents: string }[];

export interface Bundle {
  /** The Worker, consumers included. */
  readonly modules: Modules;
  /** The consumers alone. */
  readonly laneModules: Modules;
  readonly options: V4WorkerOptions;
}

/** Entries of `dist/`, and what each was made from. */
const ENTRIES = { worker: "src/embeddedWorker.ts", lanes: "src/embeddedLanes.ts" } as const;
type Entry = keyof typeof ENTRIES;

/**
 * The bundle, made now if it is missing or older than its sources. Throws where the sources do not compile.
 * Made by a process of its own: the memory that takes is not the command's to keep.
 */
export function loadBundle(): Bundle {
  if (![WORKER, CONFIGURATION, MINIFLARE].every(isFresh)) {
    execFileSync(process.execPath, [join(PROJECT, "scripts/build.ts")], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  }
  const options = JSON.parse(readFileSync(join(DIST, `${CONFIGURATION}.json`), "utf8")) as V4WorkerOptions;
  const serviceBindings = {
    ...options.serviceBindings,
    TABLES: { disk: { path: TABLES, writable: false } },
    NETWORK: { network: network() },
    REACH: reachBinding,
  };
  return {
    modules: readModules("worker"),
    laneModules: readModules("lanes"),
    options: { ...options, serviceBindings },
  };
}

function readModules(entry: Entry): Modules {
  const names = JSON.parse(readFileSync(join(DIST, `${entry}.modules.json`), "utf8")) as readonly string[];
  return names.map((name) => ({
    type: "ESModule",
    path: name,
    contents: readFileSync(join(DIST, name), "utf8"),
  }));
}

/** Makes what is missing or older than its sources. */
export async function build(): Promise<void> {
  if (!isFresh(WORKER)) await buildWorker();
  if (!isFresh(CONFIGURATION)) await buildOptions();
  if (!isFresh(MINIFLARE)) await buildMiniflare();
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
    // Two isolates read it at every start. And a character beyond Latin-1, in a comment too, doubles what it takes in
    // memory for as long as it runs.
    minify: true,
    logLevel: "error",
  };
}

async function buildWorker(): Promise<void> {
  const startedMs = Date.now();
  await writeTables();
  const { files, metafile } = await bundleEntries({});
  for (const [name, text] of files) writeWhole(name, text);
  for (const entry of Object.keys(ENTRIES))
    writeWhole(`${entry}.modules.json`, JSON.stringify(importedBy(`${entry}.js`, metafile)));
  stamp(WORKER, startedMs, ["src/cli/runtime/bundle.ts", ...Object.keys(metafile.inputs)]);
}

/** The same modules with the names of the source in them, for whoever looks at where the time goes. */
export async function readableModules(): Promise<Pick<Bundle, "modules" | "laneModules">> {
  const { files, metafile } = await bundleEntries({ minify: false, minifyWhitespace: true });
  const of = (entry: Entry): Modules =>
    importedBy(`${entry}.js`, metafile).map((name) => ({
      type: "ESModule",
      path: name,
      contents: files.get(name) ?? "",
    }));
  return { modules: of("worker"), laneModules: of("lanes") };
}

async function bundleEntries(
  options: BuildOptions,
): Promise<{ readonly files: ReadonlyMap<string, string>; readonly metafile: Metafile }> {
  const { build: bundle } = await import("esbuild");
  const { outputFiles = [], metafile } = await bundle({
    ...workerBuild(),
    entryPoints: { ...ENTRIES },
    // What both entries import, and what is imported when it is needed, are modules of their own.
    splitting: true,
    plugins: [lazyBuiltins, englishOnly, tablesOnDisk],
    chunkNames: "shared.[name]-[hash]",
    entryNames: "[name]",
    outdir: DIST,
    metafile: true,
    write: false,
    ...options,
  });
  if (metafile === undefined) throw new Error("esbuild was asked for what it made the modules of");
  return { files: new Map(outputFiles.map(({ path, text }) => [basename(path), text])), metafile };
}

/** Names of the modules that `entry` imports, directly or not; itself first. */
function importedBy(entry: string, { outputs }: Metafile): readonly string[] {
  const imports = new Map(
    Object.entries(outputs).map(([path, output]) => [
      basename(path),
      output.imports.filter(({ external }) => external !== true).map(({ path }) => basename(path)),
    ]),
  );
  const found = new Set([entry]);
  // A set goes on with what is added while it is walked.
  for (const name of found) for (const imported of imports.get(name) ?? []) found.add(imported);
  return [...found];
}

async function writeTables(): Promise<void> {
  for (const encoding of ENCODINGS)
    writeWhole(join(basename(TABLES), `${encoding}.json`), JSON.stringify(await ranksOf(encoding)));
}

/** See `tasks/llm/tokenizerTablesOnDisk.ts`. */
const tablesOnDisk: Plugin = {
  name: "tables on disk",
  setup(bundler) {
    bundler.onResolve({ filter: /\/tokenizerTables\.ts$/ }, () => ({
      path: join(PROJECT, "src/tasks/llm/tokenizerTablesOnDisk.ts"),
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
  // Its bindings are values of `.dev.vars` and of the environment: the command brings its own, and no file holds any.
  const { modulesRules: _, rootPath: __, bindings: ___, ...options } = workerOptions;
  writeWhole(`${CONFIGURATION}.json`, JSON.stringify(options));
  for (const former of ["options.json", "options.inputs.json"]) rmSync(join(DIST, former), { force: true });
  stamp(CONFIGURATION, startedMs, ["src/cli/runtime/bundle.ts", "wrangler.toml", "package-lock.json"]);
}
