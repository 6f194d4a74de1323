import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CsvMachine, type CsvStep, csvFields, csvRecordEnd } from "../../src/core/csv.ts";
import { CsvScanner } from "../../src/storage/inputs/csvScanner.ts";
import { decodeLineIndex } from "../../src/storage/inputs/lineIndex.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Records as the machine and the reader tell them; a string: what is wrong. */
function records(text: string, delimiter: string): string[][] | string {
  const bytes = bytesOf(text);
  const machine = new CsvMachine(delimiter);
  const found: string[][] = [];
  let from = 0;
  const conclude = (step: CsvStep | null, to: number): string | null => {
    if (step?.kind === "malformed") return step.message;
    if (step?.kind === "record") {
      expect(csvRecordEnd(bytes, from)).toBe(to < bytes.length ? to : -1);
      const record = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
        bytes.subarray(from, to),
      );
      const fields = csvFields(record.replace(/\r+$/, ""), delimiter);
      expect(fields).toHaveLength(step.fields);
      found.push(fields);
    }
    if (step !== null) from = to + 1;
    return null;
  };
  for (const [i, byte] of bytes.entries()) {
    const wrong = conclude(machine.take(byte), i);
    if (wrong !== null) return wrong;
  }
  return conclude(machine.end(), bytes.length) ?? found;
}

/** The same by csv-parse; null: it refuses. */
function theirs(text: string, delimiter: string): string[][] | null {
  try {
    const options = { delimiter, record_delimiter: ["\r\n", "\n"], skip_empty_lines: true };
    return parse(text, { ...options, relax_column_count: true });
  } catch {
    return null;
  }
}

const delimiters = fc.constantFrom(",", ";", "\t", "|");

describe("csv", () => {
  test("what is written by the rules is read as csv-parse reads it, and as it was written", () => {
    const field = fc.string({
      unit: fc.constantFrom("a", "é", "😀", '"', ",", ";", "\n", "\r\n", " ", "|", "\t"),
    });
    const table = fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { maxLength: 6 });
    fc.assert(
      fc.property(
        table,
        delimiters,
        fc.constantFrom("\n", "\r\n"),
        fc.boolean(),
        (rows, delimiter, end, ends) => {
          const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
          const written = (text: string) => (/^[aé😀 ]*$/u.test(text) ? text : quoted(text));
          const text = rows.map((row) => row.map(written).join(delimiter)).join(end) + (ends ? end : "");
          expect(records(text, delimiter)).toEqual(rows);
          expect(theirs(text, delimiter)).toEqual(rows);
        },
      ),
    );
  });

  test("any text is read as csv-parse reads it, and refused where csv-parse refuses it", () => {
    const text = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r\n", " ", "é") });
    fc.assert(
      fc.property(text, (given) => {
        const ours = records(given, ",");
        const expected = theirs(given, ",");
        if (expected === null) expect(typeof ours).toBe("string");
        else expect(ours).toEqual(expected);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("scanning CSV", () => {
  const scan = (text: string, cut = text.length) => {
    const scanner = new CsvScanner(",");
    const bytes = bytesOf(text);
    for (let from = 0; from < bytes.length; from += cut) {
      const refused = scanner.push(bytes.subarray(from, from + cut));
      if (refused !== null) return refused;
    }
    return scanner.end();
  };

  test("counts the records below the header and says where the first begins, however it is cut", () => {
    const text = '\uFEFFid,note\r\n1,"a\nb"\r\n\r\n2,c';
    for (const cut of [3, 5, 100]) {
      const scanned = scan(text, cut);
      if (scanned.kind === "refused") throw new Error(scanned.message);
      const index = decodeLineIndex(scanned.index.slice().buffer);
      expect([index.items, index.bytes]).toEqual([2, bytesOf(text).length]);
      expect(index.before(0)).toEqual({ item: 0, byte: bytesOf("\uFEFFid,note\r\n").length });
    }
  });

  test.each([
    ["id,note\n1,a\n2\n", "line 3: 1 field, but the header names 2"],
    ['id,note\n1,"a\nb\nc"\n2,c,d\n', "line 5: 3 fields, but the header names 2"],
    ['id,note\n1,a"b\n', "line 2: a quote stands inside a field"],
    ['id,note\n1,"a"b\n', "line 2: after the quote that closes a field"],
    ['id,note\n1,a\n2,"b\n3,c\n', "line 3: a quoted field is not closed"],
    ["id,id\n1,a\n", 'line 1: the header names the column "id" twice'],
    ["\n\r\n", "it has no header line"],
  ])("%j is refused: %s", (text, message) => {
    const refused = scan(text);
    expect(refused.kind).toBe("refused");
    expect(refused.kind === "refused" && refused.message).toContain(message);
  });

  test("a quote that is never closed is refused before the rest of the upload is read", () => {
    const scanner = new CsvScanner(",");
    let refused = scanner.push(bytesOf('a\n"'));
    for (let pushed = 0; refused === null && pushed < 3; pushed++)
      refused = scanner.push(new Uint8Array(600_000).fill(0x61));
    expect(refused?.message).toContain("line 2: the record is longer than 1000000 bytes");
  });
});
