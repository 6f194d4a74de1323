/**
 * What failures are grouped by: their message without what differs from item to item.
 *
 * The item's own texts, ids, numbers, hashes, addresses of pages and of people each become "…". What says what went
 * wrong stays: the status, limits with their unit or in parentheses, the address of a server, codes of a database.
 */
import type { Json } from "../spec.ts";

const GONE = "\u2026";
/** Texts of an item that are looked for in a message. */
const TEXTS_MOST = 20;

/** Kept whole, digits or not; each alternative is one thing that names a cause. */
const KEPT =
  /^\d{3}(?= )|\bSQLSTATE \w+|\bwithin \d+ ms|\d[\d.,]* (?:ms|s|bytes|B|KB|MB)\b|\b\w+ \(\d+\)|(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?|\[[0-9a-f:]+\](?::\d+)?|\b(?:localhost|[a-z][\w-]*(?:\.[\w-]+)+):\d{1,5}\b|\b(?:utf-?\d+|base64|sha-?\d+|md5|oauth2|http\/?[\d.]+|ipv[46]|x509|iso-8859-\d+|windows-125\d|tlsv?[\d.]+)\b/gi;
/** Taken out; tokens with a digit in them are ids. */
const PAGES = /\bhttps?:\/\/[^\s"'<>)]+/g;
const DIFFERING = [
  /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g,
  /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi,
  /\b[0-9a-f]{16,}\b/gi,
  /"[^"]*\d[^"]*"|'[^']*\d[^']*'|`[^`]*\d[^`]*`/g,
  /[\w-]*\d[\w-]*(?:[.,:]\d[\w-]*)*/g,
];

/** The group of a failure: its message for all items that failed the same way. */
export function groupOf(message: string, item: Json): string {
  const texts = textsOf(item);
  const differing = (piece: string) => withoutDiffering(texts.reduce(withoutText, piece));
  const plain = message.replace(PAGES, GONE);
  let text = "";
  let at = 0;
  for (const kept of plain.matchAll(KEPT)) {
    text += differing(plain.slice(at, kept.index)) + kept[0];
    at = kept.index + kept[0].length;
  }
  return (text + differing(plain.slice(at))).replace(/\u2026(?:[\s,;/]*\u2026)+/g, GONE);
}

function withoutDiffering(text: string): string {
  return DIFFERING.reduce((rest, differing) => rest.replace(differing, GONE), text);
}

/** Not where it is part of a word. */
function withoutText(message: string, text: string): string {
  let from = 0;
  let rest = message;
  for (;;) {
    const at = rest.indexOf(text, from);
    if (at < 0) return rest;
    const end = at + text.length;
    const isWhole = !isWordAt(rest, at - 1) && !isWordAt(rest, end);
    if (isWhole) rest = rest.slice(0, at) + GONE + rest.slice(end);
    from = isWhole ? at + GONE.length : at + 1;
  }
}

function isWordAt(text: string, at: number): boolean {
  return /[\p{L}\p{N}_]/u.test(text[at] ?? "");
}

/** The texts of an item, the longest first. */
function textsOf(item: Json): readonly string[] {
  const texts: string[] = [];
  const nodes: Json[] = [item];
  for (let at = 0; at < nodes.length && at < TEXTS_MOST; at++) {
    const node = nodes[at] as Json;
    if (typeof node === "string" && node.length > 0) texts.push(node);
    else if (typeof node === "number") texts.push(String(node));
    else if (typeof node === "object" && node !== null) {
      nodes.push(...Object.values(node as { readonly [key: string]: Json }).slice(0, TEXTS_MOST));
    }
  }
  return texts.sort((a, b) => b.length - a.length);
}
