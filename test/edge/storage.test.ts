import { env as bindings } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { OBJECT_PART_BYTES } from "../../src/core/limits.ts";
import type { ChunkPlan, PartMeta } from "../../src/core/protocol.ts";
import type { Env } from "../../src/objects/env.ts";
import { inputSource } from "../../src/sources/input.ts";
import { type InputSettings, inputSchema } from "../../src/sources/schemas.ts";
import type { Item, SourceContext } from "../../src/sources/source.ts";
import { openObjectWriter } from "../../src/storage/bucket/objectWriter.ts";
import { deleteInput, deleteUnneededUploads } from "../../src/storage/inputs/inputCleaning.ts";
import { uploadsPrefix } from "../../src/storage/inputs/inputKeys.ts";
import { getInput, type InputBounds, listInputs, storeInput } from "../../src/storage/inputs/inputs.ts";
import {
  abandonUpload,
  beginUpload,
  cleanUploads,
  completeUpload,
  storePiece,
} from "../../src/storage/inputs/uploads.ts";
import { streamParts } from "../../src/storage/rows/partStream.ts";
import {
  encodePart,
  partKey,
  partMeta,
  readPart,
  sha256Hex,
  spanOf,
  writePart,
} from "../../src/storage/rows/parts.ts";
import { rowOf } from "./workByHand.ts";

const env = bindings as unknown as Env;
const bucket = env.BUCKET;
const context: SourceContext = { env, run: "r_test", count: () => {} };
const NOW_MS = Date.parse("2026-11-21T12:00:00Z");

function body(content: string | Uint8Array): ReadableStream<Uint8Array> {
  return new Response(content).body as ReadableStream<Uint8Array>;
}

async function gzip(text: string): Promise<Uint8Array> {
  return new Uint8Array(
    await new Response(body(text).pipeThrough(new CompressionStream("gzip"))).arrayBuffer(),
  );
}

const store = (name: string, content: string | Uint8Array, bounds: Partial<InputBounds> = {}) =>
  storeInput(bucket, name, body(content), { nowMs: NOW_MS, bounds });

