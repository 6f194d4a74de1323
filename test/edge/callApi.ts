/** Asking the Worker under test as a client would: over its fetch, with or without the token. */
import { env, exports } from "cloudflare:workers";
import type { Row } from "../../src/core/row.ts";

export const ORIGIN = "https://weir.test";

/** One request with the token; `body` that is not text or stream is sent as JSON. */
export function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  return exports.default.fetch(
    new Request(ORIGIN + path, {
      method,
      headers: { authorization: `Bearer ${env.WEIR_TOKEN}`, ...headers },
      ...(body === undefined ? {} : { body: isRaw(body) ? body : JSON.stringify(body) }),
    }),
  );
}

function isRaw(body: unknown): body is BodyInit {
  return typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
}

/** The answer's status and its JSON, to be compared as a whole. */
export async function answer<Body = Answer>(response: Response): Promise<{ status: number; body: Body }> {
  return { status: response.status, body: (await response.json()) as Body };
}

/** What an answer may hold, as far as tests look into it. */
export interface Answer {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly path?: string;
    readonly problems?: readonly { readonly path: string; readonly message: string }[];
    requestId: string;
  };
  readonly id: string;
}

/** workerd warns of `text()` where a body's type is not one of text, as that of rows. */
export async function textOf(response: Response): Promise<string> {
  return new TextDecoder().decode(await response.bytes());
}

/** The rows of an NDJSON answer. */
export async function rowsOf(response: Response): Promise<Row[]> {
  const text = await textOf(response);
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Row]));
}

/** Waits until `look` gives something; fails with what it saw last. */
export async function until<T>(look: () => Promise<T | null | false>, withinMs = 20_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== false) return seen;
    if (Date.now() > deadline) throw new Error("what was waited for did not come");
    await scheduler.wait(20);
  }
}
