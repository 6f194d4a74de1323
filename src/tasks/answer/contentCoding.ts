/**
 * Content codings that the platform has left as they were. It undoes `gzip` and `br` by itself, written so and alone;
 * everything else arrives packed with its label on: deflate, zstd, several codings, `GZIP`, `x-gzip`.
 *
 * A body that is not what its label says is left as it is: many servers label what they did not pack, and another runtime
 * may have undone it already. Node's zlib, which workerd has, is loaded when the first packed body is met.
 */

/** The names that the platform knows. */
const BY_PLATFORM = new Set(["gzip", "br"]);

/** The label of a body that somebody has to unpack; null: none, or the platform does. */
export function codingOf(response: Response): string | null {
  const label = response.headers.get("content-encoding");
  if (label === null || BY_PLATFORM.has(label)) return null;
  return label.trim().toLowerCase();
}

/** The bytes with the codings of `label` undone, the last one first; null: more than `maxBytes` came out. */
export async function undoCodings(
  bytes: Uint8Array,
  label: string,
  maxBytes: number,
): Promise<Uint8Array | null> {
  let body: Uint8Array | null = bytes;
  for (const coding of label.split(",").reverse()) {
    if (body === null || body.byteLength === 0) return body;
    body = await undo(body, coding.trim(), maxBytes);
  }
  return body;
}

async function undo(bytes: Uint8Array, coding: string, maxBytes: number): Promise<Uint8Array | null> {
  const { default: zlib } = await import("node:zlib");
  const options = { maxOutputLength: maxBytes };
  switch (coding) {
    case "gzip":
    case "x-gzip":
      return isGzip(bytes) ? attempt(bytes, () => zlib.gunzipSync(bytes, options)) : bytes;
    case "deflate":
      // RFC 9110 means zlib's form; some servers send the bare one.
      return isZlib(bytes)
        ? attempt(bytes, () => zlib.inflateSync(bytes, options))
        : attempt(bytes, () => zlib.inflateRawSync(bytes, options));
    case "zstd":
      return isZstd(bytes) ? attempt(bytes, () => zlib.zstdDecompressSync(bytes, options)) : bytes;
    case "br":
      return attempt(bytes, () => zlib.brotliDecompressSync(bytes, options));
    default:
      return bytes;
  }
}

/** Null where too much comes out; the bytes themselves where nothing does. */
function attempt(bytes: Uint8Array, unpack: () => Uint8Array): Uint8Array | null {
  try {
    return new Uint8Array(unpack());
  } catch (fault) {
    return (fault as { readonly code?: unknown }).code === "ERR_BUFFER_TOO_LARGE" ? null : bytes;
  }
}

function isGzip([a, b]: Uint8Array): boolean {
  return a === 0x1f && b === 0x8b;
}

/** RFC 1950: method 8, and a header that is a multiple of 31. */
function isZlib([a = 0, b = 0]: Uint8Array): boolean {
  return (a & 0x0f) === 8 && ((a << 8) | b) % 31 === 0;
}

function isZstd([a, b, c, d]: Uint8Array): boolean {
  return a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd;
}
