/**
 * The bytes of a page as text, in the encoding that the page or its answer names: a byte order mark, then the charset
 * of the content type, then a `<meta>` in the first kilobyte. A page that names none is UTF-8 if it reads as such,
 * else windows-1252, as browsers take it.
 */

/** Where the HTML standard has browsers look for a `<meta charset>`. */
const PRESCAN_BYTES = 1024;
const META = /<meta[^>]+charset\s*=\s*["']?\s*([^\s"'/>;]+)/i;

/** `contentType`: the header of the answer; null without one. Never fails: what cannot be read becomes U+FFFD. */
export function decodePage(bytes: Uint8Array, contentType: string | null): string {
  const label = markOf(bytes) ?? charsetOf(contentType) ?? metaOf(bytes);
  const decoder = label === null ? null : decoderOf(label);
  if (decoder !== null) return decoder.decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

/** The encoding that a byte order mark names. */
export function markOf(bytes: Uint8Array): string | null {
  const [a, b, c] = bytes;
  if (a === 0xef && b === 0xbb && c === 0xbf) return "utf-8";
  if (a === 0xff && b === 0xfe) return "utf-16le";
  return a === 0xfe && b === 0xff ? "utf-16be" : null;
}

/** The charset of a content type. */
export function charsetOf(contentType: string | null): string | null {
  return /charset\s*=\s*"?([^\s";]+)/i.exec(contentType ?? "")?.[1] ?? null;
}

/** A page that could be read as ASCII so far is not UTF-16, whatever it says. */
function metaOf(bytes: Uint8Array): string | null {
  const head = new TextDecoder("windows-1252").decode(bytes.subarray(0, PRESCAN_BYTES));
  const label = META.exec(head.replace(/<!--[\s\S]*?-->/g, ""))?.[1] ?? null;
  return label !== null && /^utf-?16/i.test(label) ? "utf-8" : label;
}

/** Null for an encoding that nobody knows; `fatal`: it throws for what it cannot read. */
export function decoderOf(label: string, fatal = false): TextDecoder | null {
  try {
    return new TextDecoder(label, { fatal, ignoreBOM: false });
  } catch {
    return null;
  }
}
