/**
 * A header value as a template. A value with a control character or one that headers cannot carry fails the item
 * without a call: it would end the header and begin another, or arrive as something else.
 */
import type { Json } from "../spec.ts";
import {
  CannotExpand,
  expand,
  type Parsed,
  parseTemplate,
  type SecretText,
  type Template,
} from "./template.ts";

/** Visible ASCII, space and tab: platforms disagree about the bytes of anything else. */
const VALUE = /^[\t\u0020-\u007e]*$/;
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Describe the connection, not the request: the platform sets them. */
const OWNED = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
/** Headers whose whole purpose is a credential: a literal one would be stored with the spec. */
const CREDENTIALS = new Set([
  "api-key",
  "authorization",
  "cookie",
  "private-token",
  "proxy-authorization",
  "x-api-key",
  "x-auth-token",
]);

/** A complaint about the header's name, or null. */
export function complainAboutHeaderName(name: string): string | null {
  if (!NAME.test(name)) return `"${name}" is not a header name; accepted are letters, digits and -`;
  if (OWNED.has(name.toLowerCase())) return "is set by the platform and cannot be given";
  return null;
}

/** Names a credential: not sent to another origin, and refused with a literal value. */
export function isCredentialHeader(name: string): boolean {
  return CREDENTIALS.has(name.toLowerCase());
}

/** Parses and checks; invalid carries one sentence. */
export function parseHeaderTemplate(name: string, text: string): Parsed<Template> {
  const parsed = parseTemplate(text);
  if (parsed.kind === "invalid") return parsed;
  const literal = parsed.value.some((part) => part.kind === "text" && !VALUE.test(part.text));
  if (literal) {
    return {
      kind: "invalid",
      message: "holds a character that headers cannot carry; accepted is visible ASCII",
    };
  }
  if (isCredentialHeader(name) && parsed.value.every((part) => part.kind === "text")) {
    const message = "holds a literal credential; put it in as {{secret:NAME}} and set WEIR_SECRET_NAME";
    return { kind: "invalid", message };
  }
  return parsed;
}

/** The value for an item. Throws CannotExpand. */
export function expandHeader(name: string, template: Template, item: Json): SecretText {
  return expand(template, item, {
    text: (text) => {
      if (VALUE.test(text)) return text;
      throw new CannotExpand(`the header ${name} would hold a character that headers cannot carry`);
    },
  });
}
