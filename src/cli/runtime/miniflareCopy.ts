/**
 * Miniflare as the command loads it: one file in `dist/embedded/`, made of the package and of what it requires.
 *
 * Two things make it start faster. One file without comments and without characters beyond Latin-1 is read and compiled
 * sooner than two hundred. And the message in which Miniflare gives workerd its configuration grows to its size at once:
 * the package's grows by 4 KiB, and copies megabytes each time (docs/design/runtime.md has the figures).
 */
import { cpSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "esbuild";
import { PROJECT } from "../project.ts";
import { EMBEDDED, writeStamp, writeWhole } from "./dist.ts";

/** Its name among what `dist/embedded/` holds. */
export const MINIFLARE = "miniflare";
const FILE = join(EMBEDDED, `${MINIFLARE}.cjs`);
const GROWTH = /(?<=\bvar MIN_SINGLE_SEGMENT_GROWTH = )4096(?=;)/;
/** More than a configuration needs: only what is written of it becomes memory. */
const GROWTH_BYTES = 16 * 2 ** 20;
const require = createRequire(import.meta.url);

/** Loads the copy. It must have been built. */
export function loadMiniflare(): typeof import("miniflare") {
  // Required, not imported: to import it Node would read megabytes of CommonJS for its format and its exports too.
  return require(FILE) as typeof import("miniflare");
}

/** Throws where the package has another form than this file knows. */
export async function buildMiniflare(): Promise<void> {
  const startedMs = Date.now();
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    absWorkingDir: PROJECT,
    entryPoints: [require.resolve("miniflare")],
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    // Names of classes stand in messages.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    // They are programs, or optional.
    external: ["workerd", "sharp", "fsevents"],
    plugins: [wholeMessages],
    outfile: FILE,
    write: false,
    logLevel: "error",
  });
  // Its own Workers, which it reads from beside itself.
  const workers = join(dirname(require.resolve("miniflare")), "workers");
  cpSync(workers, join(EMBEDDED, "workers"), { recursive: true, filter: (path) => !path.endsWith(".map") });
  writeWhole(FILE, escaped(outputFiles[0]?.text ?? ""));
  writeStamp(EMBEDDED, MINIFLARE, {
    startedMs,
    from: PROJECT,
    files: ["src/cli/runtime/miniflareCopy.ts", "package-lock.json"],
  });
}

/** esbuild leaves characters of regular expressions as they are. */
function escaped(code: string): string {
  const codeOf = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return code.replace(/[^\u0000-\u00ff]/g, codeOf);
}

const wholeMessages: Plugin = {
  name: "whole messages",
  setup(bundler) {
    const path = require.resolve("miniflare");
    bundler.onLoad({ filter: /[/\\]miniflare[/\\]dist[/\\]src[/\\]index\.js$/ }, () => {
      const contents = readFileSync(path, "utf8");
      if (!GROWTH.test(contents)) throw new Error(`${path} grows its messages in another way`);
      return { contents: contents.replace(GROWTH, String(GROWTH_BYTES)) };
    });
  },
};
