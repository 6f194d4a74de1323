/**
 * Makes what the package holds beside the embedded runtime's modules (`npm pack`): the command, the parts that projects
 * import and that are bundled with their own, and declarations.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { PROJECT } from "../src/cli/project.ts";
import { build as buildEmbedded } from "../src/cli/runtime/build.ts";
import { englishOnly, lazyBuiltins, workerBuild } from "../src/cli/runtime/workerBuild.ts";

const DIST = join(PROJECT, "dist");
/** Installed beside Weir; all else is in it. */
const INSTALLED = ["workerd", "esbuild", "zod", "zod/*"];

/** The command counts no tokens: the Worker does. */
const noTables: Plugin = {
  name: "no tables",
  setup(bundler) {
    bundler.onLoad({ filter: /\/tokenizerTables\.ts$/ }, () => ({
      contents: `export const ranksOf = () => Promise.reject(new Error("the command has no tables of tokens"));`,
    }));
  },
};

/** Not in the parts that use them: the embedded runtime puts others in their place. */
const apartTables: Plugin = {
  name: "apart tables",
  setup(bundler) {
    bundler.onResolve({ filter: /\/tokenizerTables\.ts$/ }, ({ importer }) =>
      importer === "" ? undefined : { path: "./tokenizerTables.js", external: true },
    );
  },
};

for (const part of ["cli", "lib", "types"]) rmSync(join(DIST, part), { recursive: true, force: true });
await buildEmbedded();
await buildCommand();
await buildParts();
await buildClients();
declare();

async function buildCommand(): Promise<void> {
  await build({
    ...shared(),
    platform: "node",
    target: "node20",
    entryPoints: {
      weir: "src/cli/packaged.ts",
      build: "src/cli/runtime/buildCommand.ts",
    },
    external: [...INSTALLED, "miniflare", "wrangler", "cloudflare:*", "pg-native"],
    plugins: [englishOnly, noTables],
    outdir: join(DIST, "cli"),
  });
}

/** What projects import, and what their own modules are bundled with: one set, so that classes are the same. */
async function buildParts(): Promise<void> {
  const { plugins: _, minify: __, external = [], ...options } = workerBuild();
  await build({
    ...options,
    ...shared(),
    minifyWhitespace: false,
    entryPoints: {
      weirRun: "src/package/weirRun.ts",
      worker: "src/package/worker.ts",
      embeddedWorker: "src/package/embeddedWorker.ts",
      embeddedLanes: "src/package/embeddedLanes.ts",
      tokenizerTables: "src/tasks/llm/tokenizerTables.ts",
      tokenizerTablesOnDisk: "src/tasks/llm/tokenizerTablesOnDisk.ts",
    },
    external: [...external, ...INSTALLED],
    plugins: [lazyBuiltins, apartTables],
    outdir: join(DIST, "lib"),
  });
}

/** What browsers and tests import: apart from the Worker's parts, and from Node where it does not need it. */
async function buildClients(): Promise<void> {
  const options = { ...shared(), target: "es2022", splitting: false, outdir: join(DIST, "lib") };
  await build({ ...options, platform: "browser", entryPoints: { client: "src/package/client.ts" } });
  await build({
    ...options,
    platform: "node",
    target: "node20",
    entryPoints: { testing: "src/package/testing.ts" },
  });
}

function shared(): BuildOptions {
  return {
    absWorkingDir: PROJECT,
    bundle: true,
    format: "esm",
    splitting: true,
    chunkNames: "shared.[name]-[hash]",
    sourcemap: true,
    sourcesContent: false,
    logLevel: "warning",
  };
}

/** The declarations that the public ones reach, with the names of the files as they are built. */
function declare(): void {
  const all = join(DIST, "types.all");
  rmSync(all, { recursive: true, force: true });
  const tsc = join(PROJECT, "node_modules/.bin/tsc");
  execFileSync(tsc, ["-p", "tsconfig.types.json", "--outDir", all], { cwd: PROJECT, stdio: "inherit" });
  const found = new Set(["weirRun", "worker", "client", "testing"].map((name) => `package/${name}.d.ts`));
  for (const path of found) {
    const text = readFileSync(join(all, path), "utf8");
    const built = text.replace(/(from|import)(\s*\(?)"(\.[^"]*)\.ts"/g, '$1$2"$3.js"');
    for (const [, name] of built.matchAll(/(?:from\s*|import\s*\(?)"(\.[^"]*)\.js"/g))
      if (existsSync(join(all, dirname(path), `${name}.d.ts`)))
        found.add(join(dirname(path), `${name}.d.ts`));
    mkdirSync(dirname(join(DIST, "types", path)), { recursive: true });
    writeFileSync(join(DIST, "types", path), built);
  }
  rmSync(all, { recursive: true });
}
