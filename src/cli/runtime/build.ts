/**
 * Makes the modules that the embedded runtime is started with, and the options that `wrangler.toml` declares.
 *
 * The options are made by wrangler itself, so that both ways to run Weir read one configuration; wrangler takes a
 * second to load, which is why they are kept.
 */
import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { BuildOptions, Metafile } from "esbuild";
import type { Encoding } from "../../tasks/llm/tokenizer.ts";
import { ranksOf } from "../../tasks/llm/tokenizerTables.ts";
import { PROJECT } from "../project.ts";
import type { Bundle, Modules } from "./bundle.ts";
import { CONFIGURATION, EMBEDDED, isFresh, TABLES, writeStamp, writeWhole } from "./dist.ts";
import { buildMiniflare, MINIFLARE } from "./miniflareCopy.ts";
import { englishOnly, importedBy, lazyBuiltins, tablesOnDisk, workerBuild } from "./workerBuild.ts";

const ENCODINGS: readonly Encoding[] = ["o200k_base", "cl100k_base"];

/** The modules' entries, and what each is made from. */
const ENTRIES = { worker: "src/embeddedWorker.ts", lanes: "src/embeddedLanes.ts" } as const;
type Entry = keyof typeof ENTRIES;

/** Makes what is missing or older than its sources. */
export async function build(): Promise<void> {
  if (!isFresh(EMBEDDED, "worker")) await buildWorker();
  if (!isFresh(EMBEDDED, CONFIGURATION)) await buildOptions();
  if (!isFresh(EMBEDDED, MINIFLARE)) await buildMiniflare();
}

async function buildWorker(): Promise<void> {
  const startedMs = Date.now();
  for (const encoding of ENCODINGS)
    writeWhole(join(TABLES, `${encoding}.json`), JSON.stringify(await ranksOf(encoding)));
  const { files, metafile } = await bundleEntries({});
  writeModules(EMBEDDED, files, metafile);
  writeStamp(EMBEDDED, "worker", {
    startedMs,
    from: PROJECT,
    files: ["src/cli/runtime/build.ts", "src/cli/runtime/workerBuild.ts", ...Object.keys(metafile.inputs)],
  });
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

/** The modules by their names, and what they were made of. */
interface Bundled {
  readonly files: ReadonlyMap<string, string>;
  readonly metafile: Metafile;
}

function bundleEntries(options: BuildOptions): Promise<Bundled> {
  return bundleModules({
    entryPoints: { ...ENTRIES },
    plugins: [lazyBuiltins, englishOnly, tablesOnDisk],
    outdir: EMBEDDED,
    ...options,
  });
}

/** Rejects with esbuild's `BuildFailure` where a source does not compile. */
export async function bundleModules(options: BuildOptions): Promise<Bundled> {
  const { build: bundle } = await import("esbuild");
  const { outputFiles = [], metafile } = await bundle({
    ...workerBuild(),
    // What both entries import, and what is imported when it is needed, are modules of their own.
    splitting: true,
    chunkNames: "shared.[name]-[hash]",
    entryNames: "[name]",
    metafile: true,
    write: false,
    ...options,
  });
  if (metafile === undefined) throw new Error("esbuild was asked for what it made the modules of");
  return { files: new Map(outputFiles.map(({ path, text }) => [basename(path), text])), metafile };
}

/** Writes the modules and, for each entry, which of them it needs. */
export function writeModules(folder: string, files: ReadonlyMap<string, string>, metafile: Metafile): void {
  for (const [name, text] of files) writeWhole(join(folder, name), text);
  for (const entry of Object.keys(ENTRIES))
    writeWhole(join(folder, `${entry}.modules.json`), JSON.stringify(importedBy(`${entry}.js`, metafile)));
}

async function buildOptions(): Promise<void> {
  const startedMs = Date.now();
  const { unstable_getMiniflareWorkerOptions } = await import("wrangler");
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(PROJECT, "wrangler.toml"));
  // Its bindings are values of `.dev.vars` and of the environment: the command brings its own, and no file holds any.
  const { modulesRules: _, rootPath: __, bindings: ___, ...options } = workerOptions;
  writeWhole(join(EMBEDDED, `${CONFIGURATION}.json`), JSON.stringify(options));
  // A former build wrote such values down, and others lay one folder higher.
  for (const former of ["options.json", "options.inputs.json"])
    rmSync(join(PROJECT, "dist", former), { force: true });
  writeStamp(EMBEDDED, CONFIGURATION, {
    startedMs,
    from: PROJECT,
    files: ["src/cli/runtime/build.ts", "wrangler.toml", "package-lock.json"],
  });
}
