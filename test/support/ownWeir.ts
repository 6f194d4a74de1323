/**
 * A copy of the project with one more task, made as `docs/own-task.md` tells: a module in `src/tasks`, a line in
 * the registry. Its command is Weir itself, so tests of what tasks do wrong need no switch in the product.
 */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const PROJECT = resolve(import.meta.dirname, "../..");
const COPIED = [
  "src",
  "scripts",
  "migrations",
  "wrangler.toml",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
];

/** Makes the copy in `folder`; `module` is a file that exports `<kind>Task`. Returns the path of its command. */
export function copyWithTask(folder: string, kind: string, module: string): string {
  mkdirSync(folder, { recursive: true });
  for (const name of COPIED) cpSync(join(PROJECT, name), join(folder, name), { recursive: true });
  symlinkSync(join(PROJECT, "node_modules"), join(folder, "node_modules"));
  const code = readFileSync(module, "utf8").replaceAll(/"(?:\.\.\/)+src\/tasks\//g, '"./');
  writeFileSync(join(folder, `src/tasks/${kind}.ts`), code);
  const registry = join(folder, "src/tasks/registry.ts");
  const text = readFileSync(registry, "utf8");
  const added = text
    .replace("import type { Task }", `import { ${kind}Task } from "./${kind}.ts";\nimport type { Task }`)
    .replace("http: httpTask", `${kind}: ${kind}Task,\n    http: httpTask`);
  if (!added.includes(`${kind}: ${kind}Task`)) throw new Error("the registry has changed its form");
  writeFileSync(registry, added);
  return join(folder, "src/cli/weir.js");
}
