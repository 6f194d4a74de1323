/**
 * The URL of a request as a template. Every insertion is percent-encoded as one component, so it never leaves its
 * place; what the URL parser would still read as structure, a path segment that becomes `.` or `..`, fails the item.
 *
 * A URL that begins with an insertion takes that insertion as an absolute http(s) URL, as it is. Otherwise scheme,
 * host and port stand in the spec, and an insertion there is refused when the spec is checked.
 */
import type { Json } from "../spec.ts";
import {
  CannotExpand,
  insertedEscaped,
  insertedText,
  type Parsed,
  PieceWriter,
  parseTemplate,
  type SecretText,
  type Template,
} from "./template.ts";

export interface UrlTemplate {
  readonly template: Template;
  /** Scheme, host and port as the spec has them; null when the URL comes from the item. */
  readonly origin: string | null;
}

const ACCEPTED = 'accepted is an absolute URL such as "https://api.example.com/v1/users/{{item}}"';
const INSERTION_IN_HOST = `has an insertion in its host or port, which must be written out; ${ACCEPTED}`;
/** Up to the end of the authority; a backslash counts as a slash, as in the URL parser. */
const ORIGIN = /^(https?:\/\/[^/\\?#]+)(?:[/\\?#]|$)/i;
const ABSOLUTE = /^https?:\/\/[^/\\?#@]+(?:[/\\?#]|$)/i;
/** What a URL parser removes or trims silently. */
const UNPRINTABLE = /[\p{Cc} ]/u;
const DOT_SEGMENT = /^(?:\.|%2e){1,2}$/i;
const CREDENTIAL_PARAMETER =
  /[?&;](?:api[-_]?key|access[-_]?token|auth[-_]?token|client[-_]?secret|password|token|sig)=[^&;#{]/i;
/** A percent sign whose digits an insertion would bring. */
const UNFINISHED_ESCAPE = /%[0-9a-f]?$/i;

/** True where a literal parameter of a URL is a credential by its name. */
export function holdsCredential(url: string): boolean {
  return CREDENTIAL_PARAMETER.test(url);
}

/** Parses and checks; invalid carries one sentence that says what is accepted. */
export function parseUrlTemplate(text: string): Parsed<UrlTemplate> {
  const parsed = parseTemplate(text);
  if (parsed.kind === "invalid") return parsed;
  const template = parsed.value;
  const first = template[0];
  if (first === undefined) return invalid(`is empty; ${ACCEPTED}`);
  if (template.some((part) => part.kind === "text" && UNPRINTABLE.test(part.text))) {
    return invalid("holds a space or a control character; percent-encode it (a space is %20)");
  }
  if (holdsCredential(text)) {
    return invalid("holds a literal credential; put it in as {{secret:NAME}} and set WEIR_SECRET_NAME");
  }
  if (template.some((part, n) => isUnfinished(part) && n < template.length - 1)) {
    return invalid('has an unfinished escape in front of an insertion; a percent sign itself is "%25"');
  }
  if (first.kind === "text") return parseLiteralOrigin(template, first.text);
  if (first.kind === "secret") return invalid(`begins with a secret; ${ACCEPTED}`);
  return parseItemOrigin(template);
}

function isUnfinished(part: Template[number]): boolean {
  return part.kind === "text" && UNFINISHED_ESCAPE.test(part.text);
}

function parseLiteralOrigin(template: Template, head: string): Parsed<UrlTemplate> {
  if (!/^https?:\/\//i.test(head)) return invalid(`has no http:// or https:// in front; ${ACCEPTED}`);
  const origin = ORIGIN.exec(head)?.[1];
  if (origin === undefined) {
    return invalid(template.length > 1 ? INSERTION_IN_HOST : `has no host; ${ACCEPTED}`);
  }
  if (origin.includes("@")) {
    return invalid(
      "holds credentials in front of its host; use an authorization header with {{secret:NAME}} instead",
    );
  }
  if (template.length > 1 && origin.length === head.length) {
    return invalid(INSERTION_IN_HOST);
  }
  const path = skeleton(template).slice(origin.length).split(/[?#]/, 1)[0] ?? "";
  if (path.split(/[/\\]/).some((segment) => DOT_SEGMENT.test(segment))) {
    return invalid('has a "." or ".." segment in its path; write the path out');
  }
  return { kind: "ok", value: { template, origin } };
}

/** The template with a harmless character in the place of every insertion. */
function skeleton(template: Template): string {
  return template.map((part) => (part.kind === "text" ? part.text : "x")).join("");
}

function parseItemOrigin(template: Template): Parsed<UrlTemplate> {
  const second = template[1];
  if (second !== undefined && !(second.kind === "text" && /^[/?#&]/.test(second.text))) {
    return invalid('begins with an insertion, so what follows must begin with "/", "?", "&" or "#"');
  }
  return { kind: "ok", value: { template, origin: null } };
}

function invalid(message: string): { readonly kind: "invalid"; readonly message: string } {
  return { kind: "invalid", message };
}

/** The URL for an item. Throws CannotExpand. */
export function expandUrl(url: UrlTemplate, item: Json): SecretText {
  const out = new PieceWriter();
  let inPath = true;
  let mayBeDots = false;
  for (const [n, part] of url.template.entries()) {
    if (part.kind === "text") {
      out.text(part.text);
      inPath &&= !/[?#]/.test(part.text);
    } else if (part.kind === "secret") {
      out.secret({ secret: part.name });
    } else if (n === 0) {
      out.text(absoluteUrl(insertedText(item, part), part.source, url.template.length > 1));
    } else {
      const encoded = insertedEscaped(item, part, (text) => component(text, part.source));
      mayBeDots ||= inPath && encoded.startsWith(".");
      out.text(encoded);
    }
  }
  const pieces = out.end();
  if (mayBeDots) refuseDotSegments(pieces);
  return pieces;
}

/** Percent-encodes as one component. Throws CannotExpand for half a surrogate pair, which has no encoding. */
export function component(text: string, source: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    throw new CannotExpand(`${source} is not valid Unicode`);
  }
}

function absoluteUrl(text: string, source: string, followed: boolean): string {
  if (!ABSOLUTE.test(text) || UNPRINTABLE.test(text)) {
    throw new CannotExpand(
      `${source} is not an absolute http:// or https:// URL without credentials and spaces`,
    );
  }
  return followed && text.endsWith("/") ? text.slice(0, -1) : text;
}

function refuseDotSegments(pieces: SecretText): void {
  const whole = pieces.map((piece) => (typeof piece === "string" ? piece : "x")).join("");
  const path = whole.split(/[?#]/, 1)[0] ?? "";
  if (path.split(/[/\\]/).some((segment) => DOT_SEGMENT.test(segment))) {
    throw new CannotExpand('a path segment of the url would become "." or ".."');
  }
}
