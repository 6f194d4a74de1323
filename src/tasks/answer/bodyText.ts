/**
 * The bytes of an answer as text, read as browsers read them, or the reason why they are none. Nothing is replaced: a
 * byte that the encoding does not have is no U+FFFD in a row that says ok.
 *
 * The encoding is that of a byte order mark, then of the content type's charset (by the Encoding standard's labels; one
 * that nobody knows counts as none), then UTF-8. What names none, calls itself text and is not UTF-8 is windows-1252.
 */
import { charsetOf, decoderOf, markOf } from "./pageText.ts";

export type BodyText =
  | { readonly kind: "text"; readonly text: string }
  /** "the answer (image/png) is not text". */
  | { readonly kind: "not-text"; readonly reason: string };

/** Types whose bytes a person may read. */
const TEXTUAL = /^\s*(?:text\/|application\/(?:xml|javascript|[\w.+-]*\+xml))/i;
/** The MIME Sniffing standard's binary data bytes: no text has them. */
const BINARY = new Set([...range(0x00, 0x08), 0x0b, ...range(0x0e, 0x1a), ...range(0x1c, 0x1f)]);

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n);
}

/** `contentType`: the header of the answer; null without one. */
export function textOfBody(bytes: Uint8Array, contentType: string | null): BodyText {
  const shown = contentType?.split(";")[0]?.trim() || "of no content type";
  const label = markOf(bytes) ?? charsetOf(contentType);
  const named = label === null ? null : decoderOf(label, true);
  if (named !== null) {
    const text = decoded(named, bytes);
    if (text !== null) return { kind: "text", text };
    return { kind: "not-text", reason: `the answer (${shown}) is not ${named.encoding}` };
  }
  const isTextual = contentType !== null && TEXTUAL.test(contentType);
  const text = decoded(UTF_8, bytes);
  const isBinary =
    text === null
      ? bytes.some((byte) => BINARY.has(byte))
      : !isTextual && /[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]/.test(text);
  if (text !== null && !isBinary) return { kind: "text", text };
  if (isTextual && !isBinary) return { kind: "text", text: new TextDecoder("windows-1252").decode(bytes) };
  return { kind: "not-text", reason: `the answer (${shown}) is not text` };
}

const UTF_8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/** Null: the bytes are not of this encoding. */
function decoded(decoder: TextDecoder, bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/** The bytes as base64, with secrets masked where they stand in them as they are. */
export function base64Of(bytes: Uint8Array, mask: (text: string) => string): string {
  let latin1 = "";
  // As many as an argument list holds.
  for (let at = 0; at < bytes.length; at += 8192) {
    latin1 += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(mask(latin1));
}
