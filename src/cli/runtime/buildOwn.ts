/**
 * Makes the modules of a project that extends Weir: its `weir.config.ts` and what that imports, with Weir's Worker and
 * lanes around it. `weir-run` is always the Weir that runs: what the project imports of it and what works its tasks off
 * are the same modules, so that `instanceof` holds.
 */
import { dirname, join, relative } from "node:path";
import type { Plugin } from "esbuild";
import { IS_BUILT, PROJECT } from "../project.ts";
import { bundleModules, writeModules } from "./build.ts";
import { writeStamp } from "./dist.ts";
import { englishOnly, lazyBuiltins, tablesOnDisk } from "./workerBuild.ts";

/** Weir's parts as they are bundled: from its source in a clone, as they were built in the package. */
const PARTS = IS_BUILT ? join(PROJECT, "dist/lib") : join(PROJECT, "src/package");
const EXTENSION = IS_BUILT ? "js" : "ts";

/** Makes `folder` from the config at `path`. Rejects with esbuild's `BuildFailure` where it does not compile. */
export async function buildOwn(path: string, folder: string): Promise<void> {
  const startedMs = Date.now();
  const from = dirname(path);
  const { files, metafile } = await bundleModules({
    absWorkingDir: from,
    entryPoints: { worker: "weir-entry:worker", lanes: "weir-entry:lanes" },
    plugins: [entries(path), ownParts, lazyBuiltins, englishOnly, tablesOnDisk],
    outdir: folder,
    // A mistake in the config is shown with its file, line and text.
    logLevel: "error",
  });
  writeModules(folder, files, metafile);
  const inputs = Object.keys(metafile.inputs).filter((input) => !/^[a-z-]+:/.test(input));
  const built = [join(PROJECT, "package.json"), ...(IS_BUILT ? [join(PARTS, "embeddedWorker.js")] : [])];
  writeStamp(folder, "worker", {
    startedMs,
    from,
    files: [...inputs, ...built.map((file) => relative(from, file))],
  });
}

function part(name: string): string {
  return join(PARTS, `${name}.${EXTENSION}`);
}

/** The two entries, which import the config. */
function entries(config: string): Plugin {
  const [worker, lanes] = [part("embeddedWorker"), part("embeddedLanes")].map((path) => JSON.stringify(path));
  const text = {
    worker: [
      `import config from ${JSON.stringify(config)};`,
      `import { createEmbeddedWorker } from ${worker};`,
      `export { RunObject, Schema, ScheduleObject, TargetObject } from ${worker};`,
      "export default createEmbeddedWorker(config);",
    ].join(" "),
    lanes: [
      `import config from ${JSON.stringify(config)};`,
      `import { createEmbeddedLanes } from ${lanes};`,
      "export default createEmbeddedLanes(config);",
    ].join(" "),
  };
  return {
    name: "entries",
    setup(bundler) {
      bundler.onResolve({ filter: /^weir-entry:/ }, (found) => ({
        path: found.path.slice("weir-entry:".length),
        namespace: "weir-entry",
      }));
      bundler.onLoad({ filter: /.*/, namespace: "weir-entry" }, (found) => ({
        contents: text[found.path as keyof typeof text],
        resolveDir: dirname(config),
      }));
    },
  };
}

const ownParts: Plugin = {
  name: "weir-run",
  setup(bundler) {
    bundler.onResolve({ filter: /^weir-run(\/worker)?$/ }, (found) => ({
      path: part(found.path === "weir-run" ? "weirRun" : "worker"),
    }));
  },
};
