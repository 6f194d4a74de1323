/**
 * Text from outside (items, answers, names) on its way to a terminal or a log, and numbers for people.
 *
 * Invariant: what `printable` returns holds no control character and nothing that reorders text: it cannot move a
 * cursor, set a title or hide what stands beside it.
 */
import { lasting } from "../../core/sentence.ts";

// Control characters, line and paragraph separators, and the bidirectional controls.
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** The text with everything unprintable as `\uXXXX` (inside JSON text that means the same character). */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// East Asian wide and full-width characters, and emoji.
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** How many columns of a terminal printable text takes, at most. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const char of text) columns += WIDE.test(char) ? 2 : 1;
  return columns;
}

/** Printable text, shortened to fit. */
export function cut(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let kept = "";
  let room = columns - 1;
  for (const char of text) {
    room -= columnsOf(char);
    if (room < 0) break;
    kept += char;
  }
  return columns < 1 ? "" : `${kept}…`;
}

const GAP = "  ";

/** The parts, two spaces apart, on lines that fit; a part that is longer than a line is broken between its words. */
export function wrapped(parts: readonly string[], columns: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const part of parts.filter((one) => one !== "")) {
    const words =
      columnsOf(part) <= columns ? [part] : part.split(" ").flatMap((word) => broken(word, columns));
    words.forEach((word, i) => {
      const longer = line === "" ? word : `${line}${i === 0 ? GAP : " "}${word}`;
      if (line !== "" && columnsOf(longer) > columns) {
        lines.push(line);
        line = word;
      } else line = longer;
    });
  }
  return line === "" ? lines : [...lines, line];
}

/** A word in pieces that fit. */
function broken(word: string, columns: number): readonly string[] {
  const pieces: string[] = [];
  let piece = "";
  for (const char of word) {
    const fitting = columnsOf(char) <= columns ? char : "…";
    if (columnsOf(piece) + columnsOf(fitting) > columns) {
      pieces.push(piece);
      piece = "";
    }
    piece += fitting;
  }
  return piece === "" ? pieces : [...pieces, piece];
}

/** "1,234,567". */
export function count(n: number): string {
  return Math.round(n).toLocaleString("en-US");
}

/** "1 item", "1,234 items". */
export function counted(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** "8 s", "3 min 20 s", "5 h 12 min", "3 d 4 h". */
export function duration(ms: number): string {
  return lasting(ms);
}
