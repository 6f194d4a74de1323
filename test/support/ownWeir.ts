/**
 * A copy of the project with one more task, made as `docs/own-task.md` tells: a module in `src/tasks`, a line each in
 * the registry and among the schemas. Its command is Weir itself, so tests of what tasks do wrong need no switch in the product.
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

/** Copies the project as it is into `folder`, with the packages of this one. */
export function copyProject(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const name of COPIED) cpSync(join(PROJECT, name), join(folder, name), { recursive: true });
  symlinkSync(join(PROJECT, "node_modules"), join(folder, "node_modules"));
}

/** Makes the copy in `folder`; `module` is a file that exports `<kind>Task` and `<kind>Schema`. Returns the path of its command. */
export function copyWithTask(folder: string, kind: string, module: string): string {
  copyProject(folder);
  const code = readFileSync(module, "utf8").replaceAll(/"(?:\.\.\/)+src\/tasks\//g, '"./');
  writeFileSync(join(folder, `src/tasks/${kind}.ts`), code);
  const imported = (name: string) => `import { ${kind}${name} } from "./${kind}.ts";\nimport`;
  change(join(folder, "src/tasks/registry.ts"), [
    ["import", imported("Task")],
    ["http: httpTask", `${kind}: ${kind}Task,\n    http: httpTask`],
  ]);
  change(join(folder, "src/tasks/schemas.ts"), [
    ["import", imported("Schema")],
    ["http: httpSchema", `${kind}: ${kind}Schema,\n    http: httpSchema`],
  ]);
  return join(folder, "src/cli/weir.js");
}

function change(path: string, changes: readonly (readonly [string, string])[]): void {
  let text = readFileSync(path, "utf8");
  for (const [old, now] of changes) {
    if (!text.includes(old)) throw new Error(`${path} has changed its form`);
    text = text.replace(old, now);
  }
  writeFileSync(path, text);
}