async function collect(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function pinned(name: string, format: "lines" | "jsonl" | "csv" = "lines"): Promise<InputSettings> {
  return (await inputSource.pin(inputSchema.parse({ kind: "input", name, format }), context)).settings;
}

const keysBelow = async (prefix: string) =>
  (await bucket.list({ prefix })).objects.map((object) => object.key);

describe("an object of unknown length", () => {
  const bytesOf = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

  test.each([0, 1, OBJECT_PART_BYTES - 1, OBJECT_PART_BYTES, OBJECT_PART_BYTES + 1, 2 * OBJECT_PART_BYTES])(
    "of %i bytes is whole",
    async (length) => {
      const bytes = bytesOf(length);
      const writer = openObjectWriter(bucket, "whole");
      for (let from = 0; from < length; from += 700_001)
        await writer.write(bytes.subarray(from, from + 700_001));
      expect(await writer.finish()).toBe(length);
      const stored = new Uint8Array(await (await bucket.get("whole"))!.arrayBuffer());
      expect(stored.byteLength).toBe(length);
      expect(stored.every((byte, i) => byte === bytes[i])).toBe(true);
    },
  );

  test("is continued by another writer after the parts that were sent", async () => {
    const bytes = bytesOf(2 * OBJECT_PART_BYTES + 5);
    const first = openObjectWriter(bucket, "continued");
    await first.write(bytes.subarray(0, OBJECT_PART_BYTES + 1000));
    const resume = JSON.parse(JSON.stringify(await first.state()));
    const second = openObjectWriter(bucket, "continued", { resume });
    expect(second.sentBytes()).toBe(OBJECT_PART_BYTES);
    await second.write(bytes.subarray(second.sentBytes()));
    expect(await second.finish()).toBe(bytes.byteLength);
    const stored = new Uint8Array(await (await bucket.get("continued"))!.arrayBuffer());
    expect(stored.every((byte, i) => byte === bytes[i])).toBe(true);
  });

  test("that was given up is not there", async () => {
    const writer = openObjectWriter(bucket, "given-up");
    await writer.write(bytesOf(OBJECT_PART_BYTES + 1));
    await writer.abort();
    expect(await bucket.head("given-up")).toBeNull();
  });
});

const WEEK_MS = 7 * 24 * 3_600_000;

test("pieces of an upload that was given up go with the next upload in pieces, of whatever name", async () => {
  const begun = await beginUpload(bucket, "given-up-pieces", Date.now());
  if (begun.kind !== "begun") throw new Error("it begins");
  await storePiece(bucket, { name: "given-up-pieces", id: begun.id, n: 0 }, body("a\n"));
  await beginUpload(bucket, "another", Date.now() + WEEK_MS - 60_000);
  expect(await keysBelow("inputs/pieces/given-up-pieces/")).toHaveLength(2);
  await beginUpload(bucket, "another", Date.now() + WEEK_MS + 60_000);
  expect(await keysBelow("inputs/pieces/given-up-pieces/")).toEqual([]);
});

test("pieces of an upload that was given up go within the hour after their time, whoever uploads", async () => {
  const begun = await beginUpload(bucket, "given-up-alone", Date.now());
  if (begun.kind !== "begun") throw new Error("it begins");
  const hour = 3_600_000;
  const nextHourMs = Math.ceil((Date.now() + WEEK_MS) / hour) * hour;
  await cleanUploads(bucket, nextHourMs + 60_000);
  expect(await keysBelow("inputs/pieces/given-up-alone/")).toHaveLength(1);
  await cleanUploads(bucket, nextHourMs + hour);
  expect(await keysBelow("inputs/pieces/given-up-alone/")).toEqual([]);
});

describe("storing an input", () => {
  test("plain and gzip give the same input", async () => {
    const text = "\ufeffa\r\n\n b \nc";
    for (const content of [text, await gzip(text)]) {
      const stored = await store("same.txt", content);
      expect(stored).toMatchObject({ kind: "stored", input: { name: "same.txt", items: 3, bytes: 12 } });
      const settings = await pinned("same.txt");
      const { chunks } = await inputSource.plan(settings, 10, null, context);
      const read = inputSource.read(settings, chunks[0]!, { ordinal: 0, position: null }, context);
      expect((await collect(read)).map((item) => item.value)).toEqual(["a", " b ", "c"]);
    }
  });

  test.each([
    ["empty", "", "invalid", "holds no item"],
    ["binary", new Uint8Array([0x50, 0x4b, 3, 4, 0, 0]), "invalid", "line 1 contains a NUL byte"],
    [
      "damaged gzip",
      new Uint8Array([0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
      "invalid",
      "cannot be unpacked",
    ],
  ])("%s is told in one sentence and leaves nothing", async (what, content, code, message) => {
    const name = `refused-${what.replaceAll(" ", "-")}`;
    const outcome = await store(name, content);
    expect(outcome).toMatchObject({ kind: "refused", code, message: expect.stringContaining(message) });
    expect(await getInput(bucket, name)).toBeNull();
    expect(await keysBelow(uploadsPrefix(name))).toEqual([]);
  });

  test("gzip of several members is all of them", async () => {
    const members = await Promise.all(["a\nb\n", "", "c\n", `${"d\n".repeat(50_000)}`].map(gzip));
    const outcome = await store("members", await new Blob(members).bytes());
    expect(outcome).toMatchObject({ kind: "stored", input: { items: 50_003, bytes: 100_006 } });
  });

  test("gzip whose second member is cut off, or that is followed by other bytes, is refused", async () => {
    const [one, two] = [await gzip("a\n"), await gzip("b\n".repeat(1000))];
    for (const rest of [two.slice(0, -9), new TextEncoder().encode("not gzip at all")]) {
      const outcome = await store("members-cut", await new Blob([one, rest]).bytes());
      expect(outcome).toMatchObject({ kind: "refused", code: "invalid", path: "body" });
    }
  });

  test("gzip that was cut off is refused", async () => {
    const packed = await gzip("some line\n".repeat(1000));
    const outcome = await store("cut.gz", packed.subarray(0, packed.byteLength - 5));
    expect(outcome).toMatchObject({ kind: "refused", code: "invalid" });
  });

  test("a body over a bound is refused with the number", async () => {
    expect(await store("b", "12345\n".repeat(10), { maxBytes: 59 })).toMatchObject({
      code: "too_large",
      message: expect.stringContaining("59"),
    });
    expect(await store("b", "12345\n".repeat(10), { maxBytes: 60 })).toMatchObject({ kind: "stored" });
    const bomb = await gzip("0\n".repeat(500_000));
    const bounds = { inflationFreeBytes: 10_000 };
    expect(await store("bomb", bomb, bounds)).toMatchObject({
      code: "too_large",
      message: expect.stringContaining("200 times"),
    });
    expect(await store("bomb", bomb)).toMatchObject({ kind: "stored", input: { items: 500_000 } });
  });

  test.each(["", ".hidden", "a/b", "a b", "x".repeat(129)])("the name %j is refused", async (name) => {
    expect(await store(name, "a")).toMatchObject({ kind: "refused", path: "name" });
  });

  test("a sender that goes away leaves nothing", async () => {
    let sent = 0;
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ < 3) controller.enqueue(new TextEncoder().encode("line\n"));
        else controller.error(new Error("connection lost"));
      },
    });
    await expect(storeInput(bucket, "gone", broken, { nowMs: NOW_MS })).rejects.toThrow("the body broke off");
    expect(await keysBelow(uploadsPrefix("gone"))).toEqual([]);
  });

  test("a run goes on reading the upload it pinned when the name gets another one", async () => {
    await store("twice", "old 1\nold 2");
    const settings = await pinned("twice");
    await store("twice", "new");
    const { chunks } = await inputSource.plan(settings, 10, null, context);
    const read = inputSource.read(settings, chunks[0]!, { ordinal: 0, position: null }, context);
    expect((await collect(read)).map((item) => item.value)).toEqual(["old 1", "old 2"]);
    expect((await inputSource.pin(inputSchema.parse({ kind: "input", name: "twice" }), context)).first).toBe(
      "new",
    );
  });

  test("inputs are listed by name, page by page", async () => {
    for (const name of ["list-c", "list-a", "list-b"]) await store(name, "x");
    const first = await listInputs(bucket, { limit: 2, cursor: "list-" });
    expect(first.inputs.map((input) => input.name)).toEqual(["list-a", "list-b"]);
    const second = await listInputs(bucket, { limit: 1, cursor: first.cursor });
    expect(second.inputs.map((input) => input.name)).toEqual(["list-c"]);
  });

  test("an input that is not there cannot be pinned", async () => {
    await expect(pinned("nowhere")).rejects.toMatchObject({ path: "source.name" });
  });

  test("a deleted input leaves no object, and an upload that nothing names goes after a while", async () => {
    await store("cleaned", "1");
    await store("cleaned", "2");
    await store("cleaned", "3");
    await deleteUnneededUploads(env, "cleaned", Date.now());
    expect(await keysBelow(uploadsPrefix("cleaned"))).toHaveLength(6);
    await deleteUnneededUploads(env, "cleaned", Date.now() + 3_700_000);
    expect(await keysBelow(uploadsPrefix("cleaned"))).toHaveLength(4);
    expect(await deleteInput(env, "cleaned")).toEqual({ kind: "deleted" });
    expect(await deleteInput(env, "cleaned")).toEqual({ kind: "not-found" });
    expect(await keysBelow(uploadsPrefix("cleaned"))).toEqual([]);
  });
});

