/**
 * One pass over a stored upload as CSV: checks every record, counts them, builds the index of where they begin.
 *
 * The header is record zero and no item. What is refused names the line on which the record begins, as an editor
 * counts lines. Bounded: nothing of a record is held but its header.
 */
import { CsvMachine, type CsvStep, csvFields, csvRecordEnd } from "../../core/csv.ts";
import { MAX_LINE_BYTES } from "../../core/limits.ts";
import { bomBytes, CR, LF, textEnd } from "../line.ts";
import { LineIndexBuilder } from "./lineIndex.ts";
import type { Framing } from "./lineReader.ts";
import type { Scanned } from "./lineScanner.ts";

/** The upload is not CSV; the sentence names the line. */
export interface CsvRefused {
  readonly kind: "refused";
  readonly message: string;
}

/** How a reader cuts what this scanner counted. */
export const CSV_FRAMING: Framing = { endOf: csvRecordEnd, isBlank: isEmptyLine };

function isEmptyLine(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== CR) return false;
  return true;
}

export class CsvScanner {
  readonly #machine: CsvMachine;
  readonly #delimiter: string;
  readonly #index = new LineIndexBuilder();
  /** Bytes of the header's record, until it is complete. */
  #header: Uint8Array[] | null = [];
  #columns: readonly string[] = [];
  #items = 0;
  #bytes = 0;
  #line = 1;
  #recordLine = 1;
  #recordStart = 0;

  constructor(delimiter: string) {
    this.#machine = new CsvMachine(delimiter);
    this.#delimiter = delimiter;
  }

  /** Takes the next bytes, the first time three at least. A refusal is final. */
  push(bytes: Uint8Array): CsvRefused | null {
    const base = this.#bytes;
    const from = base === 0 ? bomBytes(bytes) : 0;
    this.#bytes += bytes.byteLength;
    let unread = from;
    for (let i = from; i < bytes.byteLength; i++) {
      const byte = bytes[i] as number;
      const step = this.#machine.take(byte);
      if (byte === LF) this.#line += 1;
      if (step === null) continue;
      this.#header?.push(bytes.slice(unread, i));
      const refused = this.#conclude(step);
      if (refused !== null) return refused;
      unread = i + 1;
      this.#recordStart = base + i + 1;
      this.#recordLine = this.#line;
    }
    if (this.#bytes - this.#recordStart > MAX_LINE_BYTES)
      return this.#refuse(`the record is longer than ${MAX_LINE_BYTES} bytes; is a quote not closed?`);
    this.#header?.push(bytes.slice(unread));
    return null;
  }

  /** The end of the upload: its totals and index, or why it cannot be used. */
  end(): Scanned | CsvRefused {
    const refused = this.#conclude(this.#machine.end());
    if (refused !== null) return refused;
    if (this.#header !== null) return { kind: "refused", message: "it has no header line" };
    const totals = { items: this.#items, bytes: this.#bytes };
    return { kind: "scanned", ...totals, index: this.#index.encode(totals) };
  }

  #conclude(step: CsvStep): CsvRefused | null {
    switch (step.kind) {
      case "malformed":
        return this.#refuse(step.message);
      case "blank":
        if (this.#header !== null) this.#header = [];
        return null;
      case "record":
        return this.#header === null ? this.#countRecord(step.fields) : this.#takeHeader(this.#header);
      default:
        return step satisfies never;
    }
  }

  #takeHeader(pieces: readonly Uint8Array[]): CsvRefused | null {
    this.#header = null;
    this.#columns = headerFields(pieces, this.#delimiter);
    const twice = this.#columns.find((name, n) => this.#columns.indexOf(name) !== n);
    if (twice === undefined) return null;
    return this.#refuse(`the header names the column ${JSON.stringify(twice.slice(0, 100))} twice`);
  }

  #countRecord(fields: number): CsvRefused | null {
    const columns = this.#columns.length;
    if (fields !== columns)
      return this.#refuse(`${fields} ${fields === 1 ? "field" : "fields"}, but the header names ${columns}`);
    if (this.#items >= this.#index.dueItem || this.#recordStart >= this.#index.dueByte)
      this.#index.add(this.#items, this.#recordStart);
    this.#items += 1;
    return null;
  }

  #refuse(what: string): CsvRefused {
    return { kind: "refused", message: `line ${this.#recordLine}: ${what}` };
  }
}

function headerFields(pieces: readonly Uint8Array[], delimiter: string): string[] {
  const length = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  const text = new TextDecoder().decode(bytes.subarray(0, textEnd(bytes, 0, length)));
  return csvFields(text, delimiter);
}
