/** `docs/spec.md`: every key of a spec, from its schema. Which keys belong together, and nothing else, is said here. */
import type { z } from "zod";
import { annotatedSchemaOf, type JsonSchema } from "../../src/runSpec/jsonSchema.ts";
import { retrySchema, specSchema } from "../../src/runSpec/specSchema.ts";
import { scheduleSchema } from "../../src/schedule/settings.ts";
import { sourceSchemas } from "../../src/sources/schemas.ts";
import { taskSchemas } from "../../src/tasks/schemas.ts";

const HEAD = `# The keys of a spec

Made by \`npm run reference\` from the schemas that check every spec: do not edit it. For editors the same is in
[spec.schema.json](spec.schema.json), and at \`/spec.schema.json\` of a running Weir:

\`\`\`json
{ "$schema": "https://weir.example.com/spec.schema.json", "source": { … }, "task": { … } }
\`\`\`

A key that is left out, or null, has its default. An unknown key is refused by its name. Every mistake of a spec is
reported at once, each with its path (\`quota.requests\`) and what is accepted there; \`weir plan spec.json\` shows what
a spec would do and calls nothing. How insertions such as \`{{item}}\` are encoded depends on the place where they stand:
no item can leave it.`;

/** The whole page. */
export function specPage(): string {
  const kinds = (schemas: Readonly<Record<string, z.ZodType>>, part: string) =>
    Object.entries(schemas).map(([kind, schema]) =>
      section(`${part} \`${kind}\``, annotatedSchemaOf(schema), "kind"),
    );
  const pages = [
    HEAD,
    section("The spec", annotatedSchemaOf(specSchema)),
    "## Sources",
    ...kinds(sourceSchemas, "### `source`:"),
    "## Tasks",
    ...kinds(taskSchemas, "### `task`:"),
    "## What else is sent to the API",
    section("### A schedule", annotatedSchemaOf(scheduleSchema)),
    section("### A retry", annotatedSchemaOf(retrySchema)),
  ];
  return `${pages.join("\n\n")}\n`;
}

/** A heading, what is said of the whole, and a table of its keys, those of inner objects among them. */
function section(heading: string, schema: JsonSchema, naming?: string): string {
  const named = naming === undefined ? undefined : propertiesOf(schema)[naming];
  const about = named === undefined ? [] : [sentences(named)];
  const rows = keysOf(schema).filter(([path]) => path !== naming);
  const table = ["| key | accepted | default | |", "| --- | --- | --- | --- |", ...rows.map(row)].join("\n");
  return [heading.startsWith("#") ? heading : `## ${heading}`, ...about, table].join("\n\n");
}

interface Key {
  readonly schema: JsonSchema;
  readonly isRequired: boolean;
}

/** Every key below, by its path; the members of a list's or map's objects too. */
export function keysOf(schema: JsonSchema, above = ""): readonly (readonly [path: string, key: Key])[] {
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(propertiesOf(schema)).flatMap(([name, member]) => {
    const path = `${above}${name}`;
    const key = { schema: member, isRequired: required.includes(name) };
    return [[path, key] as const, ...keysOf(member, `${path}.`), ...keysOfMembers(member, path)];
  });
}

function keysOfMembers(schema: JsonSchema, path: string) {
  const members = [schema.items, schema.additionalProperties].filter(isSchema);
  const mark = isSchema(schema.items) ? "[]" : ".NAME";
  return members.flatMap((member) =>
    [member, ...choicesOf(member)].flatMap((choice) => keysOf(choice, `${path}${mark}.`)),
  );
}

function choicesOf(schema: JsonSchema): readonly JsonSchema[] {
  return Array.isArray(schema.anyOf) ? schema.anyOf.filter(isSchema) : [];
}

function row([path, { schema, isRequired }]: readonly [string, Key]): string {
  const given = schema.default;
  const fallback = isRequired ? "required" : given === undefined || given === null ? "none" : code(given);
  const example = Array.isArray(schema.examples) ? code(schema.examples[0] ?? null) : "";
  return `| ${[`\`${path}\``, escaped(String(schema.accepts)), fallback, `${sentences(schema)} Example: ${example}`].join(" | ")} |`;
}

function sentences({ description, why }: JsonSchema): string {
  return escaped([description, why].filter((text) => typeof text === "string").join(" "));
}

function code(value: unknown): string {
  // Spaced as people write it; line ends inside a text are escaped, so these are all between the values.
  const spaced = JSON.stringify(value, null, 1).replace(/\n\s*/g, " ");
  return `\`${escaped(spaced.replace(/^\[ (.*) \]$/, "[$1]"))}\``;
}

/** A bar would end the cell. */
function escaped(text: string): string {
  return text.replaceAll("|", "\\|");
}

function propertiesOf(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  return (isSchema(schema.properties) ? schema.properties : {}) as Readonly<Record<string, JsonSchema>>;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
