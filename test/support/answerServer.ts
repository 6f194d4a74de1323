/** A server on loopback that answers as a test says, and remembers when each URL was called. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface Asked {
  readonly url: string;
  readonly body: string;
  /** How often this URL with this body was called, this time included. */
  readonly call: number;
}

export interface Given {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON unless it is a text. */
  readonly body?: unknown;
}

export interface AnswerServer extends AsyncDisposable {
  readonly url: string;
  /** When the URL was called, in milliseconds since 1970. */
  callsOf(url: string): readonly number[];
  readonly calls: number;
}

export async function answerServer(answer: (asked: Asked) => Given): Promise<AnswerServer> {
  const times = new Map<string, number[]>();
  const counts = new Map<string, number>();
  let calls = 0;
  const server = createServer(async (request, response) => {
    const url = request.url ?? "/";
    times.set(url, [...(times.get(url) ?? []), Date.now()]);
    calls += 1;
    const body = await text(request);
    const key = `${url} ${body}`;
    const call = (counts.get(key) ?? 0) + 1;
    counts.set(key, call);
    const given = answer({ url, body, call });
    const said = typeof given.body === "string" ? given.body : JSON.stringify(given.body ?? { ok: true });
    response.writeHead(given.status ?? 200, { "content-type": "application/json", ...given.headers });
    response.end(said);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    callsOf: (url) => times.get(url) ?? [],
    get calls() {
      return calls;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
