/**
 * Known pages on several hosts, served by a process of its own: `127.0.0.1`, `127.0.0.2` and so on, each a host that
 * keeps a record of what it was asked and when. `/page/<n>` is a page, `/old/<n>` redirects to it, `/private/` is
 * disallowed.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { knownPage } from "./pages.ts";

export interface PageArrival {
  readonly host: string;
  readonly path: string;
  readonly atMs: number;
}

export interface PageServer {
  /** `http://127.0.0.1:PORT`, one for each host. */
  readonly origins: readonly string[];
  arrivals(): Promise<readonly PageArrival[]>;
  close(): Promise<void>;
}

/** Starts the process; it ends with `close`, and by itself when this process ends in whatever way. */
export async function spawnPageServer(hosts: number): Promise<PageServer> {
  const child = spawn(process.execPath, [import.meta.filename, String(hosts)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const origins = JSON.parse(line) as string[];
  return {
    origins,
    arrivals: async () => (await fetch(`${origins[0]}/arrivals`)).json() as Promise<PageArrival[]>,
    close: async () => {
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
    },
  };
}

const arrivals: PageArrival[] = [];

async function serve(host: string): Promise<string> {
  const server = createServer((request, response) => answer(host, request, response));
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return `http://${host}:${(server.address() as AddressInfo).port}`;
}

function answer(host: string, request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? "";
  if (path === "/arrivals") {
    response.end(JSON.stringify(arrivals));
    return;
  }
  arrivals.push({ host, path, atMs: performance.now() });
  const [, kind, n = ""] = path.split("/");
  if (path === "/robots.txt") response.end("User-agent: *\nDisallow: /private/\n");
  else if (kind === "old") response.writeHead(301, { location: `/page/${n}` }).end();
  else if (kind === "page") {
    const { contentType, body } = knownPage(Number(n));
    response.writeHead(200, { "content-type": contentType }).end(body);
  } else response.writeHead(404).end();
}

if (import.meta.main) {
  const hosts = Array.from({ length: Number(process.argv[2]) }, (_, at) => `127.0.0.${at + 1}`);
  const origins = await Promise.all(hosts.map(serve));
  process.stdin.on("end", () => process.exit(0)).resume();
  console.log(JSON.stringify(origins));
}
