/**
 * Reading an answer's body within a bound. A body is always read to its end or given up: one that is left alone
 * keeps its connection, and on the platform its place among the six open ones.
 */
import { DRAIN_BYTES } from "../core/limits.ts";
import { codingOf, undoCodings } from "./contentCoding.ts";
import { type ContentType, contentTypeOf } from "./contentType.ts";
import { describeNetworkFault, messageOf } from "./faults.ts";
import { AnswerUnreadable, CallFailed } from "./task.ts";

export type AnswerText =
  | { readonly kind: "text"; readonly text: string }
  /** More than the bound: what was read is dropped, because a cut answer would look like a whole one. */
  | { readonly kind: "too-large" };

/** The body as text, at most `maxBytes` bytes of it. Throws CallFailed when it breaks off. */
export async function readText(
  response: Response,
  maxBytes: number,
  { charset }: ContentType = contentTypeOf(response),
): Promise<AnswerText> {
  try {
    if (isKnownToFit(response, maxBytes) && charset === "utf-8") {
      return { kind: "text", text: await response.text() };
    }
    const bytes = await readBytes(response, maxBytes);
    return bytes === null ? { kind: "too-large" } : { kind: "text", text: decoderOf(charset).decode(bytes) };
  } catch (fault) {
    if (fault instanceof AnswerUnreadable) throw fault;
    throw new CallFailed(`the answer broke off: ${describeNetworkFault(fault)}`);
  }
}

/** The body as bytes, as `readBytes`. Throws CallFailed when it breaks off. */
export async function readBody(response: Response, maxBytes: number): Promise<Uint8Array | null> {
  try {
    if (isKnownToFit(response, maxBytes)) return new Uint8Array(await response.arrayBuffer());
    return await readBytes(response, maxBytes);
  } catch (fault) {
    if (fault instanceof AnswerUnreadable) throw fault;
    throw new CallFailed(`the answer broke off: ${describeNetworkFault(fault)}`);
  }
}

/** The first `maxBytes` bytes of the body as UTF-8 text, up to the last whole line; the rest is given up. */
export async function readStart(response: Response, maxBytes: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const piece of response.body ?? []) {
      pieces.push(piece.subarray(0, maxBytes - length));
      length += piece.byteLength;
      if (length > maxBytes) break;
    }
  } catch (fault) {
    throw new CallFailed(`the answer broke off: ${describeNetworkFault(fault)}`);
  }
  const text = new TextDecoder().decode(joined(pieces, Math.min(length, maxBytes)));
  return length > maxBytes ? text.slice(0, text.lastIndexOf("\n") + 1) : text;
}

/** The first `maxBytes` bytes of the body, or as many as came; the rest is given up. Never throws. */
export async function readBeginning(response: Response, maxBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const piece of response.body ?? []) {
      pieces.push(piece.subarray(0, maxBytes - length));
      length += piece.byteLength;
      if (length >= maxBytes) break;
    }
  } catch {
    // A body that breaks off has said what it said.
  }
  return joined(pieces, Math.min(length, maxBytes));
}

/** Reads a body that nobody wants, so that its connection can be used again; gives up on a long one. */
export async function drain(response: Response): Promise<void> {
  try {
    if (isKnownToFit(response, DRAIN_BYTES)) await response.arrayBuffer();
    else await readBytes(response, DRAIN_BYTES);
  } catch {
    // What became of a body that is not wanted changes nothing.
  }
}

/** A compressed answer says its length before it is unpacked. */
function isKnownToFit(response: Response, maxBytes: number): boolean {
  const length = response.headers.get("content-length");
  return length !== null && Number(length) <= maxBytes && !response.headers.has("content-encoding");
}

/**
 * The body, with its content codings undone; null when there is more than `maxBytes`: the rest is given up. Throws
 * AnswerUnreadable for a body that is not what its content-encoding says.
 */
export async function readBytes(response: Response, maxBytes: number): Promise<Uint8Array | null> {
  const bytes = await readPieces(response, maxBytes);
  const coding = codingOf(response);
  return coding === null || bytes === null ? bytes : undoCodings(bytes, coding, maxBytes);
}

async function readPieces(response: Response, maxBytes: number): Promise<Uint8Array | null> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    // An early return from the loop cancels the body.
    for await (const piece of response.body ?? []) {
      length += piece.byteLength;
      if (length > maxBytes) return null;
      pieces.push(piece);
    }
  } catch (fault) {
    if (!isCodingFault(fault)) throw fault;
    if (length > 0 || !isEmpty(response, messageOf(fault))) throw unreadable(response);
  }
  return joined(pieces, length);
}

/** The platform's words for a body that it could not unpack. */
function isCodingFault(fault: unknown): boolean {
  return /compressed stream|decompression failed/i.test(messageOf(fault));
}

/**
 * Many servers put the label on a body of no bytes, which is not a compressed nothing either. gzip that ends before it
 * begins was one, because anything else fails at its first bytes; of brotli only its length can say so.
 */
function isEmpty({ headers }: Response, says: string): boolean {
  const length = headers.get("content-length");
  if (length !== null) return Number(length) === 0;
  return /^gzip compressed stream ended prematurely/i.test(says);
}

function unreadable({ headers, status }: Response): AnswerUnreadable {
  const coding = headers.get("content-encoding");
  return new AnswerUnreadable(
    `the answer's content-encoding is ${coding}, and its body is not: it cannot be unpacked`,
    status,
  );
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}

/** An encoding that the platform does not know is read as UTF-8. */
function decoderOf(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset);
  } catch {
    return new TextDecoder();
  }
}