describe("an upload in pieces", () => {
  async function begun(name: string): Promise<string> {
    const begin = await beginUpload(bucket, name, Date.now());
    if (begin.kind !== "begun") throw new Error(begin.message);
    return begin.id;
  }

  test.each([0, 1])("is the input that its pieces make together, counted from %i", async (first) => {
    const name = `pieces-${first}`;
    const id = await begun(name);
    for (const [i, piece] of ["a\nb", "b\nc", "\nd"].entries()) {
      expect(await storePiece(bucket, { name, id, n: first + i }, body(piece))).toMatchObject({
        kind: "stored",
      });
    }
    expect(await completeUpload(bucket, { name, id }, { nowMs: NOW_MS })).toMatchObject({
      input: { items: 4 },
    });
    expect(await completeUpload(bucket, { name, id }, { nowMs: NOW_MS })).toEqual({ kind: "not-found" });
    expect(await keysBelow(`inputs/pieces/${name}/`)).toEqual([]);
  });

  test("with a piece missing is refused and can be completed later", async () => {
    const id = await begun("gap");
    for (const n of [1, 3]) await storePiece(bucket, { name: "gap", id, n }, body(`${n}\n`));
    expect(await completeUpload(bucket, { name: "gap", id }, { nowMs: NOW_MS })).toMatchObject({
      message: "piece 2 is missing",
    });
    await storePiece(bucket, { name: "gap", id, n: 2 }, body("2\n"));
    expect(await completeUpload(bucket, { name: "gap", id }, { nowMs: NOW_MS })).toMatchObject({
      input: { items: 3 },
    });
  });

  test("that grows larger than an input may be is refused, and its pieces are removed", async () => {
    const name = "endless";
    const id = await begun(name);
    const bounds = { maxBytes: 10 };
    const send = (n: number, text: string) => storePiece(bucket, { name, id, n }, body(text), bounds);
    expect(await send(0, "123456\n")).toMatchObject({ kind: "stored" });
    expect(await send(0, "12345678\n")).toMatchObject({ kind: "stored", bytes: 9 });
    expect(await send(1, "1\n")).toMatchObject({
      code: "too_large",
      message: "the input is larger than 10 bytes",
    });
    expect(await keysBelow(`inputs/pieces/${name}/`)).toEqual([]);
    expect(await send(2, "1\n")).toEqual({ kind: "not-found" });
  });

  test("that is given up leaves nothing, nor does a piece that was on its way", async () => {
    const name = "on-its-way";
    const id = await begun(name);
    await storePiece(bucket, { name, id, n: 0 }, body("a\n"));
    let sender: ReadableStreamDefaultController<Uint8Array> | undefined;
    const slow = new ReadableStream<Uint8Array>({
      start(controller) {
        sender = controller;
        controller.enqueue(new TextEncoder().encode("b\n"));
      },
    });
    const late = storePiece(bucket, { name, id, n: 1 }, slow);
    await scheduler.wait(20);
    expect(await abandonUpload(bucket, { name, id })).toEqual({ kind: "abandoned" });
    sender?.close();
    expect(await late).toEqual({ kind: "not-found" });
    expect(await keysBelow(`inputs/pieces/${name}/`)).toEqual([]);
    expect(await abandonUpload(bucket, { name, id })).toEqual({ kind: "not-found" });
  });

  test("that was never begun takes no piece", async () => {
    expect(await storePiece(bucket, { name: "none", id: "abcdefgh1234", n: 0 }, body("x"))).toEqual({
      kind: "not-found",
    });
    const id = await begun("none");
    expect(await storePiece(bucket, { name: "none", id, n: -1 }, body("x"))).toMatchObject({
      kind: "refused",
      path: "n",
    });
  });
});

