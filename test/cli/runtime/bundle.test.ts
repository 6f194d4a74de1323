/** What the embedded runtime is started with. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type Metafile } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";
import { loadBundle } from "../../../src/cli/runtime/bundle.ts";
import { workerBuild } from "../../../src/cli/runtime/workerBuild.ts";
import { copyProject } from "../../support/ownWeir.ts";

describe("the lanes' isolate", () => {
  let inputs: readonly string[];
  beforeAll(async () => {
    const options = {
      ...workerBuild(),
      entryPoints: ["src/embeddedLanes.ts"],
      splitting: true,
      outdir: "dist",
    };
    const { metafile } = await build({ ...options, metafile: true as const, write: false });
    inputs = atOnce(metafile, "src/embeddedLanes.ts");
  });

  test("holds the lanes", () => {
    expect(inputs).toContain("src/lane/invocation.ts");
  });

  test.each([
    "src/api/",
    "src/schedule/",
    "src/run/object.ts",
    "node_modules/hono/",
    "node_modules/croner/",
    "node_modules/zod/",
  ])(
    "holds nothing of %s: a collection of its garbage would have to mark it while no call leaves",
    (path) => {
      expect(inputs.filter((input) => input.startsWith(path))).toEqual([]);
    },
  );

  test.each(["node_modules/pg/", "node_modules/gpt-tokenizer/"])("loads %s when it is needed", (path) => {
    expect(inputs.filter((input) => input.startsWith(path))).toEqual([]);
  });
});

describe("the bundle", () => {
  test("has no character beyond Latin-1, which would double what the source takes in memory", () => {
    const { modules, laneModules } = loadBundle();
    for (const { path, contents } of [...modules, ...laneModules]) {
      expect(/[^\u0000-\u00ff]/.exec(contents)?.index ?? null, path).toBeNull();
    }
  });

  test("has all modules that its entries import", () => {
    const { modules, laneModules } = loadBundle();
    for (const list of [modules, laneModules]) {
      const names = list.map(({ path }) => `./${path}`);
      const imported = list.flatMap(({ contents }) =>
        [...contents.matchAll(/(?:from|import\(|import)\s*"(\.\/[^"]+)"/g)].map(([, name]) => name),
      );
      expect(imported.filter((name) => !names.includes(name ?? ""))).toEqual([]);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});

test("no file of a build holds a value of .dev.vars or of the environment, nor does one of a former build", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-build-"));
  try {
    copyProject(folder);
    const token = "a-token-of-dev-vars-0123456789-0123456789";
    writeFileSync(join(folder, ".dev.vars"), `WEIR_TOKEN="${token}"\nWEIR_SECRET_X="secret-${token}"\n`);
    mkdirSync(join(folder, "dist"));
    writeFileSync(join(folder, "dist/options.json"), JSON.stringify({ bindings: { WEIR_TOKEN: token } }));
    const env = { ...process.env, WEIR_SECRET_Y: `environment-${token}` };
    execFileSync(process.execPath, [join(folder, "scripts/build.ts")], { env });
    const files = readdirSync(join(folder, "dist"), { recursive: true, encoding: "utf8" });
    const texts = files
      .map((file) => join(folder, "dist", file))
      .filter((path) => statSync(path).isFile())
      .map((path) => [path, readFileSync(path, "utf8")] as const);
    expect(texts.filter(([, text]) => text.includes(token)).map(([path]) => path)).toEqual([]);
    expect(files).toContain("embedded/configuration.json");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** What is loaded with `entry`, directly or not. */
function atOnce({ inputs }: Metafile, entry: string): readonly string[] {
  const found = new Set([entry]);
  for (const path of found) {
    for (const { path: imported, kind } of inputs[path]?.imports ?? []) {
      if (kind !== "dynamic-import") found.add(imported);
    }
  }
  return [...found];
}
