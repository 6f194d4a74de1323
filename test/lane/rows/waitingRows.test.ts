import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rowsOf, WaitingRows } from "../../../src/lane/rows/waitingRows.ts";
import { encodePart, type PartRow, spanOf, usageOfRows } from "../../../src/storage/rows/parts.ts";

const anyRow = fc
  .record({
    index: fc.nat({ max: 2 ** 40 }),
    ok: fc.boolean(),
    item: fc.string({ unit: "binary", maxLength: 30 }),
    usage: fc.option(fc.record({ inputTokens: fc.nat(), outputTokens: fc.nat() }), { nil: undefined }),
  })
  .map(({ index, ok, item, usage }): PartRow => {
    const told = usage === undefined ? {} : { usage };
    return { index, ok, line: JSON.stringify({ index, item, ok, ...told }), ...told };
  });
const anyRows = fc.uniqueArray(anyRow, { maxLength: 40, selector: ({ index }) => index });

function waiting(rows: readonly PartRow[]): WaitingRows {
  const rest = new WaitingRows();
  for (const row of rows) rest.add(row);
  return rest;
}

describe("rows that wait for their part", () => {
  test("come out as the part that their sorted lines make, with what a commit says of them", () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const sorted = [...rows].sort((a, b) => a.index - b.index);
        const cut = waiting(rows).take();
        if (rows.length === 0)
          expect(cut).toEqual({ bytes: new Uint8Array(0), span: null, usage: undefined });
        else expect(cut.bytes).toEqual(encodePart(sorted));
        expect(rowsOf(cut)).toEqual(sorted);
        expect(cut.span).toEqual(rows.length === 0 ? null : spanOf(sorted));
        expect(cut.usage).toEqual(usageOfRows(rows));
      }),
    );
  });

  test("are counted, and weigh what the part will", () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const rest = waiting(rows);
        expect(rest.count).toBe(rows.length);
        expect(rest.byteLength).toBe(rows.length === 0 ? 0 : encodePart(rows).byteLength);
      }),
    );
  });

  test("leave nothing behind for the next part, and what was taken stays as it is", () => {
    fc.assert(
      fc.property(anyRows, anyRows, (first, second) => {
        const rest = waiting(first);
        const before = rest.take();
        const kept = before.bytes.slice();
        for (const row of second) rest.add(row);
        expect(rest.take()).toEqual(waiting(second).take());
        expect(before.bytes).toEqual(kept);
        expect(rest.take().span).toBeNull();
      }),
    );
  });

  test("may be long", () => {
    const rows = [1, 0].map((index) => ({ index, ok: true, line: `"${"ö".repeat(100_000 + index)}"` }));
    expect(waiting(rows).take().bytes).toEqual(encodePart([...rows].reverse()));
  });
});
