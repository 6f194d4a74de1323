/**
 * Text of the other side on its way into a row: readable, bounded, and without what moves a cursor or reorders text.
 */

/** Control characters but tab and line feed, line separators, bidirectional controls, and marks that nobody sees. */
const UNREADABLE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]+/g;

/** Several lines of text: each unreadable stretch becomes a space, white space at the ends goes. */
export function readable(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNREADABLE, " ").trim();
}

/** The same as one line. */
export function oneLine(text: string): string {
  return readable(text).replace(/\s+/g, " ");
}

/** At most `most` characters; a longer text ends in "…". No surrogate pair is cut apart. */
export function cutText(text: string, most: number): string {
  if (text.length <= most) return text;
  const end = most - 1;
  const last = text.charCodeAt(end - 1);
  return `${text.slice(0, last >= 0xd800 && last <= 0xdbff ? end - 1 : end)}\u2026`;
}

/** The longest beginning of whole characters within `most` bytes of UTF-8. */
export function cutUtf8(text: string, most: number): string {
  // No unit of UTF-16 takes more than three bytes.
  if (text.length * 3 <= most) return text;
  let bytes = 0;
  let end = 0;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (bytes > most) break;
    end += char.length;
  }
  return text.slice(0, end);
}
