/**
 * What the schemas say, as JSON Schema (2020-12): for editors (`$schema`), for the OpenAPI, and as the source of the
 * written reference. Defaults that are filled in apart from the schemas (`SPEC_DEFAULTS`) are put in here.
 *
 * Looser than the parser in two things it cannot say: what parts allow only together, and forms that a sentence
 * describes (a rate, a template). Nowhere stricter.
 */
import { z } from "zod";
import { type Json, RAMP_DEFAULTS, SMOKE_DEFAULTS, SPEC_DEFAULTS, WINDOW_DEFAULTS } from "../core/spec.ts";
import { complaintOf } from "../schema/complaint.ts";
import { sourceSchemas } from "../sources/schemas.ts";
import { taskSchemas } from "../tasks/schemas.ts";
import { specSchema } from "./specSchema.ts";

export type JsonSchema = { readonly [keyword: string]: Json };

/** A schema whose kinds are named apart, as OpenAPI wants them: `place(name)` is where a kind's is found. */
export interface SpecSchemas {
  readonly spec: JsonSchema;
  /** "HttpTask", "InputSource": one for each kind of task and source. */
  readonly kinds: Readonly<Record<string, JsonSchema>>;
}

/** What a spec gets that leaves a key out, key by key. */
const DEFAULTS = { ...SPEC_DEFAULTS, smoke: SMOKE_DEFAULTS, window: WINDOW_DEFAULTS, ramp: RAMP_DEFAULTS };

/** The schema of a whole spec; kinds of task and source are referred to as `place` says. */
export function specSchemas(place: (name: string) => string): SpecSchemas {
  const spec = withDefaults(jsonSchemaOf(specSchema), DEFAULTS);
  const properties = { ...objectOf(spec.properties) };
  const kinds: Record<string, JsonSchema> = {};
  for (const [part, schemas] of [
    ["source", sourceSchemas],
    ["task", taskSchemas],
  ] as const) {
    const places: Record<string, string> = {};
    for (const [kind, schema] of Object.entries(schemas)) {
      const name = componentName(kind, part);
      kinds[name] = jsonSchemaOf(schema);
      places[kind] = place(name);
    }
    const {
      type: _,
      properties: __,
      required: ___,
      additionalProperties: ____,
      ...about
    } = objectOf(properties[part]);
    properties[part] = {
      ...about,
      oneOf: Object.values(places).map(($ref) => ({ $ref })),
      discriminator: { propertyName: "kind", mapping: places },
    };
  }
  return { spec: { ...spec, properties }, kinds };
}

/** The same as one document that an editor can load. */
export function specDocument(): JsonSchema {
  const { spec, kinds } = specSchemas((name) => `#/$defs/${name}`);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Weir: the spec of a run",
    ...objectOf(withoutKey(spec, "discriminator")),
    $defs: kinds,
  };
}

/** A zod schema as JSON Schema: what may be left out may be null, and a key's reason follows its description. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return convert(schema, ({ jsonSchema }) => tidy(jsonSchema));
}

/**
 * The same for the written reference: `why` stays apart, and `accepts` is what a user reads who writes something else.
 */
export function annotatedSchemaOf(schema: z.ZodType): JsonSchema {
  const annotated = convert(schema, ({ zodSchema, jsonSchema }) => {
    const { why } = jsonSchema;
    delete jsonSchema.why;
    tidy(jsonSchema);
    const accepts = acceptedBy(zodSchema as unknown as z.ZodType);
    Object.assign(jsonSchema, why === undefined ? {} : { why }, { accepts });
  });
  return (schema as unknown) === specSchema ? withDefaults(annotated, DEFAULTS) : annotated;
}

type Override = NonNullable<NonNullable<Parameters<typeof z.toJSONSchema>[1]>["override"]>;

function convert(schema: z.ZodType, override: Override): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any", override });
  return rest as JsonSchema;
}

/** Of no type that a spec has, and text that no form fits. */
const WRONG: readonly unknown[] = [Symbol("nothing that JSON has"), "\u0000"];

function acceptedBy(schema: z.ZodType): string {
  for (const wrong of WRONG) {
    const outcome = schema.safeParse(wrong);
    if (outcome.success) continue;
    const sentence = complaintOf(outcome.error, schema, wrong).message.replace(/^must be /, "");
    if (sentence !== "text") return sentence;
  }
  return schema.safeParse(WRONG[0]).success ? "any JSON" : "text";
}

/** "HttpTask", "PostgresRangeSource". */
function componentName(kind: string, part: "source" | "task"): string {
  return [...kind.split("-"), part].map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

type Draft = z.core.JSONSchema.BaseSchema & { why?: unknown };

function tidy(schema: Draft): void {
  if (typeof schema.why === "string") schema.description = `${schema.description} ${schema.why}`;
  delete schema.why;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  delete schema.propertyNames;
  const required = new Set(schema.required ?? []);
  for (const [key, member] of Object.entries(schema.properties ?? {})) {
    if (typeof member === "object" && !required.has(key)) allowNull(member);
  }
}

/** Null means the default. `{anyOf: [X, null]}` is written as X with one type more. */
function allowNull(schema: Draft): void {
  const choices = schema.anyOf ?? [];
  const others = choices.filter((choice) => typeof choice !== "object" || choice.type !== "null");
  const [only] = others;
  if (choices.length === 2 && others.length === 1 && typeof only === "object") {
    delete schema.anyOf;
    Object.assign(schema, { ...only, ...schema });
  }
  if (Array.isArray(schema.anyOf)) {
    if (others.length === choices.length) schema.anyOf = [...choices, { type: "null" }];
  } else if (typeof schema.type === "string" && schema.type !== "null") {
    Object.assign(schema, { type: [schema.type, "null"] });
    if (schema.enum !== undefined) schema.enum = [...schema.enum, null];
  }
}

/** Puts the values of `defaults` at the keys of the same name. */
function withDefaults(schema: JsonSchema, defaults: { readonly [key: string]: unknown }): JsonSchema {
  const properties = Object.entries(objectOf(schema.properties)).map(([key, member]) => {
    const value = defaults[key];
    const isFilled = typeof value === "object" && value !== null;
    const inner = objectOf(member);
    if (value === undefined) return [key, member] as const;
    return [
      key,
      isFilled
        ? withDefaults(inner, value as { readonly [key: string]: unknown })
        : { ...inner, default: value as Json },
    ] as const;
  });
  return { ...schema, properties: Object.fromEntries(properties) };
}

function objectOf(value: Json | undefined): { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as { readonly [key: string]: Json })
    : {};
}

function withoutKey(value: Json | undefined, key: string): Json {
  if (Array.isArray(value)) return value.map((member) => withoutKey(member, key));
  if (typeof value !== "object" || value === null) return value ?? null;
  const kept = Object.entries(value).filter(([name]) => name !== key);
  return Object.fromEntries(kept.map(([name, member]) => [name, withoutKey(member as Json, key)]));
}
