/**
 * JSON in which integers beyond 2^53 keep their digits.
 *
 * Such a number is held as what `JSON.rawJSON` makes: a frozen object that `JSON.stringify` writes as the digits
 * it was read from. It is an ordinary `Json` value to all who only pass it on; who looks inside asks
 * `isExactNumber`. It does not survive `structuredClone` or RPC, so it is used within one invocation only:
 * from an answer or a line of the source into a row.
 */
import type { Json } from "./spec.ts";

/**
 * The parts of ES2025 "JSON.parse source text access" that workerd and Node 22 have and the ES2024 types lack. Node 20
 * has none: the command, which shows rows there and makes none, then shows numbers as `JSON.parse` reads them.
 */
interface ExactJson {
  parse(
    text: string,
    reviver: (key: string, value: Json, context: { readonly source?: string }) => Json,
  ): Json;
  readonly rawJSON: ((text: string) => Json) | undefined;
  isRawJSON?(value: unknown): boolean;
}
const exact = JSON as unknown as ExactJson;

/** Text without either of these has no number that parsing would change, and needs no reviver (four times slower). */
const MAY_LOSE_DIGITS = /[0-9]{16}|[0-9][eE]\+?[0-9]{3}/;
const INTEGER = /^-?[0-9]+$/;

/** Parses JSON text. Throws SyntaxError when it is none. */
export function parseJson(text: string): Json {
  return MAY_LOSE_DIGITS.test(text) && exact.rawJSON !== undefined
    ? exact.parse(text, keepDigits)
    : (JSON.parse(text) as Json);
}

/** Characters shown on each side of a fault. */
const EXCERPT_CHARS = 30;

/** What is wrong with a text that is not JSON, and where. */
export function jsonFault(text: string): string {
  if (text === "") return "it is empty";
  try {
    JSON.parse(text);
    return "it is";
  } catch (fault) {
    const said = fault instanceof Error ? fault.message : String(fault);
    const position = /^(.*) in JSON at position (\d+)/s.exec(said);
    if (position === null) {
      const what = said.replace(/ is not valid JSON$/, "");
      return /end of JSON/.test(what)
        ? `it ends too early, after ${JSON.stringify(text.slice(-EXCERPT_CHARS))}`
        : what;
    }
    const at = Number(position[2]);
    if (at >= text.length) return `it ends too early, after ${JSON.stringify(text.slice(-EXCERPT_CHARS))}`;
    const excerpt = text.slice(Math.max(0, at - EXCERPT_CHARS), at + EXCERPT_CHARS);
    return `${position[1]} at position ${at}, near ${JSON.stringify(excerpt)}`;
  }
}

function keepDigits(_key: string, value: Json, context: { readonly source?: string }): Json {
  if (typeof value !== "number" || context.source === undefined) return value;
  const lost = INTEGER.test(context.source) ? !Number.isSafeInteger(value) : !Number.isFinite(value);
  return lost ? exactNumber(context.source) : value;
}

/** One line of JSON text; numbers read by `parseJson` come out with their own digits. */
export function stringifyJson(value: Json): string {
  return JSON.stringify(value);
}

/** A number by its digits, which must be those of a JSON number. */
export function exactNumber(digits: string): Json {
  return exact.rawJSON === undefined ? Number(digits) : exact.rawJSON(digits);
}

/** True for a number that is held by its digits. */
export function isExactNumber(value: unknown): value is { readonly rawJSON: string } {
  return typeof value === "object" && value !== null && exact.isRawJSON?.(value) === true;
}
