/** Storage and uploads that stand still end with a sentence; a disk without room is named. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterEach, describe, expect, it } from "vitest";
import { createClient } from "../../src/cli/client.ts";
import { DiskWatch, type Room, roomAt } from "../../src/cli/diskRoom.ts";
import { answered } from "../../src/storage/answered.ts";

const never = () => new Promise<never>(() => {});

describe("a call to the bucket", () => {
  it("without an answer is a refusal that says so", async () => {
    await expect(answered(never, 20)).rejects.toThrow("object storage did not answer for 0.02 s");
  });

  it("that is answered gives its answer, and its own refusal", async () => {
    expect(await answered(async () => 7, 1000)).toBe(7);
    await expect(answered(() => Promise.reject(new Error("no")), 1000)).rejects.toThrow("no");
  });
});

describe("an upload", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.closeAllConnections();
  });
  const serve = async (take: (request: Readable) => void): Promise<string> => {
    const server = createServer((request) => take(request)).listen(0, "127.0.0.1");
    servers.push(server);
    await new Promise((resolve) => server.once("listening", resolve));
    server.unref();
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const endless = () =>
    Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(65_536);
      })(),
    );

  it.each<[string, (request: Readable) => void, () => Readable]>([
    ["of which nothing is taken", (request) => request.pause(), endless],
    ["that is never answered", (request) => request.resume(), () => Readable.from([Buffer.alloc(10)])],
  ])("%s ends with a sentence", async (_, take, body) => {
    const client = createClient(await serve(take), "t", 200);
    await expect(client.ask("PUT", "/x", { body: body() })).rejects.toThrow("the upload stands still");
    client.close();
  });

  it("whose sender is slow goes on", async () => {
    const server = createServer((request, response) => {
      request.resume().on("end", () => response.end("{}"));
    }).listen(0, "127.0.0.1");
    servers.push(server);
    await new Promise((resolve) => server.once("listening", resolve));
    const client = createClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, "t", 100);
    const slow = Readable.from(
      (async function* () {
        yield Buffer.from("a");
        await new Promise((resolve) => setTimeout(resolve, 400));
        yield Buffer.from("b");
      })(),
    );
    expect(await client.ask("PUT", "/x", { body: slow })).toEqual({});
    client.close();
    server.close();
  });
});

describe("the disk of a state folder", () => {
  it("is named once when it is full, and once when there is room again", () => {
    const rooms: (Room | null)[] = [
      { bytes: 1e9, files: 10 },
      { bytes: 100, files: 10 },
      { bytes: 50, files: 10 },
      { bytes: 1e9, files: 10 },
      { bytes: 1e9, files: 0 },
      { bytes: 1e9, files: null },
      null,
    ];
    const watch = new DiskWatch("/s", () => rooms.shift() ?? null);
    const news = Array.from({ length: 7 }, (_, n) => watch.news(n * 5000));
    expect(news).toEqual([
      null,
      "the disk of /s has no space left: nothing can be stored; make room, and the work goes on",
      null,
      "there is room on the disk of /s again",
      expect.stringContaining("no room for another file (inodes) left"),
      "there is room on the disk of /s again",
      null,
    ]);
  });

  it("is not asked more often than every five seconds, and may be unknown", () => {
    let looks = 0;
    const watch = new DiskWatch("/s", () => {
      looks += 1;
      return null;
    });
    for (let nowMs = 0; nowMs < 10_000; nowMs += 500) watch.news(nowMs);
    expect(looks).toBe(2);
    expect(roomAt("/nowhere/at/all")).toBeNull();
  });
});