describe("reading an input", () => {
  const count = 50_000;
  const values = Array.from({ length: count }, (_, i) => `line ${i} ${"x".repeat((i * 37) % 90)}`);

  async function stored(name: string): Promise<InputSettings> {
    await store(name, values.map((value, i) => (i % 10 === 0 ? `\n${value}` : value)).join("\r\n"));
    return pinned(name);
  }

  test("chunk by chunk gives every item once, and from any item's position the rest of its chunk", async () => {
    const settings = await stored("long");
    let cursor: string | null = null;
    let next = 0;
    do {
      const step = await inputSource.plan(settings, 7000, cursor, context);
      for (const chunk of step.chunks) {
        const items = await collect(
          inputSource.read(settings, chunk, { ordinal: 0, position: null }, context),
        );
        expect(items.map((item) => item.index)).toEqual(
          Array.from({ length: chunk.count }, (_, i) => next + i),
        );
        expect(items.map((item) => item.value)).toEqual(values.slice(next, next + chunk.count));
        const middle = items[chunk.count - 3]!;
        const rest = await collect(inputSource.read(settings, chunk, middle, context));
        expect(rest).toEqual(items.slice(chunk.count - 3));
        next += chunk.count;
      }
      cursor = step.cursor;
    } while (cursor !== null);
    expect(next).toBe(count);
  });

  test("a chunk with gaps gives exactly its indexes, and far gaps are passed over unread", async () => {
    const settings = await stored("gaps");
    const indexes = [0, 1, 255, 256, 300, 9000, 9001, 40_000, count - 1];
    const chunk: ChunkPlan = { first: 0, count: indexes.length, indexes, position: "" };
    let reads = 0;
    const counted: SourceContext = { ...context, count: () => reads++ };
    const items = await collect(inputSource.read(settings, chunk, { ordinal: 0, position: null }, counted));
    expect(items.map((item) => [item.index, item.value])).toEqual(
      indexes.map((index) => [index, values[index]]),
    );
    expect(reads).toBeLessThanOrEqual(6);
    const rest = await collect(inputSource.read(settings, chunk, items[5]!, context));
    expect(rest).toEqual(items.slice(5));
  });

  test("a jsonl line is its JSON, and one that is none is an invalid item", async () => {
    await store("some.jsonl", '{"id":1}\n12345678901234567890\nnot json\n"text"');
    const settings = await pinned("some.jsonl", "jsonl");
    const { chunks } = await inputSource.plan(settings, 10, null, context);
    const items = await collect(
      inputSource.read(settings, chunks[0]!, { ordinal: 0, position: null }, context),
    );
    expect(items.map((item) => JSON.stringify(item.value))).toEqual([
      '{"id":1}',
      "12345678901234567890",
      '"not json"',
      '"text"',
    ]);
    expect(items.map((item) => item.invalid !== undefined)).toEqual([false, false, true, false]);
  });
});

