/** What the documents show is accepted as it stands. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import ownTask from "../../docs/examples/own-task/weir.config.ts";
import { extendApi } from "../../src/package/extendApi.ts";
import { parseSpec } from "../../src/runSpec/schema.ts";
import { fillPlaceholders } from "../../src/schedule/placeholders.ts";

const EXAMPLES = resolve(import.meta.dirname, "../../docs/examples");

const specs = readdirSync(EXAMPLES, { recursive: true, encoding: "utf8" }).filter((path) =>
  path.endsWith("spec.json"),
);

const readmes = readdirSync(EXAMPLES, { recursive: true, encoding: "utf8" }).filter((path) =>
  path.endsWith("README.md"),
);

describe("the index of the documents", () => {
  const docs = resolve(EXAMPLES, "..");
  const index = readFileSync(join(docs, "README.md"), "utf8");
  const documents = readdirSync(docs).filter((name) => name.endsWith(".md") && name !== "README.md");

  test.each([...documents, ...readdirSync(EXAMPLES).map((name) => `examples/${name}`)])(
    "names %s",
    (path) => {
      expect(index).toContain(`](${path}`);
    },
  );
});

describe("the commands of the examples", () => {
  test.each(readmes)("%s runs TypeScript with the Node that comes with Weir", (path) => {
    const lines = readFileSync(join(EXAMPLES, path), "utf8").split("\n");
    expect(lines.filter((line) => /^node .*\.(?:ts|js)\b/.test(line))).toEqual([]);
  });
});

extendApi(ownTask);

describe("the example specs", () => {
  test.each(specs)("%s is accepted", (path) => {
    const spec = JSON.parse(readFileSync(join(EXAMPLES, path), "utf8"));
    const outcome = parseSpec(fillPlaceholders(spec, { scheduledAtMs: 0, watermarkMs: 0 }));
    expect(outcome).toMatchObject({ kind: "ok" });
  });
});
