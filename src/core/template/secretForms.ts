/**
 * How a secret looks in what others write: as a regular expression that finds it as it is and in the encodings that
 * Weir sends and targets answer with (percent, JSON, HTML and XML, base64), whichever characters these encode.
 *
 * Invariant: within one encoding a text can be read in one way only, so looking for it never goes back.
 */
import { base64Of, utf8Of } from "../base64.ts";

/** The source of a regular expression, without groups that capture. */
export function secretPattern(value: string): string {
  const base64 = base64Of(utf8Of(value)).replace(/=+$/, "");
  const base64Url = base64.replaceAll("+", "-").replaceAll("/", "_");
  const forms = [
    ...ENCODINGS.map((encoding) => inEncoding(value, encoding)),
    inEncoding(value, asItIs),
    ...[base64, base64Url].filter((form) => form !== "").map((form) => inEncoding(form, inUrl)),
  ];
  return [...new Set(forms)].join("|");
}

/** The ways in which one character may stand there. */
type Encoding = (character: string) => readonly string[];

function inEncoding(value: string, encoding: Encoding): string {
  const characters = [...value];
  const last = characters.pop() ?? "";
  return `${characters.map((character) => oneOf(encoding(character))).join("")}${lastOf(last)}`;
}

/** The last one in every encoding, as it is at last: nothing of a longer form is to be left over. */
function lastOf(character: string): string {
  const forms = ENCODINGS.flatMap((encoding) => encoding(character));
  const plain = literally(character);
  return oneOf([...new Set(forms.filter((form) => form !== plain)), plain]);
}

function oneOf(forms: readonly string[]): string {
  return forms.length === 1 ? (forms[0] ?? "") : `(?:${forms.join("|")})`;
}

const asItIs: Encoding = (character) => [literally(character)];

/** Which characters are encoded differs from writer to writer, but the percent sign always is. */
const percent: Encoding = (character) => {
  const escaped = utf8Of(character)
    .map((byte) => `%${hex(byte, 2)}`)
    .join("");
  // Half a surrogate pair has no encoding.
  if (escaped === "") return [literally(character)];
  if (character === "%") return [escaped];
  return [literally(character), escaped, ...(character === " " ? ["\\+"] : [])];
};

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  "\b": "b",
  "\f": "f",
  "\n": "n",
  "\r": "r",
  "\t": "t",
};

const json: Encoding = (character) => {
  const units = Array.from({ length: character.length }, (_, n) => character.charCodeAt(n));
  const long = units.map((unit) => `\\\\u${hex(unit, 4)}`).join("");
  const short = SHORT_ESCAPES[character] ?? (/^["'\\/]$/.test(character) ? literally(character) : null);
  const escaped = short === null ? [long] : [`\\\\${short}`, long];
  return character === "\\" ? escaped : [literally(character), ...escaped];
};

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "amp",
  "<": "lt",
  ">": "gt",
  '"': "quot",
  "'": "apos",
};

const markup: Encoding = (character) => {
  const codePoint = character.codePointAt(0) ?? 0;
  const name = ENTITIES[character];
  const references = [
    ...(name === undefined ? [] : [`&${name};`]),
    `&#0{0,6}${codePoint};`,
    `&#[xX]0{0,6}${hex(codePoint, 1)};`,
  ];
  return character === "&" ? references : [literally(character), ...references];
};

/** Letters and digits stay what they are in every encoding. */
const PLAIN = /^[0-9A-Za-z]$/;

const [inUrl, inJson, inMarkup] = [percent, json, markup].map(
  (encoding): Encoding =>
    (character) =>
      PLAIN.test(character) ? [character] : encoding(character),
) as [Encoding, Encoding, Encoding];
/** A JSON text in which no reference of markup begins: there `&` may not be one character of the secret. */
const jsonAlone: Encoding = (character) =>
  character === "&" ? [`${literally(character)}(?!amp;|#)`] : inJson(character);

/**
 * In this order, because the first that fits wins: an escape of JSON begins with a character that stands for itself in
 * the others, and a reference of markup does so in JSON, which would end a match too early.
 */
const ENCODINGS: readonly Encoding[] = [jsonAlone, inMarkup, inJson, inUrl];

/** At least `digits` hexadecimal digits, in either case. */
function hex(n: number, digits: number): string {
  return n
    .toString(16)
    .padStart(digits, "0")
    .replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