describe("an input of CSV", () => {
  const count = 3000;
  const noteOf = (n: number) => (n % 3 === 0 ? `line ${n}\nand "more"` : `plain ${n}`);
  const csv = [
    "id,note",
    ...Array.from({ length: count }, (_, n) => `${n},"${noteOf(n).replaceAll('"', '""')}"`),
  ];
  const recordOf = (n: number) => ({ id: String(n), note: noteOf(n) });

  test("gives records by the header's columns, from every chunk and every position", async () => {
    await store("orders.csv", csv.join("\r\n"));
    const settings = await pinned("orders.csv", "csv");
    const { chunks } = await inputSource.plan(settings, 700, null, context);
    expect(chunks.map((chunk) => chunk.count)).toEqual([700, 700, 700, 700, 200]);
    for (const chunk of chunks) {
      const items = await collect(inputSource.read(settings, chunk, { ordinal: 0, position: null }, context));
      expect(items.map((item) => item.value)).toEqual(items.map((item) => recordOf(item.index)));
      expect(items.map((item) => item.ordinal)).toEqual(items.map((_, n) => n));
      const rest = await collect(inputSource.read(settings, chunk, items[150]!, context));
      expect(rest).toEqual(items.slice(150));
    }
  });

  test("gives the records of a chunk with gaps", async () => {
    await store("gaps.csv", csv.join("\n"));
    const settings = await pinned("gaps.csv", "csv");
    const indexes = [0, 3, 299, 2000, count - 1];
    const chunk: ChunkPlan = { first: 0, count: indexes.length, indexes, position: "" };
    const items = await collect(inputSource.read(settings, chunk, { ordinal: 0, position: null }, context));
    expect(items.map((item) => [item.index, item.value])).toEqual(indexes.map((n) => [n, recordOf(n)]));
  });

  test("that is malformed is refused with its line before anything runs", async () => {
    await store("bad.csv", "id,note\n1,a\n2,b,c\n");
    await expect(pinned("bad.csv", "csv")).rejects.toThrow(
      "bad.csv is not CSV: line 3: 3 fields, but the header names 2",
    );
    expect(await pinned("bad.csv")).toMatchObject({ format: "lines" });
  });

  test("with a header alone has no items", async () => {
    await store("header.csv", "id,note\n");
    const settings = inputSchema.parse({ kind: "input", name: "header.csv", format: "csv" });
    expect(await inputSource.pin(settings, context)).toMatchObject({ items: 0, first: null });
  });
});

