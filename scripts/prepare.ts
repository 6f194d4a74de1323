/**
 * The last step of `npm ci`: makes `dist/` and compiles what `weir run` loads, so that the first run starts as quickly
 * as every other. What cannot be made now is made, or complained of, when it is needed.
 */
import module from "node:module";
import { join } from "node:path";
import { PROJECT } from "../src/cli/project.ts";
import { build } from "../src/cli/runtime/build.ts";
import { loadMiniflare } from "../src/cli/runtime/miniflareCopy.ts";

try {
  module.enableCompileCache(join(PROJECT, "dist/compiled"));
  await build();
  await import("../src/cli/main.ts");
  await import("../src/cli/commands/run.ts");
  await import("../src/cli/process/supervisor.ts");
  loadMiniflare();
  module.flushCompileCache();
} catch (error) {
  console.error(`dist/ is not made yet: ${error instanceof Error ? error.message : error}`);
}
