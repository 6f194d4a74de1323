/**
 * The body of a request as a template. What form it has decides how an insertion is kept in its place:
 *
 * - json: expanded inside the parsed strings; a string that is one insertion takes the item's JSON value.
 * - form: `a=1&b={{item}}`; every insertion is percent-encoded as one component.
 * - xml: `& < > " '` are written as entities.
 * - text: anything else has no structure that Weir knows: insertions go in as they are.
 *
 * A body given as a JSON value is json. A body given as a string has the form that its content type says; without
 * one it is json when it parses as an object or a list, form when it looks like one, else text.
 */
import { isExactNumber, parseJson, stringifyJson } from "../json.ts";
import type { Json } from "../spec.ts";
import {
  CannotExpand,
  expand,
  insertedEscaped,
  insertedValue,
  type Parsed,
  PieceWriter,
  parseTemplate,
  type SecretText,
  type Template,
} from "./template.ts";
import { component } from "./urlTemplate.ts";

export type BodyForm = "json" | "form" | "xml" | "text";

export interface BodyTemplate {
  readonly form: BodyForm;
  /** All templates in it, for what a spec must and must not say. */
  readonly templates: readonly Template[];
  /** Content type to send where the spec names none. */
  readonly contentType: string;
  readonly root: JsonNode | { readonly kind: "template"; readonly template: Template };
}

/** A parsed JSON body: literal JSON text between strings that are templates. */
export interface JsonNode {
  readonly kind: "json";
  readonly parts: readonly (
    | { readonly kind: "literal"; readonly text: string }
    | { readonly kind: "string"; readonly template: Template }
  )[];
}

const CONTENT_TYPES = {
  json: "application/json",
  form: "application/x-www-form-urlencoded",
  xml: "application/xml",
  text: "text/plain; charset=utf-8",
} as const satisfies Record<BodyForm, string>;

const LOOKS_LIKE_JSON = /^\s*[[{]/;
const LOOKS_LIKE_FORM = /^[A-Za-z0-9_.~%+[\]-]+=[^\s<>]*$/;
const INSERTIONS = /\{\{[^}]*\}\}/g;

/** Parses a body as the spec has it; `contentType` is the spec's own header, null when it has none. */
export function parseBodyTemplate(body: Json, contentType: string | null): Parsed<BodyTemplate> {
  if (typeof body !== "string") return parseJsonBody(body);
  const form = formOf(body, contentType);
  if (form !== "json") return parseTextBody(body, form);
  if (/^\s*\{\{[^{}]*\}\}\s*$/.test(body)) return parseJsonBody(body.trim());
  try {
    return parseJsonBody(parseJson(body));
  } catch {
    const message =
      'is meant as JSON and does not parse; put insertions into quotes: "{{item}}" alone in a string takes the item\'s JSON value';
    return { kind: "invalid", message };
  }
}

function formOf(body: string, contentType: string | null): BodyForm {
  if (contentType !== null) {
    if (/[/+]json\b/i.test(contentType)) return "json";
    if (/x-www-form-urlencoded/i.test(contentType)) return "form";
    return /[/+](?:xml|html)\b/i.test(contentType) ? "xml" : "text";
  }
  if (/^\s*\{\{[^{}]*\}\}/.test(body)) return "text";
  if (LOOKS_LIKE_JSON.test(body)) return "json";
  return LOOKS_LIKE_FORM.test(body.replace(INSERTIONS, "x")) ? "form" : "text";
}

function parseTextBody(body: string, form: BodyForm): Parsed<BodyTemplate> {
  const parsed = parseTemplate(body);
  if (parsed.kind === "invalid") return parsed;
  const root = { kind: "template", template: parsed.value } as const;
  return {
    kind: "ok",
    value: { form, templates: [parsed.value], contentType: CONTENT_TYPES[form], root },
  };
}

function parseJsonBody(body: Json): Parsed<BodyTemplate> {
  const parts: JsonNode["parts"][number][] = [];
  const complaint = collect(body, parts);
  if (complaint !== null) return { kind: "invalid", message: complaint };
  const templates = parts.flatMap((part) => (part.kind === "string" ? [part.template] : []));
  return {
    kind: "ok",
    value: { form: "json", templates, contentType: CONTENT_TYPES.json, root: { kind: "json", parts } },
  };
}

/** Writes `node` as literal text and template strings; returns the first complaint. */
function collect(node: Json, parts: JsonNode["parts"][number][]): string | null {
  const literal = (text: string): void => {
    parts.push({ kind: "literal", text });
  };
  if (typeof node === "string") {
    if (!node.includes("{{")) {
      literal(stringifyJson(node));
      return null;
    }
    const parsed = parseTemplate(node);
    if (parsed.kind === "invalid") return parsed.message;
    parts.push({ kind: "string", template: parsed.value });
    return null;
  }
  if (typeof node !== "object" || node === null || isExactNumber(node)) {
    literal(stringifyJson(node));
    return null;
  }
  const isList = Array.isArray(node);
  literal(isList ? "[" : "{");
  for (const [n, [key, value]] of Object.entries(node).entries()) {
    if (n > 0) literal(",");
    if (!isList && key.includes("{{")) return `has an insertion in the key ${key}; only values can have one`;
    if (!isList) literal(`${JSON.stringify(key)}:`);
    const complaint = collect(value as Json, parts);
    if (complaint !== null) return complaint;
  }
  literal(isList ? "]" : "}");
  return null;
}

/** The body for an item. Throws CannotExpand. */
export function expandBody(body: BodyTemplate, item: Json): SecretText {
  if (body.root.kind === "json") return expandJson(body.root, item);
  switch (body.form) {
    case "form":
      return expand(body.root.template, item, { text: (text) => component(text, "the item"), as: "form" });
    case "xml":
      return expand(body.root.template, item, { text: escapeXml, as: "xml" });
    default:
      return expandText(body.root.template, item);
  }
}

/** A text body that is one insertion also takes an object or a list, as its JSON text. */
function expandText(template: Template, item: Json): SecretText {
  const [only] = template;
  if (template.length === 1 && only?.kind === "item") {
    const value = insertedValue(item, only);
    return [typeof value === "string" ? value : stringifyJson(value)];
  }
  return expand(template, item, { text: (text) => text });
}

function expandJson(node: JsonNode, item: Json): SecretText {
  const out = new PieceWriter();
  for (const part of node.parts) {
    if (part.kind === "literal") out.text(part.text);
    else expandString(part.template, item, out);
  }
  return out.end();
}

function expandString(template: Template, item: Json, out: PieceWriter): void {
  const [only] = template;
  if (template.length === 1 && only?.kind === "item") {
    out.text(stringifyJson(insertedValue(item, only)));
    return;
  }
  out.text('"');
  for (const part of template) {
    if (part.kind === "secret") out.secret({ secret: part.name, as: "json" });
    else if (part.kind === "text") out.text(escapeJson(part.text));
    else out.text(insertedEscaped(item, part, escapeJson));
  }
  out.text('"');
}

/** The inside of a JSON string. */
export function escapeJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Text for an XML element or attribute. Throws CannotExpand for control characters, which XML cannot hold. */
export function escapeXml(text: string): string {
  if (/(?![\t\n\r])\p{Cc}/u.test(text)) {
    throw new CannotExpand("the item holds a control character that XML cannot carry");
  }
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
