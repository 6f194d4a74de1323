/**
 * Reading an answer's body within a bound. A body is always read to its end or given up: one that is left alone
 * keeps its connection, and on the platform its place among the six open ones.
 */
import { DRAIN_BYTES } from "../../core/limits.ts";
import { describeNetworkFault, messageOf } from "../faults.ts";
import { AnswerUnreadable, CallFailed } from "../task.ts";
import { textOfBody } from "./bodyText.ts";
import { codingOf, undoCodings } from "./contentCoding.ts";

export type AnswerText =
  | { readonly kind: "text"; readonly text: string }
  /** More than the bound: what was read is dropped, because a cut answer would look like a whole one. */
  | { readonly kind: "too-large" };

/**
 * The body as text, at most `maxBytes` bytes of it, in the encoding that it names (`bodyText.ts`). Throws CallFailed when
 * it breaks off and AnswerUnreadable when it is not text.
 */
export async function readText(response: Response, maxBytes: number): Promise<AnswerText> {
  const bytes = await readBody(response, maxBytes);
  if (bytes === null) return { kind: "too-large" };
  const body = textOfBody(bytes, response.headers.get("content-type"));
  if (body.kind === "not-text") throw new AnswerUnreadable(body.reason, response.status);
  return body;
}

/** The body as bytes, as `readBytes`. Throws CallFailed when it breaks off. */
export async function readBody(response: Response, maxBytes: number): Promise<Uint8Array | null> {
  try {
    if (isKnownToFit(response, maxBytes)) return new Uint8Array(await response.arrayBuffer());
    return await readBytes(response, maxBytes);
  } catch (fault) {
    throw brokenOff(fault);
  }
}

/**
 * The first `maxBytes` bytes of the body as UTF-8 text, up to the last whole line; the rest is given up. Throws
 * CallFailed when it breaks off.
 */
export async function readStart(response: Response, maxBytes: number): Promise<string> {
  const { bytes, fault } = await readUpTo(response, maxBytes + 1);
  if (fault !== null) throw brokenOff(fault);
  const text = new TextDecoder().decode(bytes.subarray(0, maxBytes));
  return bytes.length > maxBytes ? text.slice(0, text.lastIndexOf("\n") + 1) : text;
}

/** The first `maxBytes` bytes of the body, or as many as came; the rest is given up. Never throws. */
export async function readBeginning(response: Response, maxBytes: number): Promise<Uint8Array> {
  // A body that breaks off has said what it said.
  return (await readUpTo(response, maxBytes)).bytes;
}

function brokenOff(fault: unknown): AnswerUnreadable | CallFailed {
  if (fault instanceof AnswerUnreadable) return fault;
  return new CallFailed(`the answer broke off: ${describeNetworkFault(fault)}`);
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
  const { bytes, fault } = await readUpTo(response, maxBytes + 1);
  if (bytes.length > maxBytes) return null;
  if (fault !== null) {
    if (!isCodingFault(fault)) throw fault;
    if (bytes.length > 0 || !isEmpty(response, messageOf(fault))) throw unreadable(response);
  }
  return bytes;
}

/** The first `most` bytes, or all there are; `fault`: what the body broke off with before, else null. Never throws. */
async function readUpTo(
  response: Response,
  most: number,
): Promise<{ readonly bytes: Uint8Array; readonly fault: unknown }> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  let fault: unknown = null;
  try {
    for await (const piece of response.body ?? []) {
      pieces.push(piece.subarray(0, most - length));
      length += piece.byteLength;
      // An early end of the loop cancels the body.
      if (length >= most) break;
    }
  } catch (thrown) {
    fault = thrown ?? new Error("nothing was said");
  }
  return { bytes: joined(pieces, Math.min(length, most)), fault };
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
