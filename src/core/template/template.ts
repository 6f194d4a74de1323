/**
 * Templates: text of the spec with insertions `{{item}}`, `{{item.field.field}}` and `{{secret:NAME}}`; where one call
 * carries several items, `{{items}}` and `{{items.field}}` for all of them.
 *
 * A template is parsed once, when it is the spec's own text. Expanding it puts values between the literal pieces
 * and never looks at the result again: an item that contains `{{secret:KEY}}` stays those characters.
 * A secret is not resolved here: it stays a piece with a name until the call leaves.
 * Where text has a structure (a URL, JSON, a header), `urlTemplate`, `bodyTemplate` and `headerTemplate` keep
 * every insertion in its place.
 */
import { assert } from "../assert.ts";
import { isExactNumber } from "../json.ts";
import type { Json } from "../spec.ts";

/** How a secret is written where it stands. In a URL every secret is percent-encoded whatever this says. */
export interface SecretPiece {
  readonly secret: string;
  /** text: as it is. json: escaped for the inside of a JSON string. form: percent-encoded. xml: escaped. */
  readonly as?: "json" | "form" | "xml";
}

/** Text in pieces: plain strings, and secrets by name. What is inserted from an item is always a plain string. */
export type SecretText = readonly (string | SecretPiece)[];

export type TemplatePart =
  | { readonly kind: "text"; readonly text: string }
  /**
   * `path` is empty for `{{item}}`; `source` is how the spec wrote it, for messages. `isList`: `{{items}}`, what is
   * expanded is a list of items.
   */
  | {
      readonly kind: "item";
      readonly path: readonly string[];
      readonly source: string;
      readonly isList?: true;
    }
  | { readonly kind: "secret"; readonly name: string };

export type Template = readonly TemplatePart[];

export type Parsed<T> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "invalid"; readonly message: string };

/** The item has nothing usable in this place: its row fails without a call. The sentence names the field. */
export class CannotExpand extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CannotExpand";
  }
}

const SECRET_NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
const ACCEPTED = "accepted are {{item}}, {{item.field}} and {{secret:NAME}}";

/** Takes the spec's text apart. Invalid: an insertion of another form, or `{{` without its `}}`. */
export function parseTemplate(text: string): Parsed<Template> {
  const parts: TemplatePart[] = [];
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf("{{", at);
    if (open === -1) break;
    const close = text.indexOf("}}", open);
    if (close === -1) return { kind: "invalid", message: `"{{" is not closed; ${ACCEPTED}` };
    if (open > at) parts.push({ kind: "text", text: text.slice(at, open) });
    const insertion = parseInsertion(text.slice(open + 2, close).trim());
    if (insertion.kind === "invalid") return insertion;
    parts.push(insertion.value);
    at = close + 2;
  }
  if (at < text.length) parts.push({ kind: "text", text: text.slice(at) });
  return { kind: "ok", value: parts };
}

function parseInsertion(source: string): Parsed<TemplatePart> {
  if (source.startsWith("secret:")) return parseSecret(source.slice("secret:".length).trim());
  const [root, ...path] = source.split(".");
  if ((root !== "item" && root !== "items") || path.some((field) => field === "")) {
    return { kind: "invalid", message: `{{${source}}} is unknown; ${ACCEPTED}` };
  }
  const isList = root === "items" ? ({ isList: true } as const) : {};
  return { kind: "ok", value: { kind: "item", path, source, ...isList } };
}

function parseSecret(name: string): Parsed<TemplatePart> {
  if (!SECRET_NAME.test(name) || name.endsWith("_HOSTS")) {
    const message = `{{secret:${name}}} is not a name of a secret; accepted are up to 64 letters, digits and "_", beginning with a letter, not ending in _HOSTS`;
    return { kind: "invalid", message };
  }
  return { kind: "ok", value: { kind: "secret", name } };
}

export function usesItem(template: Template): boolean {
  return template.some((part) => part.kind === "item");
}

