/** How a Worker is made of its sources: settings and plugins of esbuild. */
import { isBuiltin } from "node:module";
import { basename, join } from "node:path";
import type { BuildOptions, Metafile, Plugin } from "esbuild";
import { PROJECT } from "../project.ts";

/** All but entry and outcome. */
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

/** See `tasks/llm/tokenizerTablesOnDisk.ts`. */
export const tablesOnDisk: Plugin = {
  name: "tables on disk",
  setup(bundler) {
    bundler.onResolve({ filter: /\/tokenizerTables\.ts$/ }, () => ({
      path: join(PROJECT, "src/tasks/llm/tokenizerTablesOnDisk.ts"),
    }));
    // In the package the tables are a part of their own (`scripts/package.ts`).
    bundler.onResolve({ filter: /\/tokenizerTables\.js$/ }, () => ({
      path: join(PROJECT, "dist/lib/tokenizerTablesOnDisk.js"),
    }));
  },
};

/**
 * Node's modules, which workerd has, loaded when the code that wants them is reached and not when the Worker starts:
 * what is imported on demand (the PostgreSQL client) costs a run that does not need it nothing.
 */
export const lazyBuiltins: Plugin = {
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
export const englishOnly: Plugin = {
  name: "english only",
  setup(bundler) {
    bundler.onLoad({ filter: /[/\\]zod[/\\]v4[/\\]locales[/\\]index\.js$/ }, () => ({
      contents: `export { default as en } from "./en.js";`,
    }));
  },
};

/** Names of the modules that `entry` imports, directly or not; itself first. */
export function importedBy(entry: string, { outputs }: Metafile): readonly string[] {
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
