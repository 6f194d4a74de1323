/** Storage and uploads that stand still end with a sentence; a disk without room is named. */

import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createClient } from "../../../src/cli/client.ts";
import { DiskWatch, type Room, roomAt } from "../../../src/cli/diskRoom.ts";
import { STORAGE_ANSWER_MS } from "../../../src/core/limits.ts";
import type { PartMeta } from "../../../src/core/protocol.ts";
import { answered } from "../../../src/storage/bucket/answered.ts";
import { objectWindows } from "../../../src/storage/bucket/objectStream.ts";
import { recordedSchedules } from "../../../src/storage/index/schedules.ts";
import { getInput, listInputs } from "../../../src/storage/inputs/inputs.ts";
import { csvIndexOf, rangeReader } from "../../../src/storage/inputs/uploadLines.ts";
import { beginUpload } from "../../../src/storage/inputs/uploads.ts";
import { readRunRecord } from "../../../src/storage/readRunRecord.ts";
import { listedParts } from "../../../src/storage/rows/listedParts.ts";
import { partBytes } from "../../../src/storage/rows/partStream.ts";
import { deletePrefix, recordedRuns } from "../../../src/storage/runRecord.ts";
import { R2Store } from "../../../src/storage/stores/r2Store.ts";

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

describe("a bucket that never answers", () => {
  afterEach(() => vi.useRealTimers());
  const silent = new Proxy({}, { get: () => never }) as R2Bucket;
  /** Answers, but its objects never give their bytes. */
  const bodiless = {
    get: async () => ({ body: null, bytes: never, json: never, arrayBuffer: never }),
  } as unknown as R2Bucket;
  const part = { key: "k", bytes: 1, sha256: "" } as PartMeta;
  const object = { key: "k", size: 1, etag: "e" } as R2Object;
  const upload = { name: "n", upload: "u" };
  const options = { count: () => {}, gone: () => new Error("gone") };
  const range = (bucket: R2Bucket) => rangeReader(bucket, upload, options)(0, 1);

  it.each<[string, () => Promise<unknown>]>([
    ["a part", () => partBytes(silent, part)],
    ["a part's body", () => partBytes(bodiless, part)],
    ["a window", () => objectWindows(silent, object).next()],
    ["a window's body", () => objectWindows(bodiless, object).next()],
    ["a range of an input", () => range(silent)],
    ["a range's body", () => range(bodiless)],
    ["an index of records", () => csvIndexOf(silent, upload, ",", () => {})],
    ["an input", () => getInput(silent, "n")],
    ["an input's body", () => getInput(bodiless, "n")],
    ["the list of inputs", () => listInputs(silent, { limit: 1 })],
    ["the begin of an upload", () => beginUpload(silent, "n", 0)],
    ["a run's record", () => readRunRecord(silent, "r")],
    ["the list of runs", () => recordedRuns(silent, null).next()],
    ["the list of schedules", () => recordedSchedules(silent).next()],
    ["a run's parts", () => listedParts(silent, "r", { after: null, limit: 1 }).next()],
    ["a removal", () => deletePrefix(silent, "x/")],
    ["a user's object", () => new R2Store(silent).get("k")],
    ["a user's list", () => new R2Store(silent).list({ prefix: "", after: null, limit: 1 })],
  ])("refuses %s after a minute, and is not asked again", async (_, ask) => {
    vi.useFakeTimers();
    const refused = expect(ask()).rejects.toThrow("object storage did not answer for 60 s");
    await vi.advanceTimersByTimeAsync(STORAGE_ANSWER_MS);
    await refused;
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is called nowhere without a limit of time", () => {
    const src = resolve(import.meta.dirname, "../../../src");
    const unlimited = readdirSync(src, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .flatMap((name) => {
        const code = readFileSync(resolve(src, name), "utf8");
        const calls = code.matchAll(/\bbucket\.(?:get|head|list|put|delete|createMultipartUpload)\(/gi);
        return [...calls].flatMap(({ index }) => {
          const before = code.slice(Math.max(0, index - 150), index);
          return /(?:answered|write)\((?:async )?\(\) =>/.test(before)
            ? []
            : [`${name}: ${code.slice(index, index + 40)}`];
        });
      });
    expect(unlimited).toEqual([]);
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
