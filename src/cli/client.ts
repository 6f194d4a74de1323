/**
 * The REST API as the command uses it. Works the same for an embedded Weir, another process's, and a deployed one.
 *
 * node:http and not `fetch`, because a stream that is followed may be silent for hours: nothing here gives up on a
 * quiet body. The bearer token goes out over https or to loopback only.
 */
import type http from "node:http";
import type { Readable } from "node:stream";
import type { Json } from "../core/spec.ts";
import type { Problem } from "../schema/complaint.ts";
import { CommandError, UsageError } from "./exit.ts";
import { printable } from "./words/printable.ts";

/** Not imported: that reads every export of the module, and one of them loads a second HTTP client. */
const nodeHttp = process.getBuiltinModule("node:http");
const nodeHttps = process.getBuiltinModule("node:https");

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Call {
  readonly query?: Query;
  /** An answer may take this long; left out, a minute. */
  readonly patienceMs?: number;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: Readable | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the request and its answer. */
  readonly signal?: AbortSignal | undefined;
}

export interface Client {
  readonly address: string;
  /** The answer's JSON. Throws ApiError for a refusal, Unreachable when there was no answer. */
  ask<T>(method: string, path: string, call?: Call): Promise<T>;
  /** The answer's body as it comes. Throws as `ask` does. */
  open(path: string, call?: Call): Promise<Readable>;
  close(): void;
}

/** Weir refused; `message` is its sentence, without the field's path where it began with that. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** The field of the spec that was wrong, where it was one. */
  readonly path: string | null;
  /** Every field that was wrong; the first is `path` and `message`. Empty where it was not a field. */
  readonly problems: readonly Problem[];
  constructor(error: {
    status: number;
    code: string;
    path: string | null;
    message: string;
    problems?: readonly Problem[];
  }) {
    super(error.message);
    const { path, message, problems = [] } = error;
    this.problems = problems.length > 0 || path === null ? problems : [{ path, message }];
    this.name = "ApiError";
    this.status = error.status;
    this.code = error.code;
    this.path = error.path;
  }
}

/** No answer came. Trying again may help. */
export class Unreachable extends CommandError {
  constructor(message: string) {
    super(message);
    this.name = "Unreachable";
  }
}

const SILENCE_MS = 60_000;
const MAX_ERROR_CHARS = 10_000;

/** Longer than Weir itself waits for its storage: its own sentence says more. */
const UPLOAD_SILENCE_MS = 75_000;
const STUCK =
  "the upload stands still: nothing was taken for more than a minute; the disk of the state folder may be full";

/** Calls `stuck` when bytes, or the answer to the last of them, are waited for so long. A slow sender is not stuck. */
function endWhenStuck(request: http.ClientRequest, silenceMs: number, stuck: () => void): void {
  let written = -1;
  let sinceMs = performance.now();
  const timer = setInterval(() => {
    const now = request.socket?.bytesWritten ?? 0;
    const waits = request.writableNeedDrain || request.writableEnded;
    if (now !== written || !waits) sinceMs = performance.now();
    written = now;
    if (performance.now() - sinceMs > silenceMs) stuck();
  }, silenceMs / 20);
  const end = () => clearInterval(timer);
  request.once("response", end).once("close", end);
}

/** A client for the Weir at `address` (an origin, perhaps with a path). */
export function createClient(address: string, token: string, uploadSilenceMs = UPLOAD_SILENCE_MS): Client {
  const base = address.replace(/\/+$/, "");
  const transport = base.startsWith("https:") ? nodeHttps : nodeHttp;
  const agent = new transport.Agent({ keepAlive: true });

  function send(method: string, path: string, call: Call): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const body = call.json === undefined ? call.body : Buffer.from(JSON.stringify(call.json));
      const headers: Record<string, string> = { authorization: `Bearer ${token}`, ...call.headers };
      if (call.json !== undefined) headers["content-type"] = "application/json";
      if (body instanceof Uint8Array) headers["content-length"] = String(body.byteLength);
      const request = transport.request(
        `${base}${path}${search(call.query)}`,
        { method, headers, agent, signal: call.signal },
        resolve,
      );
      request.on("error", (error: Error) => reject(unreachable(base, error)));
      if (body === undefined || body instanceof Uint8Array) {
        const { patienceMs = SILENCE_MS } = call;
        const silent = () => request.destroy(new Error(`no answer within ${patienceMs / 60_000} min`));
        request.setTimeout(patienceMs, silent);
        request.end(body);
      } else {
        endWhenStuck(request, uploadSilenceMs, () => {
          reject(new CommandError(STUCK));
          request.destroy();
        });
        body.on("error", (error: Error) => {
          request.destroy();
          reject(error);
        });
        body.pipe(request);
      }
    });
  }

  return {
    address: base,
    async ask<T>(method: string, path: string, call: Call = {}): Promise<T> {
      const response = await send(method, path, call);
      const text = await readText(response, base);
      if ((response.statusCode ?? 0) >= 300) throw refusal(base, response.statusCode ?? 0, text);
      return (text === "" ? null : parse(text, base)) as T;
    },
    async open(path, call = {}) {
      const response = await send("GET", path, call);
      response.socket.setTimeout(0);
      const status = response.statusCode ?? 0;
      if (status >= 300) throw refusal(base, status, await readText(response, base));
      return response;
    },
    close: () => agent.destroy(),
  };
}

/** The address of `--remote`, checked. Throws UsageError. */
export function checkRemote(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== "" ||
    url.search !== "" ||
    url.hash !== ""
  ) {
    throw new UsageError(
      `--remote: ${JSON.stringify(text)} is not an address; accepted: https://weir.example.com`,
    );
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw new UsageError(`--remote: http sends the token in the clear; accepted: https, or http to loopback`);
  }
  return url.href.replace(/\/+$/, "");
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function search(query: Query = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs.map(([k, v]) => [k, String(v)]))}`;
}

async function readText(response: http.IncomingMessage, base: string): Promise<string> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  } catch (error) {
    throw unreachable(base, error);
  }
}

function parse(text: string, base: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError(`${base} does not answer like Weir: ${printable(text.slice(0, 80))}`);
  }
}

function refusal(base: string, status: number, text: string): Error {
  if (status === 401) return new UsageError(`${base} refuses the token: set WEIR_TOKEN, or give --token`);
  let error: Record<string, unknown> = {};
  try {
    error = JSON.parse(text.slice(0, MAX_ERROR_CHARS)).error ?? {};
  } catch {
    return new CommandError(`${base} answers ${status}: ${printable(text.slice(0, 200).trim())}`);
  }
  const { message, code, path, problems } = error;
  const sentence = printable(typeof message === "string" ? message : `answer ${status}`);
  const field = typeof path === "string" ? path : null;
  return new ApiError({
    status,
    code: typeof code === "string" ? code : "unknown",
    path: field,
    problems: Array.isArray(problems) ? problems.flatMap(problemOf) : [],
    message: field !== null && sentence.startsWith(`${field} `) ? sentence.slice(field.length + 1) : sentence,
  });
}

function problemOf(problem: { path?: unknown; message?: unknown } | null): readonly Problem[] {
  const { path, message } = problem ?? {};
  return typeof path === "string" && typeof message === "string"
    ? [{ path, message: printable(message) }]
    : [];
}

function unreachable(base: string, error: unknown): Error {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const reason = REASONS[code] ?? (error instanceof Error ? error.message : String(error));
  return new Unreachable(`${base} cannot be reached: ${reason}`);
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was closed",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the host's name cannot be looked up",
  ETIMEDOUT: "no answer",
};
