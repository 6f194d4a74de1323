/**
 * Connections as targets make them: behind an authority of one's own, at [::1] alone, closed while nobody uses them,
 * and those that never come about. Trusted is an authority where NODE_EXTRA_CA_CERTS names it, and nowhere else.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTls } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CERTIFICATE, KEY } from "../../support/certificate.ts";
import { type TestRow, Workspace } from "../../support/weir.ts";

/** Calls to the server that closes idle connections: a few seconds of them, over connections that come and go. */
const CALLS = 600;
const RATE = "150/s";
/** A connection is closed so long after its last answer, in turn: calls come just before, just after and meanwhile. */
const IDLE_MS = [20, 35, 50, 65, 80];

let workspace: Workspace;
const servers: Server[] = [];
/** By name, as URLs without a path. */
let at: { readonly tls: string; readonly idle: string; readonly plain: string };
let idlyClosed = 0;
let reused = 0;

async function listen(server: Server, host: string): Promise<number> {
  servers.push(server);
  server.listen(0, host);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Answers, and closes a connection on which no further request has come for a moment. */
function idleCloser(): Server {
  let answers = 0;
  const waiting = new WeakMap<object, ReturnType<typeof setTimeout>>();
  return createServer((request, response) => {
    const { socket } = request;
    if (waiting.has(socket)) reused += 1;
    clearTimeout(waiting.get(socket));
    response.setHeader("content-type", "application/json").end('{"idle":true}');
    const idleMs = IDLE_MS[answers++ % IDLE_MS.length];
    response.once("finish", () => {
      const close = () => {
        idlyClosed += 1;
        socket.destroy();
      };
      waiting.set(socket, setTimeout(close, idleMs));
    });
  });
}

beforeAll(async () => {
  const tls = createTls({ cert: CERTIFICATE, key: KEY }, (_request, response) => {
    response.setHeader("content-type", "application/json").end('{"safe":true}');
  });
  at = {
    tls: `https://localhost:${await listen(tls, "127.0.0.1")}`,
    idle: `http://localhost:${await listen(idleCloser(), "::1")}`,
    plain: `https://127.0.0.1:${await listen(createServer(), "127.0.0.1")}`,
  };
  workspace = new Workspace();
  workspace.write("authority.pem", CERTIFICATE);
});
afterAll(async () => {
  await workspace.close();
  for (const server of servers) {
    (server as ReturnType<typeof createServer>).closeAllConnections();
    server.close();
  }
});

/** One run over whole URLs; the rows by item. */
async function run(urls: readonly string[], env: Readonly<Record<string, string>>) {
  const spec = {
    source: { kind: "items", items: urls },
    task: { kind: "http", url: "{{item}}" },
    retry: { maxAttempts: 1 },
    quota: { requests: RATE },
    allowPrivate: true,
  };
  workspace.write("spec.json", JSON.stringify(spec));
  const ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"], env);
  const rows = new Map<unknown, TestRow>(workspace.rows("rows.jsonl").map((row) => [row.item, row]));
  return { ended, rows };
}

test("a target is reached whose authority the environment names, at [::1] alone, and over connections that it closes when idle", async () => {
  const env = { NODE_EXTRA_CA_CERTS: join(workspace.folder, "authority.pem") };
  const safe = [`${at.tls}/one`, `${at.tls}/two`];
  const idle = Array.from({ length: CALLS }, (_, n) => `${at.idle}/${n}`);
  const { ended, rows } = await run([...safe, ...idle], env);
  expect(ended.exitCode, ended.stderr).toBe(0);
  for (const url of safe)
    expect(rows.get(url)).toMatchObject({ ok: true, attempts: 1, value: { safe: true } });
  const spent = [...rows.values()].filter(({ ok, attempts }) => !ok || attempts !== 1);
  expect(spent).toEqual([]);
  expect(rows.size).toBe(CALLS + safe.length);
  // Connections were used again, and closed under the calls.
  expect(reused).toBeGreaterThan(0);
  expect(idlyClosed).toBeGreaterThan(0);
});

test("without a connection every item is a failed row that says what is in the way", async () => {
  const untrusted = `${at.tls}/one`;
  const plain = `${at.plain}/one`;
  const unknown = "http://no-such-host.invalid/one";
  const { ended, rows } = await run([untrusted, plain, unknown], {});
  expect(ended.exitCode, ended.stderr).toBe(3);
  const failed = (message: unknown) => ({ ok: false, attempts: 1, error: { kind: "network", message } });
  expect(rows.get(untrusted)).toMatchObject(
    failed(expect.stringMatching(/^the certificate of localhost:\d+ is not trusted: .*NODE_EXTRA_CA_CERTS/)),
  );
  expect(rows.get(plain)).toMatchObject(
    failed(`${new URL(at.plain).host} does not speak TLS: is it http:// rather than https://?`),
  );
  expect(rows.get(unknown)).toMatchObject(failed("name not found: no-such-host.invalid"));
});
