import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mergeRows } from "../../../src/storage/rows/mergeRows.ts";
import { RowReader } from "../../../src/storage/rows/rowReader.ts";

const line = (index: number, run: number, bytes = 0) =>
  `{"index":${index},"item":"i${index}","run":${run},"value":"${"x".repeat(bytes)}"}\n`;

/** The text in pieces of `size` bytes: rows are cut anywhere. */
async function* cut(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

interface TestRun {
  readonly indexes: readonly number[];
  readonly cutBytes: number;
}

async function merge(
  runs: readonly TestRun[],
  bytesOf: (index: number) => number = () => 0,
): Promise<string> {
  const texts = runs.map(({ indexes }, run) =>
    indexes.map((index) => line(index, run, bytesOf(index))).join(""),
  );
  const readers = texts.map((text, run) => new RowReader(cut(text, runs[run]?.cutBytes ?? 1)));
  let merged = "";
  for await (const piece of mergeRows(readers)) {
    expect(piece.at(-1)).toBe(0x0a);
    merged += new TextDecoder().decode(piece);
  }
  return merged;
}

/** What must come out, said the slow way. */
function expected(runs: readonly TestRun[], bytesOf: (index: number) => number = () => 0): string {
  const newest = new Map<number, number>();
  for (const [run, { indexes }] of runs.entries()) for (const index of indexes) newest.set(index, run);
  const order = [...newest].sort(([a], [b]) => a - b);
  return order.map(([index, run]) => line(index, run, bytesOf(index))).join("");
}

const run = (indexes: readonly number[], cutBytes = 50): TestRun => ({ indexes, cutBytes });

describe("merging the rows of a family", () => {
  test.each([
    ["no rows", [run([])]],
    ["one run", [run([0, 1, 2])]],
    ["a retry of two items", [run([0, 1, 2, 3, 4]), run([1, 3])]],
    ["a retry of a retry", [run([0, 1, 2, 3]), run([1, 2, 3]), run([2])]],
    ["a retry that went further than its parent", [run([0, 1]), run([1, 2, 3, 4])]],
    ["a retry of every item", [run([0, 1, 2]), run([0, 1, 2])]],
    ["retries that take turns", [run([0, 3, 6]), run([1, 4, 7]), run([2, 5, 8])]],
    ["a retry without a row", [run([0, 1]), run([])]],
  ])("%s: the newest row of every item, in item order", async (_, runs) => {
    expect(await merge(runs)).toBe(expected(runs));
  });

  const runs = fc
    .array(
      fc.record({
        indexes: fc.uniqueArray(fc.nat(60)).map((indexes) => indexes.sort((a, b) => a - b)),
        cutBytes: fc.integer({ min: 1, max: 400 }),
      }),
      { minLength: 1, maxLength: 5 },
    )
    .filter((family) => family.length > 0);

  test("holds for any family, wherever its bytes are cut", async () => {
    await fc.assert(
      fc.asyncProperty(runs, async (family) => {
        expect(await merge(family)).toBe(expected(family));
      }),
    );
  });

  test("rows larger than every piece and every window come out whole", async () => {
    const bytesOf = (index: number) => (index % 2 === 0 ? 200_000 : 10);
    const family = [run([0, 1, 2, 3], 16_384), run([1, 2], 16_384)];
    expect((await merge(family, bytesOf)) === expected(family, bytesOf)).toBe(true);
  });

  test.each([
    ["rows out of order", `${line(1, 0)}${line(0, 0)}`, "rows come in item order"],
    ["two rows for one item", `${line(1, 0)}${line(1, 0)}`, "an item has one row"],
    ["rows that break off", `${line(1, 0)}{"index":2`, "every row is ended"],
    ["what is not a row", "null\n", "a row begins with its index"],
  ])("%s end the stream with an error", async (_, text, message) => {
    const pieces = mergeRows([new RowReader(cut(text, 7))]);
    const all = async () => {
      for await (const _piece of pieces);
    };
    await expect(all()).rejects.toThrow(message);
  });

  test("whoever stops reading lets go of every run", async () => {
    let open = 0;
    async function* rows(from: number): AsyncGenerator<Uint8Array> {
      open++;
      try {
        for (let index = from; ; index += 2) yield new TextEncoder().encode(line(index, 0));
      } finally {
        open--;
      }
    }
    const pieces = mergeRows([new RowReader(rows(0)), new RowReader(rows(1))]);
    await pieces.next();
    expect(open).toBe(2);
    await pieces.return(undefined);
    expect(open).toBe(0);
  });
});
