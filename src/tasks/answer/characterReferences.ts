/**
 * Character references in HTML text (`&amp;`, `&#233;`, `&eacute`) decoded as the HTML standard says (13.2.5.72 and
 * following). The rewriter gives text and attributes as they stand in the page.
 */
import { NAMED, WITHOUT_SEMICOLON } from "./characterReferenceTable.ts";

const REFERENCE = /&(?:#[xX]([0-9a-fA-F]+);?|#([0-9]+);?|([a-zA-Z][a-zA-Z0-9]*;?))/g;
const REPLACEMENT = "\ufffd";
/** What the code points 80 to 9f stand for: pages that say Latin-1 mean windows-1252. */
const WINDOWS_1252 =
  "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f" +
  "\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178";
const LONGEST_WITHOUT_SEMICOLON = 6;

/** Parsed at first use: most invocations read no page. */
let tables: { readonly named: ReadonlyMap<string, string>; readonly open: ReadonlySet<string> } | null = null;

/**
 * The text with every reference decoded. `inAttribute`: a name without its semicolon in front of a letter, a digit or
 * "=" stays, as in `?a=1&copy=2`.
 */
export function decodeReferences(text: string, inAttribute = false): string {
  if (!text.includes("&")) return text;
  return text.replace(REFERENCE, (whole, hex?: string, decimal?: string, name?: string, at?: number) => {
    if (hex !== undefined) return numeric(Number.parseInt(hex, 16));
    if (decimal !== undefined) return numeric(Number.parseInt(decimal, 10));
    const next = text[(at ?? 0) + whole.length] ?? "";
    return named(name ?? "", { inAttribute, next }) ?? whole;
  });
}

/** Runs of white space as one space, none at the ends: how titles and texts of pages are read. */
export function collapseSpace(text: string): string {
  return text.replace(/[\t\n\f\r ]+/g, " ").replace(/^ | $/g, "");
}

function numeric(code: number): string {
  if (code >= 0x80 && code <= 0x9f) return WINDOWS_1252[code - 0x80] ?? REPLACEMENT;
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return REPLACEMENT;
  return String.fromCodePoint(code);
}

/** Undefined: no reference, the text stays. */
function named(
  name: string,
  at: { readonly inAttribute: boolean; readonly next: string },
): string | undefined {
  tables ??= readTables();
  if (name.endsWith(";")) {
    const whole = tables.named.get(name.slice(0, -1));
    if (whole !== undefined) return whole;
  }
  for (let length = Math.min(name.length, LONGEST_WITHOUT_SEMICOLON); length > 1; length--) {
    const prefix = name.slice(0, length);
    if (!tables.open.has(prefix)) continue;
    const rest = name.slice(length);
    if (at.inAttribute && /^[=a-zA-Z0-9]/.test(rest === "" ? at.next : rest)) return undefined;
    return `${tables.named.get(prefix)}${rest}`;
  }
  return undefined;
}

function readTables(): NonNullable<typeof tables> {
  const words = NAMED.trim().split(/\s+/);
  const named = new Map(
    words.map((word) => {
      const [name = "", codes = ""] = word.split(":");
      return [name, String.fromCodePoint(...codes.split(".").map((code) => Number.parseInt(code, 16)))];
    }),
  );
  return { named, open: new Set(WITHOUT_SEMICOLON.trim().split(/\s+/)) };
}
