import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeLineIndex, type LineIndex } from "../../../src/storage/inputs/lineIndex.ts";
import { type Line, LineReader } from "../../../src/storage/inputs/lineReader.ts";
import { LineScanner } from "../../../src/storage/inputs/lineScanner.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Scans in slices of `step` bytes; a refusal is told as its message. */
function scan(bytes: Uint8Array, step: number, options: ConstructorParameters<typeof LineScanner>[0] = {}) {
  const scanner = new LineScanner(options);
  for (let from = 0; from < bytes.byteLength; from += step) {
    const refusal = scanner.push(bytes.subarray(from, from + step));
    if (refusal !== null) return refusal;
  }
  return scanner.end();
}

/** What the definition says, without regard to speed. */
function itemsOf(text: string): string[] {
  return text
    .replace(/^\ufeff/, "")
    .split("\n")
    .map((line) => line.replace(/\r+$/, ""))
    .filter((line) => /[^ \t\r]/.test(line));
}

async function readAll(bytes: Uint8Array, options: { from: number; windowBytes: number }): Promise<Line[]> {
  const reader = new LineReader(async (from, to) => bytes.slice(from, to), bytes.byteLength);
  reader.seek(options.from);
  const lines: Line[] = [];
  for (;;) {
    const line = reader.take();
    if (line !== null) lines.push(line);
    else if (!(await reader.fill(reader.bufferedTo() + options.windowBytes))) return lines;
  }
}

describe("an input's lines", () => {
  test.each([
    ["a", 1],
    ["a\nb", 2],
    ["a\nb\n", 2],
    ["a\r\nb\r\n", 2],
    ["\n\n a \n\t\n \r\n", 1],
    ["\ufeffa\nb", 2],
    ["\ufeff\nb", 1],
    ["é\n日本\n😀", 3],
    ["\u00a0", 1],
    ["\v", 1],
  ])("%j holds %i items, however it is cut", (text, items) => {
    for (const step of [1, 2, 3, 100])
      expect(scan(bytesOf(text), step)).toMatchObject({ kind: "scanned", items });
  });

  test.each([
    ["no line", bytesOf(""), "the input holds no item"],
    ["only blank lines", bytesOf(" \n\r\n\t"), "the input holds no item"],
    ["only a BOM", bytesOf("\ufeff"), "the input holds no item"],
    ["a NUL", bytesOf("a\nb\nc\0d"), "line 3 contains a NUL byte"],
    ["UTF-16", new Uint8Array([0x61, 0, 0x0a, 0]), "line 1 contains a NUL byte"],
    ["a lone continuation", new Uint8Array([0x61, 0x0a, 0x80]), "line 2 is not valid UTF-8"],
    ["an overlong form", new Uint8Array([0xc0, 0xaf, 0x0a]), "line 1 is not valid UTF-8"],
    ["a surrogate", new Uint8Array([0xed, 0xa0, 0x80]), "line 1 is not valid UTF-8"],
    [
      "a character cut by the line's end",
      new Uint8Array([0xe2, 0x82, 0x0a, 0x61]),
      "line 1 is not valid UTF-8",
    ],
    [
      "a character cut by the input's end",
      new Uint8Array([0x61, 0x0a, 0xe2, 0x82]),
      "line 2 is not valid UTF-8",
    ],
  ])("%s is refused by line, however it is cut", (_what, bytes, message) => {
    for (const step of [1, 2, 100]) {
      expect(scan(bytes, step)).toMatchObject({
        kind: "refused",
        code: "invalid",
        message: expect.stringContaining(message),
      });
    }
  });

  test("a line may be as long as its bound and no longer", () => {
    const options = { maxLineBytes: 5 };
    for (const step of [1, 4, 100]) {
      expect(scan(bytesOf("12345\n12345"), step, options)).toMatchObject({ items: 2 });
      expect(scan(bytesOf("1\n123456\n"), step, options)).toMatchObject({
        code: "too_large",
        message: "line 2 is longer than 5 bytes",
      });
    }
  });

  test("bytes are accepted exactly when the platform's decoder accepts them", () => {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const bytes = fc.array(fc.oneof(fc.integer({ min: 1, max: 255 }), fc.integer({ min: 0x80, max: 0xf4 })), {
      minLength: 1,
      maxLength: 8,
    });
    const byte = fc.uint8Array({ min: 1, minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        fc.oneof(
          bytes.map((list) => new Uint8Array(list)),
          byte,
        ),
        fc.integer({ min: 1, max: 5 }),
        (some, step) => {
          const all = new Uint8Array([...some, 0x0a, 0x61]);
          let valid = true;
          try {
            decoder.decode(all);
          } catch {
            valid = false;
          }
          expect(scan(all, step).kind).toBe(valid ? "scanned" : "refused");
        },
      ),
      { numRuns: 2000 },
    );
  });
});

const text = fc
  .array(
    fc.oneof(
      fc.constantFrom("", " ", "\t", "\r", "\r\r", "a\r", " b ", "\ufeff"),
      fc.string({ unit: "grapheme" }),
    ),
    {
      maxLength: 40,
    },
  )
  .map((lines) => lines.join("\n").replaceAll("\0", "0"));

describe("reading what was scanned", () => {
  test("the reader hands out exactly the items that the scanner counted, whatever the windows", async () => {
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 50 }),
        async (all, step, windowBytes) => {
          const bytes = bytesOf(all);
          const expected = itemsOf(all);
          const scanned = scan(bytes, step);
          const read = await readAll(bytes, { from: 0, windowBytes });
          expect(read.map((line) => line.text)).toEqual(expected);
          expect(scanned.kind === "scanned" ? scanned.items : 0).toBe(expected.length);
          for (const [i, line] of read.entries()) {
            const again = await readAll(bytes, { from: line.byte, windowBytes });
            expect(again.map((l) => l.text)).toEqual(expected.slice(i));
          }
        },
      ),
    );
  });

  test("the index leads to every item, however often it was thinned out", async () => {
    const bytes = bytesOf(
      Array.from({ length: 20_000 }, (_, i) => (i % 7 === 0 ? `\nitem ${i}` : `item ${i}`)).join("\n"),
    );
    for (const indexEntries of [2, 5, 64, 65_536]) {
      const scanned = scan(bytes, 1000, { indexEntries });
      if (scanned.kind !== "scanned") throw new Error(scanned.message);
      expect(scanned.index.byteLength).toBeLessThanOrEqual(16 * (indexEntries + 1));
      const index = decodeLineIndex(scanned.index.buffer as ArrayBuffer);
      for (const item of [0, 1, 255, 256, 257, 5000, 19_998, 19_999]) await leadsTo(index, bytes, item);
    }
  });

  async function leadsTo(index: LineIndex, bytes: Uint8Array, item: number): Promise<void> {
    const start = index.before(item);
    expect(start.item).toBeLessThanOrEqual(item);
    const lines = await readAll(bytes.subarray(0, index.endOf(item)), {
      from: start.byte,
      windowBytes: 4096,
    });
    expect(lines[item - start.item]?.text).toBe(`item ${item}`);
  }
});
