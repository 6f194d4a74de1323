/** Why a call had no answer: looked for over real sockets, and what it means for the item and for the target. */
import { once } from "node:events";
import { createServer as createTls } from "node:https";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { reachOf } from "../../../src/cli/runtime/reach.ts";
import { explain, lookBy, type Reach } from "../../../src/tasks/calls/reach.ts";
import { CERTIFICATE, KEY } from "../../support/certificate.ts";

const open: Server[] = [];

async function listening(server: Server): Promise<number> {
  open.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, "close");
  return port;
}

afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

const at = (host: string, port: number, isTls = false) => reachOf({ host, port, isTls });

describe("the reach of a server", () => {
  it("names a port that refuses connections", async () => {
    const port = await closedPort();
    expect(await at("127.0.0.1", port)).toEqual({
      kind: "unreached",
      message: `connection refused by 127.0.0.1:${port}`,
    });
  });

  it("names a name that is not known", async () => {
    expect(await at("no-such-host.invalid", 80)).toEqual({
      kind: "no-name",
      message: "name not found: no-such-host.invalid",
    });
  });

  it("names a certificate that is not trusted, and what to do", async () => {
    const port = await listening(createTls({ cert: CERTIFICATE, key: KEY }));
    const { kind, message } = await at("localhost", port, true);
    expect(kind).toBe("unusable");
    expect(message).toMatch(/^the certificate of localhost:\d+ is not trusted: .*NODE_EXTRA_CA_CERTS/);
  });

  it("names a port that does not speak TLS", async () => {
    const port = await listening(
      createServer((socket) => socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n")),
    );
    const { kind, message } = await at("127.0.0.1", port, true);
    expect(kind).toBe("unusable");
    expect(message).toBe(`127.0.0.1:${port} does not speak TLS: is it http:// rather than https://?`);
  });

  it("has nothing to say of a server that takes connections", async () => {
    const port = await listening(createServer((socket) => socket.destroy()));
    expect(await at("127.0.0.1", port)).toEqual({ kind: "reached", message: null });
  });

  it("is looked for once a second, however many ask", async () => {
    let connections = 0;
    const port = await listening(
      createServer((socket) => {
        connections += 1;
        socket.destroy();
      }),
    );
    await Promise.all(Array.from({ length: 100 }, () => at("127.0.0.1", port)));
    expect(connections).toBe(1);
  });
});

describe("a call without an answer", () => {
  const lost = new Error("Network connection lost.");
  const URL = "http://127.0.0.1:8080/x";
  it.each<[rule: string, reach: Reach | null, message: string, isUnreached: boolean | "name"]>([
    [
      "is the target's trouble where nobody gets a connection",
      { kind: "unreached", message: "connection refused by 127.0.0.1:8080" },
      "connection refused by 127.0.0.1:8080",
      true,
    ],
    [
      "may be a mistake where the name is not known",
      { kind: "no-name", message: "name not found: h" },
      "name not found: h",
      "name",
    ],
    [
      "may be the item's where a connection was made",
      { kind: "reached", message: null },
      "the connection to 127.0.0.1:8080 was closed before an answer came",
      false,
    ],
    [
      "may be anybody's where nobody can look",
      null,
      "no answer from 127.0.0.1:8080: the connection failed or was lost, and the platform does not say why",
      false,
    ],
  ])("%s", (_, reach, message, isUnreached) => {
    expect(explain(lost, URL, reach)).toEqual({ message, isUnreached });
  });

  it("keeps what the platform says where that says something", () => {
    expect(explain(new Error("too many redirects"), URL, null).message).toBe("too many redirects");
  });

  it("is asked about with host, port and protocol, and what cannot be asked is not known", async () => {
    const asked: string[] = [];
    const binding = {
      fetch: async (url: string) => {
        asked.push(url);
        return Response.json({ kind: "reached", message: null });
      },
    };
    expect(await lookBy(binding)("https://[::1]/x")).toEqual({ kind: "reached", message: null });
    expect(asked).toEqual(["http://reach/?host=%5B%3A%3A1%5D&port=443&tls=true"]);
    const away = lookBy({ fetch: () => Promise.reject(new Error("gone")) });
    expect(await away(URL)).toBeNull();
  });
});
