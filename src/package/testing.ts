/**
 * `weir-run/testing`: a Weir of a test's own, with the project's config, on this machine. It runs `weir dev` on a free
 * port with its state in a temporary folder, so several may run at once, under any test runner.
 *
 * ```ts
 * await using weir = await startWeir();
 * const { run, rows } = await weir.run({ source: { kind: "items", items: [1, 2] }, task: { kind: "copy", url } });
 * ```
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Client, createClient, type Row, type RunView, type SpecInput } from "./client.ts";

export interface StartOptions {
  /** The folder whose `weir.config.ts` counts, or one below it. Left out: the working folder. */
  readonly cwd?: string;
  /** Secrets and what else the Worker finds in its environment: `{ WEIR_SECRET_API_KEY: "…" }`. */
  readonly env?: { readonly [name: string]: string };
  /** How long the start may take; milliseconds. Left out: 60,000. */
  readonly startMs?: number;
}

export interface TestWeir extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  readonly client: Client;
  /** Runs the spec to its end, or until it waits for people. Rows are in item order. Rejects where the spec is refused. */
  run(spec: SpecInput): Promise<{ readonly run: RunView; readonly rows: readonly Row[] }>;
  /** A server on this machine that answers by `answer`; it is closed with this Weir. */
  target(answer: (request: Request) => Response | Promise<Response>): Promise<{
    readonly url: string;
    /** Every request so far, in the order of their arrival. */
    readonly requests: readonly { readonly method: string; readonly url: string }[];
  }>;
  /** Ends it and removes its state. Twice is as good as once. */
  stop(): Promise<void>;
}

const START_MS = 60_000;
const STOP_MS = 15_000;
const POLL_MS = 50;
/** Beside this file as it is built. */
const COMMAND = resolve(dirname(fileURLToPath(import.meta.url)), "../cli/weir.js");
const TAIL_LINES = 20;

/** Starts it. Rejects with what it printed where it does not start: a config that does not compile, for one. */
export async function startWeir({ cwd, env = {}, startMs = START_MS }: StartOptions = {}): Promise<TestWeir> {
  const state = mkdtempSync(join(tmpdir(), "weir-test-"));
  const child = spawn(process.execPath, [COMMAND, "dev", "--port", "0", "--state", state], {
    cwd: cwd ?? process.cwd(),
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const servers: Server[] = [];
  let stopping: Promise<void> | null = null;
  const stop = () => {
    stopping ??= end(child, servers).finally(() => rmSync(state, { recursive: true, force: true }));
    return stopping;
  };
  // Where the test's process ends first, the command is ended too; its watchdog ends the runtime.
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.removeListener("exit", kill));
  try {
    const { url, token } = await addressOf(child, startMs);
    const client = createClient({ url, token, pollMs: POLL_MS });
    return {
      url,
      token,
      client,
      async run(spec) {
        const { id } = await client.runs.create(spec);
        const run = await client.runs.untilEnded(id);
        const rows: Row[] = [];
        for await (const row of client.runs.results(id)) rows.push(row);
        return { run, rows: rows.sort((a, b) => a.index - b.index) };
      },
      target: (answer) => startTarget(answer, servers),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (fault) {
    await stop();
    throw fault;
  }
}

/** The first line that the command prints is its address with the token. */
function addressOf(
  child: ChildProcess,
  startMs: number,
): Promise<{ readonly url: string; readonly token: string }> {
  const tail: string[] = [];
  return new Promise((found, failed) => {
    const fail = (why: string) => failed(new Error([`Weir ${why}`, ...tail].join("\n")));
    const timer = setTimeout(() => fail(`did not start within ${startMs} ms`), startMs);
    const note = (line: string) => {
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
    };
    if (child.stderr !== null) createInterface({ input: child.stderr }).on("line", note);
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).on("line", (line) => {
        const address = /^(https?:\/\/[^/]+)\/#token=(.+)$/.exec(line);
        if (address === null) return note(line);
        clearTimeout(timer);
        found({ url: address[1] ?? "", token: address[2] ?? "" });
      });
    child.once("error", (fault) => fail(`did not start: ${fault.message}`));
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      fail(`ended with ${code ?? signal} before it was ready`);
    });
  });
}

/** As Ctrl-C ends it; one that does not end in time is killed. */
async function end(child: ChildProcess, servers: readonly Server[]): Promise<void> {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  child.kill("SIGINT");
  await ended;
  clearTimeout(timer);
}

async function startTarget(
  answer: (request: Request) => Response | Promise<Response>,
  servers: Server[],
): ReturnType<TestWeir["target"]> {
  const requests: { method: string; url: string }[] = [];
  const server = createServer((message, response) => {
    requests.push({ method: message.method ?? "GET", url: message.url ?? "/" });
    respond(message, response, answer).catch(() => response.destroy());
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, requests };
}

async function respond(
  message: IncomingMessage,
  response: ServerResponse,
  answer: (request: Request) => Response | Promise<Response>,
): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of message) chunks.push(chunk as Uint8Array);
  const { method = "GET", headers, url = "/" } = message;
  const request = new Request(`http://${headers.host}${url}`, {
    method,
    headers: Object.entries(headers).map(([name, value]) => [name, String(value)] as [string, string]),
    ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
  });
  const answered = await answer(request);
  response.writeHead(answered.status, Object.fromEntries(answered.headers));
  response.end(Buffer.from(await answered.arrayBuffer()));
}
