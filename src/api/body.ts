/** Reading request bodies as JSON within a bound; nothing is read beyond it. */
import { isExactNumber, parseJson } from "../core/json.ts";
import { MAX_SPEC_BYTES } from "../core/limits.ts";
import type { Json } from "../core/spec.ts";
import { Refusal } from "./errors.ts";

export interface JsonBody {
  readonly value: unknown;
  readonly bytes: Uint8Array;
}

/**
 * The body's JSON, at most `MAX_SPEC_BYTES`. `empty`: what an absent body means; without it one is required.
 * Refuses with `too_large` (names the number) or `invalid`.
 */
export async function readJson(request: Request, empty?: unknown): Promise<JsonBody> {
  const bytes = await readBytes(request, MAX_SPEC_BYTES);
  if (bytes.byteLength === 0 && empty !== undefined) return { value: empty, bytes };
  const value = parse(bytes);
  const large = pathOfLargeNumber(value, "");
  if (large !== null) {
    throw new Refusal("invalid", "integers beyond 2^53 lose digits here: write them as strings", large);
  }
  return { value, bytes };
}

function parse(bytes: Uint8Array): Json {
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch {
    throw new Refusal(
      "invalid",
      bytes.byteLength === 0 ? "a JSON body is needed" : "the body is not valid JSON",
    );
  }
}

/** Numbers held by their digits do not cross RPC: where the first of them is, or null. */
function pathOfLargeNumber(value: Json, path: string): string | null {
  if (typeof value !== "object" || value === null) return null;
  if (isExactNumber(value)) return path;
  for (const [key, member] of Object.entries(value)) {
    const found = pathOfLargeNumber(member, path === "" ? key : `${path}.${key}`);
    if (found !== null) return found;
  }
  return null;
}

/** The whole body, at most `maxBytes`; refuses with `too_large`. */
async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const refusal = new Refusal("too_large", `the body is larger than ${maxBytes} bytes`);
  if (Number(request.headers.get("content-length")) > maxBytes) throw refusal;
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of request.body ?? []) {
    length += piece.byteLength;
    if (length > maxBytes) throw refusal;
    pieces.push(piece);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}

/** The request's body as a stream; an absent one is an empty stream. */
export function bodyOf(request: Request): ReadableStream<Uint8Array> {
  return request.body ?? new Blob([]).stream();
}

/**
 * The request's body as a stream of at most `maxBytes`: refuses with `too_large` at once where the length is told,
 * else the stream errors with that refusal when there is more.
 */
export function boundedBodyOf(
  request: Request,
  maxBytes: number,
  message: string,
): ReadableStream<Uint8Array> {
  const refusal = new Refusal("too_large", message, "body");
  const told = request.headers.get("content-length");
  if (told !== null && Number(told) > maxBytes) throw refusal;
  // A body of a told length is not longer: HTTP sees to that.
  return told === null ? bodyOf(request).pipeThrough(bound(maxBytes, refusal)) : bodyOf(request);
}

function bound(maxBytes: number, refusal: Refusal): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) controller.error(refusal);
      else controller.enqueue(chunk);
    },
  });
}
