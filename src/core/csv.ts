/**
 * CSV as RFC 4180 has it, told by a strict reader: fields between delimiters, a field in quotes may hold delimiters,
 * line ends and doubled quotes. A record ends with LF or CRLF outside quotes. A line with nothing on it is not a record.
 *
 * One state machine over bytes says where records end and what is wrong with them (`CsvMachine`); a record that it
 * let pass is taken apart as text (`csvFields`). The delimiter is one ASCII character, so bytes of UTF-8 never look
 * like it.
 */
import { assert } from "./assert.ts";

const QUOTE = 0x22;
const CR = 0x0d;
const LF = 0x0a;

type State = "start" | "plain" | "quoted" | "closed" | "closed-cr";

/** What the machine found at a byte: nothing, the end of a record of so many fields, or what is wrong. */
export type CsvStep =
  | { readonly kind: "record"; readonly fields: number }
  | { readonly kind: "blank" }
  | { readonly kind: "malformed"; readonly message: string };

const BLANK: CsvStep = { kind: "blank" };

/** Reads records byte by byte; holds nothing of them. */
export class CsvMachine {
  readonly #delimiter: number;
  #state: State = "start";
  #fields = 1;
  /** Nothing but CRs so far in this record. */
  #isBlank = true;

  constructor(delimiter: string) {
    this.#delimiter = delimiter.charCodeAt(0);
  }

  /** Takes one byte; null while the record goes on. After "malformed" the machine is of no use. */
  take(byte: number): CsvStep | null {
    if (this.#state === "quoted") {
      if (byte === QUOTE) this.#state = "closed";
      return null;
    }
    if (byte === LF) return this.#endRecord();
    if (byte === this.#delimiter) {
      if (this.#state === "closed-cr") return AFTER_QUOTE;
      this.#fields += 1;
      this.#state = "start";
      this.#isBlank = false;
      return null;
    }
    return byte === QUOTE ? this.#quote() : this.#other(byte);
  }

  /** The end of the input: the last record may lack its line end. */
  end(): CsvStep {
    if (this.#state === "quoted") return { kind: "malformed", message: "a quoted field is not closed" };
    return this.#endRecord();
  }

  #endRecord(): CsvStep {
    const step: CsvStep = this.#isBlank ? BLANK : { kind: "record", fields: this.#fields };
    this.#state = "start";
    this.#fields = 1;
    this.#isBlank = true;
    return step;
  }

  #quote(): CsvStep | null {
    this.#isBlank = false;
    if (this.#state === "plain" || this.#state === "closed-cr") return INSIDE_FIELD;
    this.#state = "quoted";
    return null;
  }

  #other(byte: number): CsvStep | null {
    if (this.#state === "closed" || this.#state === "closed-cr") {
      if (byte !== CR || this.#state === "closed-cr") return AFTER_QUOTE;
      this.#state = "closed-cr";
      return null;
    }
    this.#state = "plain";
    if (byte !== CR) this.#isBlank = false;
    return null;
  }
}

const AFTER_QUOTE: CsvStep = {
  kind: "malformed",
  message: "after the quote that closes a field only a delimiter or the line's end may stand",
};
const INSIDE_FIELD: CsvStep = {
  kind: "malformed",
  message: 'a quote stands inside a field that is not quoted; accepted is "a ""quoted"" field"',
};

/** Where the record that begins at `from` ends: the byte of its LF, or -1 when it is not all there. */
export function csvRecordEnd(bytes: Uint8Array, from: number): number {
  let isQuoted = false;
  for (let i = from; i < bytes.byteLength; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) isQuoted = !isQuoted;
    else if (byte === LF && !isQuoted) return i;
  }
  return -1;
}

/** The fields of one well-formed record, without its line end. */
export function csvFields(record: string, delimiter: string): string[] {
  const fields: string[] = [];
  for (let at = 0; ; ) {
    if (record[at] !== '"') {
      const end = record.indexOf(delimiter, at);
      if (end < 0) return [...fields, record.slice(at)];
      fields.push(record.slice(at, end));
      at = end + 1;
      continue;
    }
    const close = closingQuote(record, at + 1);
    fields.push(record.slice(at + 1, close).replaceAll('""', '"'));
    if (close + 1 >= record.length) return fields;
    assert(record[close + 1] === delimiter, "a record was checked before it is taken apart");
    at = close + 2;
  }
}

/** Where the quote stands that closes the field whose text begins at `from`. */
function closingQuote(record: string, from: number): number {
  for (let at = from; ; at += 2) {
    at = record.indexOf('"', at);
    assert(at >= 0, "a quoted field of a checked record is closed");
    if (record[at + 1] !== '"') return at;
  }
}
