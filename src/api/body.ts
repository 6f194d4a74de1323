/** Reading request bodies as JSON within a bound; nothing is read beyond it. */
import type { Context } from "hono";
import { isExactNumber, parseJson } from "../core/json.ts";
import { MAX_JSON_LEVELS, MAX_SPEC_BYTES } from "../core/limits.ts";
import type { Json } from "../core/spec.ts";
import { atAStretch } from "../runs/atAStretch.ts";
import { Refusal } from "../runs/refusal.ts";
import { bodyChunks } from "../storage/inputs/bodyChunks.ts";
import type { ApiEnv } from "./context.ts";

const MAX_PATH_CHARS = 200;

export interface JsonBody {
  readonly value: unknown;
  readonly bytes: Uint8Array;
}

/**
 * The body's JSON, at most `MAX_SPEC_BYTES`. `empty`: what an absent body means; without it one is required.
 * Refuses with `too_large` (names the number) or `invalid`.
 */
export async function readJson(c: Context<ApiEnv>, empty?: unknown): Promise<JsonBody> {
  const bytes = await readBytes(c.req.raw, MAX_SPEC_BYTES);
  if (bytes.byteLength === 0 && empty !== undefined) return { value: empty, bytes };
  return { value: atAStretch(c.env, () => parse(bytes)), bytes };
}

function parse(bytes: Uint8Array): Json {
  const text = textOf(bytes);
  // Whatever walks through a value calls itself for every level of it, zod and the platform too.
  const deep = pathBelow(plainJson(text), MAX_JSON_LEVELS);
  if (deep !== null) {
    throw new Refusal("invalid", `the body is nested more than ${MAX_JSON_LEVELS} levels deep`, shown(deep));
  }
  const value = parseJson(text);
  const large = pathOfLargeNumber(value, "");
  if (large !== null) {
    throw new Refusal("invalid", "integers beyond 2^53 lose digits here: write them as strings", large);
  }
  return value;
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw new Refusal("invalid", "the body is not UTF-8 text");
  }
}

function plainJson(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal("invalid", text === "" ? "a JSON body is needed" : "the body is not valid JSON");
  }
}

/** The keys to the first value with more than `levels` levels of lists and objects around and in it, or null. */
function pathBelow(value: Json, levels: number): readonly string[] | null {
  if (typeof value !== "object" || value === null) return null;
  if (levels === 0) return [];
  for (const [key, member] of Object.entries(value)) {
    const below = pathBelow(member, levels - 1);
    if (below !== null) return [key, ...below];
  }
  return null;
}

/** Where it begins is enough to find it. */
function shown(path: readonly string[]): string {
  const whole = path.join(".");
  return whole.length <= MAX_PATH_CHARS ? whole : `${whole.slice(0, MAX_PATH_CHARS)}…`;
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
  for await (const piece of bodyChunks(bodyOf(request))) {
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
