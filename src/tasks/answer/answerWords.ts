/**
 * The other side's words: what the body of an answer says went wrong, as part of a row's message.
 *
 * JSON is searched at the places where APIs put their sentences, the shallowest first; of a page the title is taken, of
 * XML the element that carries the message, and a short plain text is taken as it is. What only repeats the status is
 * not a word more. Pure; secrets are masked by whoever has the text.
 */
import { parseJson } from "../../core/json.ts";
import { ANSWER_WORDS_CHARS } from "../../core/limits.ts";
import { cutText, oneLine } from "../../core/outsideText.ts";
import type { Json } from "../../core/spec.ts";
import { decodeReferences } from "./characterReferences.ts";

/** "422 Unprocessable Content" and the words of its body: "422 Unprocessable Content: email is not an address". */
export function withWords(line: string, words: string | null): string {
  return words === null ? line : `${line}: ${words}`;
}

/** What a body says beyond `line`, at most `ANSWER_WORDS_CHARS` characters in one line; null: nothing. */
export function wordsOfText(body: string, line: string): string | null {
  const text = body.trim();
  if (text === "") return null;
  if (/^[[{"]/.test(text)) {
    const value = parsed(text);
    if (value !== undefined) return wordsOfJson(value, line);
  }
  if (text.startsWith("<")) return firstMore([wordsOfMarkup(text)], line);
  const short = oneLine(text);
  return short.length > ANSWER_WORDS_CHARS ? firstMore([firstLine(text)], line) : firstMore([short], line);
}

/** The same of a JSON value. */
export function wordsOfJson(value: Json, line: string): string | null {
  return firstMore(typeof value === "string" ? [value] : sentencesIn(value), line);
}

function parsed(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** Keys of sentences, in lower case without "_" and "-"; the more specific first. */
const SENTENCES = [
  "message",
  "errormessage",
  "errormsg",
  "errordescription",
  "detail",
  "details",
  "msg",
  "faultstring",
  "error",
  "errors",
  "reason",
  "title",
  "description",
];
/** Keys of codes: they speak where no sentence does. */
const CODES = ["code", "errorcode", "type"];
/** Nodes looked at: an answer's sentence stands near its root. */
const NODES_MOST = 100;

/** Sentences by depth, at each node in the order of `SENTENCES`; then codes. */
function sentencesIn(root: Json): readonly string[] {
  const sentences: string[] = [];
  const codes: string[] = [];
  const nodes: Json[] = [root];
  // The list grows while it is walked: breadth first.
  for (let at = 0; at < nodes.length && at < NODES_MOST; at++) {
    const node = nodes[at] as Json;
    if (typeof node !== "object" || node === null) continue;
    if (Array.isArray(node)) {
      const texts = node.filter((one: Json) => typeof one === "string");
      if (at > 0 && texts.length > 0) sentences.push(texts.slice(0, 3).join("; "));
      nodes.push(...node.slice(0, 3).filter((one: Json) => typeof one === "object"));
      continue;
    }
    const fields = new Map(
      Object.entries(node as { readonly [key: string]: Json }).map(([key, field]) => [plain(key), field]),
    );
    const heading = fields.get("message");
    const named = [...byField(fields.get("errors")), ...byField(fields.get("details"))];
    if (typeof heading === "string" && heading !== "")
      sentences.push(...named.map((one) => `${heading} ${one}`));
    for (const key of SENTENCES) sentences.push(...sentenceAt(key, fields.get(key)));
    for (const key of CODES) {
      const code = fields.get(key);
      if (typeof code === "string") codes.push(code);
    }
    nodes.push(...inOrder(fields));
  }
  return [...sentences, ...codes];
}

function plain(key: string): string {
  return key.replace(/[_-]/g, "").toLowerCase();
}

function sentenceAt(key: string, field: Json | undefined): readonly string[] {
  if (typeof field === "string") return [field];
  if (Array.isArray(field)) {
    const texts = field.filter((one: Json) => typeof one === "string");
    return texts.length === 0 ? [] : [texts.slice(0, 3).join("; ")];
  }
  return key === "errors" || key === "details" ? byField(field) : [];
}

/** `{"email": ["is not an address"]}`, as form validators write it: "email: is not an address". */
function byField(field: Json | undefined): readonly string[] {
  if (typeof field !== "object" || field === null) return [];
  const said = Object.entries(field as { readonly [key: string]: Json }).flatMap(([name, texts]) => {
    const first = Array.isArray(texts) ? (texts as readonly Json[])[0] : texts;
    return typeof first === "string" && !SENTENCES.includes(plain(name)) ? [`${name}: ${first}`] : [];
  });
  return said.length === 0 ? [] : [said.slice(0, 3).join("; ")];
}

/** What lies below a node, where sentences are looked for first. */
function inOrder(fields: ReadonlyMap<string, Json>): readonly Json[] {
  const objects = [...fields].filter(([, field]) => typeof field === "object" && field !== null);
  const rank = (key: string): number => (/error|fault|errors|detail/.test(key) ? 0 : 1);
  return objects.sort(([a], [b]) => rank(a) - rank(b)).map(([, field]) => field);
}

/** Of XML what carries the message, of HTML the title, and without one the first heading. */
function wordsOfMarkup(text: string): string {
  const named =
    /<(?:\w+:)?(?:message|faultstring|errormessage|errordescription|detail|reason)\b[^>]*>([^<]+)</i.exec(
      text,
    ) ??
    /<title\b[^>]*>([^<]+)</i.exec(text) ??
    /<h1\b[^>]*>([^<]+)</i.exec(text);
  return decodeReferences(named?.[1] ?? "");
}

function firstLine(text: string): string {
  const line = oneLine(text.split("\n", 1)[0] ?? "");
  return line.length > ANSWER_WORDS_CHARS ? "" : line;
}

/** The first that says more than the status line. */
function firstMore(candidates: readonly string[], line: string): string | null {
  for (const candidate of candidates) {
    const words = oneLine(candidate);
    if (saysMore(words, line)) return cutText(words, ANSWER_WORDS_CHARS);
  }
  return null;
}

/** Words that an answer repeats of itself: "Error 404 (Not Found)!!1" says no more than "404 Not Found". */
function saysMore(words: string, line: string): boolean {
  const core = lettersOf(words.replace(/\b(?:https?|error|status|code|errors?)\b/gi, ""));
  if (core === "") return false;
  return !lettersOf(line).includes(core);
}

function lettersOf(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}]/gu, "");
}