describe("parts", () => {
  async function written(chunk: number, indexes: readonly number[]): Promise<PartMeta> {
    const key = partKey("r_parts", chunk, 0);
    const rows = indexes.map((index) => rowOf(index, index % 3 !== 0));
    const bytes = encodePart(rows);
    await writePart(bucket, key, bytes);
    return partMeta({ chunk, n: 0, key, span: spanOf(rows), bytes, sha256: await sha256Hex(bytes) });
  }
  async function* each(parts: readonly PartMeta[]) {
    yield* parts;
  }
  const linesOf = (rows: readonly { line: string }[]) => rows.map((row) => `${row.line}\n`).join("");

  test("the first writer of a part wins, and the second finds its rows", async () => {
    const key = partKey("r_won", 0, 0);
    const mine = encodePart([rowOf(1, true)]);
    expect(await writePart(bucket, key, mine)).toEqual({ kind: "written" });
    expect(await writePart(bucket, key, encodePart([rowOf(2, true)]))).toEqual({ kind: "exists" });
    expect((await readPart(bucket, key))?.rows).toEqual([rowOf(1, true)]);
    expect(await readPart(bucket, partKey("r_won", 0, 1))).toBeNull();
  });

  test("stream in the order given, and only the rows asked for", async () => {
    const parts = [await written(0, [0, 1, 2]), await written(1, [4, 5]), await written(2, [6])];
    const all = [0, 1, 2, 4, 5, 6].map((index) => rowOf(index, index % 3 !== 0));
    expect(await new Response(streamParts(bucket, each(parts))).text()).toBe(linesOf(all));
    for (const only of ["ok", "failed"] as const) {
      const kept = all.filter((row) => row.ok === (only === "ok"));
      expect(await new Response(streamParts(bucket, each(parts), { filter: only })).text()).toBe(
        linesOf(kept),
      );
    }
  });

  test("leave out as many of the wanted rows as are not wanted again, wherever a part ends", async () => {
    const parts = [await written(0, [0, 1, 2]), await written(1, [4, 5]), await written(2, [6])];
    const all = [0, 1, 2, 4, 5, 6].map((index) => rowOf(index, index % 3 !== 0));
    for (const filter of [undefined, "ok", "failed"] as const) {
      const kept = all.filter((row) => filter === undefined || row.ok === (filter === "ok"));
      for (let skip = 0; skip <= kept.length + 1; skip++) {
        const stream = streamParts(bucket, each(parts), { filter, skip });
        expect(await new Response(stream).text()).toBe(linesOf(kept.slice(skip)));
      }
    }
  });

  test("a missing part breaks the stream instead of ending it", async () => {
    const part = await written(7, [1]);
    const stream = streamParts(bucket, each([part, { ...part, key: "runs/r_parts/parts/8/0.jsonl" }]));
    await expect(new Response(stream).text()).rejects.toThrow("is missing");
  });
});
