/** Run by the command in a process of its own: makes `dist/embedded/`, or (config, folder) the modules of a project. */
import { build } from "./build.ts";
import { buildOwn } from "./buildOwn.ts";

const [config, folder] = process.argv.slice(2);

try {
  await (config === undefined || folder === undefined ? build() : buildOwn(config, folder));
} catch (error) {
  // esbuild has shown its own complaints.
  const isShown = error instanceof Error && "errors" in error;
  if (!isShown) console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
