/** The project's shape: what must be absent everywhere. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { breaches, type Sources } from "../support/importLaw.ts";

const TOP = resolve(import.meta.dirname, "../..");

function projectSources(): Sources {
  const files = ["src", "test", "scripts"].flatMap((folder) =>
    readdirSync(join(TOP, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(ts|js)$/.test(entry.name))
      .filter((entry) => !entry.parentPath.includes("node_modules"))
      .map((entry) => join(entry.parentPath, entry.name).slice(TOP.length + 1)),
  );
  return new Map(files.map((path) => [path, readFileSync(join(TOP, path), "utf8")]));
}

describe("the import law", () => {
  test("holds in the whole project", () => {
    const sources = projectSources();
    expect(sources.size).toBeGreaterThan(20);
    expect(breaches(sources)).toEqual([]);
  });

  test.each([
    ["core that imports a neighbour", "src/core/limiter/gcra.ts", 'import { x } from "../run/object.ts";'],
    ["core that imports a package", "src/core/spec.ts", 'import { z } from "zod";'],
    ["core that imports a type from outside", "src/core/a.ts", 'import type { Env } from "../env.ts";'],
    ["core that reads the clock", "src/core/a.ts", "export const now = () => Date.now();"],
    ["core that waits", "src/core/a.ts", "export async function later() {}"],
    ["a lane that imports the entry", "src/lane/lane.ts", 'import "../index.ts";'],
    ["storage that imports the command", "src/storage/a.ts", 'const m = await import("../cli/run.ts");'],
    ["a product that imports its tests", "src/cli/a.ts", 'import { b } from "../../test/support/b.ts";'],
    ["a barrel by name", "src/lane/index.ts", "export const a = 1;"],
    ["a barrel by content", "src/lane/all.ts", 'export { a } from "./a.ts";\nexport { b } from "./b.ts";'],
    ["a barrel by star", "src/lane/all.ts", 'export * from "./a.ts";'],
    ["a folder that says nothing", "src/utils/a.ts", ""],
    ["a file that says nothing", "test/support/helpers.ts", ""],
  ])("catches %s", (_, path, text) => {
    expect(breaches(new Map([[path, text]]))).toHaveLength(1);
  });

  test.each([
    ["the entry re-exports the object", "src/index.ts", 'export { RunObject } from "./run/object.ts";'],
    ["core imports core", "src/core/a.ts", 'import { b } from "./b.ts";'],
    [
      "a comment may say anything",
      "src/core/a.ts",
      '// never Date.now(), never from "zod"\nexport const a = 1;',
    ],
    ["the command reads its own version", "src/cli/a.ts", 'import p from "../../package.json";'],
  ])("lets pass: %s", (_, path, text) => {
    expect(breaches(new Map([[path, text]]))).toEqual([]);
  });
});
