/** The sentences that a source file holds: its string and template literals, with "…" for what is put into them. */
import { readFileSync } from "node:fs";

/** Literals of three words or more; comments, imports and what stands inside `${…}` are apart. */
export function sentencesIn(file: string): readonly string[] {
  const source = readFileSync(file, "utf8")
    .replace(/^(?:import|export) [^;]*? from .*$/gm, "")
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\/\/.*$/gm, "");
  const literals: string[] = [];
  readCode(source, 0, "", literals);
  return literals.filter((text) => (text.match(/[a-z]{2,}/gi) ?? []).length >= 3).map(bare);
}

/** Reads up to `end` and gives the place behind it. */
function readCode(source: string, from: number, end: string, literals: string[]): number {
  let at = from;
  while (at < source.length) {
    const char = source[at++] ?? "";
    if (char === end) return at;
    if (char === "{") at = readCode(source, at, "}", literals);
    else if (char === '"' || char === "`") at = readLiteral(source, at, char, literals);
  }
  return at;
}

function readLiteral(source: string, from: number, quote: string, literals: string[]): number {
  let text = "";
  let at = from;
  while (at < source.length) {
    const char = source[at++] ?? "";
    if (char === quote) break;
    if (char === "\\") text += source[at++] ?? "";
    else if (quote === "`" && char === "$" && source[at] === "{") {
      text += "…";
      at = readCode(source, at + 1, "}", literals);
    } else text += char;
  }
  literals.push(text);
  return at;
}

/** Without what only joins it to others. */
function bare(text: string): string {
  return text.replace(/^[…;:,\s]+|[…;:,\s]+$/g, "").replace(/…+/g, "…");
}
