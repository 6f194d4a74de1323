import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PartMeta } from "../../../src/core/protocol.ts";
import { releaseBytes } from "../../../src/storage/bucket/releaseBytes.ts";
import { type JoinMark, joinParts } from "../../../src/storage/rows/joinParts.ts";
import { describePart, encodePart, type PartRow } from "../../../src/storage/rows/parts.ts";

interface Written {
  readonly meta: PartMeta;
  readonly bytes: Uint8Array;
}

const row = (index: number): PartRow => ({
  index,
  ok: true,
  line: `{"index":${index},"item":"i${index}","ok":true}`,
});

function part(chunk: number, n: number, indexes: readonly number[]): Written {
  const rows = [...indexes].sort((a, b) => a - b).map(row);
  const bytes = encodePart(rows);
  const key = `${chunk}/${n}`;
  return { meta: describePart({ chunk, n, key, rows, bytes: bytes.byteLength, sha256: "" }), bytes };
}

interface Outcome {
  readonly text: string;
  readonly marks: readonly { readonly after: JoinMark; readonly rows: number; readonly bytes: number }[];
}

/** Joins the parts that come after `after`. */
async function join(parts: readonly Written[], after: JoinMark | null = null): Promise<Outcome> {
  const left = parts.filter(
    ({ meta }) =>
      after === null || meta.chunk > after.chunk || (meta.chunk === after.chunk && meta.n > after.n),
  );
  async function* metas() {
    for (const { meta } of left) yield meta;
  }
  const fetch = async (meta: PartMeta) => {
    const found = parts.find((p) => p.meta.key === meta.key);
    if (found === undefined) throw new Error("missing");
    return found.bytes.slice();
  };
  let text = "";
  let released = 0;
  const marks = [];
  const pieces = joinParts(metas(), fetch, (bytes) => {
    released += 1;
    releaseBytes(bytes);
  });
  for await (const piece of pieces) {
    if (piece.kind === "bytes") text += new TextDecoder().decode(piece.bytes);
    else marks.push({ after: piece.after, rows: piece.rows, bytes: text.length });
  }
  expect(released).toBe(left.length);
  return { text, marks };
}

const lines = (indexes: readonly number[]) => indexes.map((index) => `${row(index).line}\n`).join("");
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

describe("joining parts", () => {
  test.each([
    ["nothing", []],
    ["one part", [part(0, 0, [0, 1, 2])]],
    ["parts one after the other", [part(0, 0, [0, 1]), part(0, 1, [2]), part(1, 0, [3, 4])]],
    ["a deferred item at the end", [part(0, 0, [0, 2, 3]), part(0, 1, [4, 5]), part(0, 2, [1])]],
    ["deferred items all over", [part(0, 0, [1, 5, 9]), part(0, 1, [0, 6, 8]), part(0, 2, [2, 3, 4, 7])]],
    ["a chunk that follows an interleaved one", [part(0, 0, [1]), part(0, 1, [0, 2]), part(1, 0, [3])]],
  ])("%s comes out in item order", async (_what, parts) => {
    const count = parts.reduce((sum, { meta }) => sum + meta.ok, 0);
    expect((await join(parts)).text).toBe(lines(upTo(count)));
  });

  test("two rows for one item are never joined", async () => {
    await expect(join([part(0, 0, [0, 1, 2]), part(0, 1, [1])])).rejects.toThrow("an item has one row");
  });

  test("a part that is missing ends the join", async () => {
    async function* metas() {
      yield part(0, 0, [0]).meta;
    }
    const broken = joinParts(metas(), () => Promise.reject(new Error("missing")));
    await expect(broken.next()).rejects.toThrow("missing");
  });

  /** Chunks of `sizes` items whose items are dealt to parts as `deal` says, mostly in order. */
  const dealt = fc
    .array(fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 25 }), {
      minLength: 1,
      maxLength: 4,
    })
    .map((chunks) => {
      const parts: Written[] = [];
      let first = 0;
      for (const [chunk, late] of chunks.entries()) {
        const byPart = new Map<number, number[]>();
        for (const [i, delay] of late.entries()) {
          const turn = Math.floor(i / 5) + (delay === 4 ? 3 : 0);
          byPart.set(turn, [...(byPart.get(turn) ?? []), first + i]);
        }
        const turns = [...byPart.keys()].sort((a, b) => a - b);
        for (const [n, turn] of turns.entries()) parts.push(part(chunk, n, byPart.get(turn) ?? []));
        first += late.length;
      }
      return { parts, items: first };
    });

  test("every row comes out once and in order, and from every mark the rest can be made again", async () => {
    await fc.assert(
      fc.asyncProperty(dealt, async ({ parts, items }) => {
        const whole = await join(parts);
        expect(whole.text).toBe(lines(upTo(items)));
        expect(whole.marks.at(-1)?.rows).toBe(items);
        for (const mark of whole.marks) {
          expect(whole.text.slice(0, mark.bytes)).toBe(lines(upTo(mark.rows)));
          const rest = await join(parts, mark.after);
          expect(rest.text).toBe(whole.text.slice(mark.bytes));
        }
      }),
    );
  });
});
