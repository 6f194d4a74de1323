/** The project's shape: what must be absent everywhere. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import {
  breaches,
  CYCLES,
  fileKnots,
  knots,
  MAY_IMPORT,
  roomImports,
  type Sources,
} from "../support/importLaw.ts";

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
  const sources = projectSources();

  test("holds in the whole project", () => {
    expect(sources.size).toBeGreaterThan(20);
    expect(breaches(sources)).toEqual([]);
  });

  test("permits only what is imported, and no circle", () => {
    const permitted = Object.entries(MAY_IMPORT).flatMap(([room, others]) =>
      others.map((other) => `${room} -> ${other}`),
    );
    expect([...roomImports(sources)].sort()).toEqual(permitted.sort());
    expect(knots(new Map(Object.entries(MAY_IMPORT)))).toEqual([]);
  });

  test("gives a reason for exactly those circles of files that are there", () => {
    const known = CYCLES.map(({ files }) => [...files].sort());
    expect(fileKnots(sources).all.sort()).toEqual(known.sort());
  });

  test("stands in ARCHITECTURE.md as it is checked", () => {
    const page = readFileSync(join(TOP, "ARCHITECTURE.md"), "utf8");
    const rows = [...page.matchAll(/^\| `src\/([\w.]+)` \|[^|]*\| ([^|]*) \|$/gm)];
    const shown = rows.map(([, room = "", others = ""]) => [
      room,
      others === "nothing" ? [] : others.split(", "),
    ]);
    expect(Object.fromEntries(shown)).toEqual(MAY_IMPORT);
  });

  test.each([
    ["core that imports a neighbour", "src/core/gcra.ts", 'import { x } from "../run/object.ts";'],
    ["core that imports a package", "src/core/spec.ts", 'import { z } from "zod";'],
    [
      "core that imports a type from outside",
      "src/core/a.ts",
      'import type { Env } from "../objects/env.ts";',
    ],
    ["core that reads the clock", "src/core/a.ts", "export const now = () => Date.now();"],
    ["core that waits", "src/core/a.ts", "export async function later() {}"],
    ["a lane that imports the entry", "src/lane/lane.ts", 'import "../index.ts";'],
    ["storage that imports the command", "src/storage/a.ts", 'const m = await import("../cli/run.ts");'],
    ["a task that imports a source", "src/tasks/a.ts", 'import type { A } from "../sources/a.ts";'],
    ["a folder that the law does not know", "src/pages/a.ts", 'import { a } from "../core/a.ts";'],
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
    ["by type", 'import type { B } from "./b.ts";', 'import { type A } from "./a.ts";', 1],
    ["by value on one side", 'import { b } from "./b.ts";', 'import type { A } from "./a.ts";', 1],
    ["by value", 'import { type B, b } from "./b.ts";', 'import { a } from "./a.ts";', 2],
    ["on demand", 'const b = await import("./b.ts");', 'import { a } from "./a.ts";', 2],
  ])("catches two files that import each other %s", (_, a, b, breachesFound) => {
    const files = new Map([
      ["src/cli/a.ts", a],
      ["src/cli/b.ts", b],
    ]);
    expect(breaches(files)).toHaveLength(breachesFound);
  });

  test.each([
    [
      "the entry re-exports the object",
      "src/index.ts",
      'export { RunObject } from "./package/weirWorker.ts";',
    ],
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
