/** The reference of a spec's keys: made from the schemas, whole, and as it is checked in. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Validator } from "@cfworker/json-schema";
import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { keysOf, specPage } from "../../scripts/reference/specPage.ts";
import { annotatedSchemaOf, specDocument } from "../../src/runSpec/jsonSchema.ts";
import { parseSpec } from "../../src/runSpec/schema.ts";
import { retrySchema, specSchema } from "../../src/runSpec/specSchema.ts";
import { fireSchema, scheduleSchema } from "../../src/schedule/settings.ts";
import { sourceSchemas } from "../../src/sources/schemas.ts";
import { taskSchemas } from "../../src/tasks/schemas.ts";

const DOCS = resolve(import.meta.dirname, "../../docs");

const described: Readonly<Record<string, z.ZodType>> = {
  spec: specSchema,
  schedule: scheduleSchema,
  fire: fireSchema,
  retry: retrySchema,
  ...Object.fromEntries(Object.entries(sourceSchemas).map(([kind, schema]) => [`source ${kind}`, schema])),
  ...Object.fromEntries(Object.entries(taskSchemas).map(([kind, schema]) => [`task ${kind}`, schema])),
};
const keys = Object.entries(described).flatMap(([whole, schema]) =>
  keysOf(annotatedSchemaOf(schema)).map(([path, key]) => ({ key: `${whole}: ${path}`, schema: key.schema })),
);

describe("every key of a spec", () => {
  test.each(keys)(
    "$key has a sentence, an example, and what is accepted in Weir's own words",
    ({ schema }) => {
      expect(schema.description).toMatch(/^.{8,}[.:`)]/s);
      expect(schema.examples).toEqual([expect.anything()]);
      expect(schema.accepts).toMatch(/^(?!Invalid|Too |undefined)./);
    },
  );
});

describe("the reference that is checked in", () => {
  test("is what the schemas say now; else: npm run reference", () => {
    expect(readFileSync(join(DOCS, "spec.md"), "utf8")).toBe(specPage());
    const written = JSON.parse(readFileSync(join(DOCS, "spec.schema.json"), "utf8"));
    expect(written).toEqual(JSON.parse(JSON.stringify(specDocument())));
  });
});

describe("the JSON Schema", () => {
  const validator = new Validator(specDocument() as object, "2020-12", false);
  const examples = readdirSync(join(DOCS, "examples"), { recursive: true, encoding: "utf8" }).filter(
    (path) =>
      // A schema that lists Weir's own kinds refuses those of a project.
      path.endsWith("spec.json") && !path.startsWith("own-task"),
  );

  test.each(examples)("accepts docs/examples/%s, which names it", (path) => {
    const file = join(DOCS, "examples", path);
    const spec = JSON.parse(readFileSync(file, "utf8"));
    expect(validator.validate(spec).errors).toEqual([]);
    expect(resolve(file, "..", spec.$schema)).toBe(join(DOCS, "spec.schema.json"));
  });

  test("accepts a stored spec, with all its nulls", () => {
    const parsed = parseSpec({
      source: { kind: "input", name: "ids.txt" },
      task: { kind: "http", url: "https://example.com/{{item}}" },
    });
    expect(parsed.kind === "ok" && validator.validate(parsed.spec).errors).toEqual([]);
  });

  test.each([
    ["an unknown key", { chunksize: 5 }],
    ["a wrong type", { chunkSize: "5" }],
    ["a bound that is passed", { smoke: { items: 0 } }],
    [
      "an unknown key of the task",
      { task: { kind: "http", url: "https://a.example/{{item}}", timeoutMS: 1 } },
    ],
    ["a kind of task that is not there", { task: { kind: "ftp" } }],
  ])("refuses %s", (_, change) => {
    const spec = {
      source: { kind: "items", items: [1] },
      task: { kind: "http", url: "https://a.example/{{item}}" },
    };
    expect(validator.validate(spec).valid).toBe(true);
    expect(validator.validate({ ...spec, ...change }).valid).toBe(false);
  });
});

describe("$schema in a spec", () => {
  test("is accepted and means nothing to the run", () => {
    const parsed = parseSpec({
      $schema: "../../spec.schema.json",
      source: { kind: "items", items: [1] },
      task: { kind: "http", url: "https://example.com/{{item}}" },
    });
    expect(parsed).toMatchObject({ kind: "ok" });
    expect(parsed.kind === "ok" && parsed.spec).not.toHaveProperty("$schema");
  });
});