/** The insertions of one item, or those of all items of a call. */
export function insertionsOf(template: Template, which: "one" | "all"): readonly TemplatePart[] {
  return template.filter((part) => part.kind === "item" && (part.isList === true) === (which === "all"));
}

/** Names of the secrets in the template, each once. */
export function secretsOf(template: Template): string[] {
  return [...new Set(template.flatMap((part) => (part.kind === "secret" ? [part.name] : [])))];
}

/**
 * The value that an insertion stands for. Throws CannotExpand when it is missing, null or an empty string:
 * a request with a hole in it is never what was meant.
 */
export function insertedValue(item: Json, part: TemplatePart & { readonly kind: "item" }): Json {
  if (part.isList === true) return listed(item).map((one) => insertedValue(one, ofOne(part)));
  let value: Json | undefined = item;
  for (const field of part.path) value = fieldOf(value, field);
  if (value === undefined) throw new CannotExpand(`${part.source} is missing`);
  if (value === null) throw new CannotExpand(`${part.source} is null`);
  if (value === "") throw new CannotExpand(`${part.source} is empty`);
  return value;
}

function fieldOf(value: Json | undefined, field: string): Json | undefined {
  if (typeof value !== "object" || value === null || isExactNumber(value)) return undefined;
  return Object.hasOwn(value, field) ? (value as { readonly [key: string]: Json })[field] : undefined;
}

/** What is expanded where `{{items}}` may stand is the list of a call's items. */
function listed(items: Json): readonly Json[] {
  assert(Array.isArray(items), "{{items}} is expanded with a list");
  return items as readonly Json[];
}

function ofOne({ path, source }: TemplatePart & { readonly kind: "item" }) {
  return { kind: "item", path, source } as const;
}

/** The text of an insertion with `escaped` around each value; several values are separated by commas. Throws CannotExpand. */
export function insertedEscaped(
  item: Json,
  part: TemplatePart & { readonly kind: "item" },
  escaped: (text: string) => string,
): string {
  if (part.isList !== true) return escaped(insertedText(item, part));
  const one = ofOne(part);
  return listed(item)
    .map((each) => escaped(insertedText(each, one)))
    .join(",");
}

/** The text that an insertion stands for. Throws CannotExpand also for an object or a list. */
export function insertedText(item: Json, part: TemplatePart & { readonly kind: "item" }): string {
  const value = insertedValue(item, part);
  if (typeof value === "string") return value;
  if (isExactNumber(value)) return value.rawJSON;
  if (typeof value !== "object") return String(value);
  const what = Array.isArray(value) ? "a list" : "an object";
  throw new CannotExpand(`${part.source} is ${what}; name one of its fields`);
}

/** Collects pieces; neighbouring strings become one. */
export class PieceWriter {
  readonly #pieces: (string | SecretPiece)[] = [];
  #text = "";

  text(text: string): void {
    this.#text += text;
  }

  secret(piece: SecretPiece): void {
    if (this.#text !== "") this.#pieces.push(this.#text);
    this.#pieces.push(piece);
    this.#text = "";
  }

  end(): SecretText {
    if (this.#text !== "" || this.#pieces.length === 0) this.#pieces.push(this.#text);
    return this.#pieces;
  }
}

/** Expands a template; `escaping.text` is applied to every insertion from the item and named on every secret. */
export function expand(
  template: Template,
  item: Json,
  escaping: { readonly text: (text: string) => string; readonly as?: NonNullable<SecretPiece["as"]> },
): SecretText {
  const out = new PieceWriter();
  for (const part of template) {
    if (part.kind === "text") out.text(part.text);
    else if (part.kind === "item") out.text(insertedEscaped(item, part, escaping.text));
    else
      out.secret(escaping.as === undefined ? { secret: part.name } : { secret: part.name, as: escaping.as });
  }
  return out.end();
}

/** The text with every secret shown as `[secret:NAME]`: for plans and messages, never for a call. */
export function hideSecrets(text: SecretText): string {
  return text.map((piece) => (typeof piece === "string" ? piece : `[secret:${piece.secret}]`)).join("");
}
