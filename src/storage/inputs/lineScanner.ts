/**
 * One pass over the bytes of an upload: counts items, checks every line, builds the line index.
 *
 * A plain state machine over bytes, because two million short lines must take milliseconds: nothing is decoded
 * and nothing allocated per line. UTF-8 is checked byte by byte (RFC 3629: no overlong forms, no surrogates,
 * nothing above U+10FFFF), which names the line exactly.
 */
import { MAX_LINE_BYTES } from "../../core/limits.ts";
import { bomBytes, CR, LF, SPACE, TAB } from "../line.ts";
import type { Refusal } from "../refusal.ts";
import { LineIndexBuilder } from "./lineIndex.ts";

/** Totals of a whole upload, with its encoded index. */
export interface Scanned {
  readonly kind: "scanned";
  readonly items: number;
  readonly bytes: number;
  readonly index: Uint8Array;
}

export class LineScanner {
  readonly #index: LineIndexBuilder;
  readonly #maxLineBytes: number;
  #items = 0;
  #bytes = 0;
  /** Number of the line being read, from 1. */
  #line = 1;
  #lineStart = 0;
  #hasText = false;
  /** Continuation bytes still to come, and the range allowed for the next one. */
  #need = 0;
  #low = 0x80;
  #high = 0xbf;
  #start: Uint8Array | null = new Uint8Array(0);

  constructor(options: { readonly maxLineBytes?: number; readonly indexEntries?: number } = {}) {
    this.#maxLineBytes = options.maxLineBytes ?? MAX_LINE_BYTES;
    this.#index = new LineIndexBuilder(options.indexEntries);
  }

  /** Takes the next bytes. A refusal is final. */
  push(bytes: Uint8Array): Refusal | null {
    if (this.#start === null) return this.#scan(bytes, 0);
    // The first bytes are held until a BOM can be told.
    const start = joined(this.#start, bytes);
    if (start.byteLength < 3) {
      this.#start = start;
      return null;
    }
    this.#start = null;
    return this.#scan(start, bomBytes(start));
  }

  /** The end of the upload: its totals, or why it cannot be used. */
  end(): Scanned | Refusal {
    if (this.#start !== null) {
      const refusal = this.#scan(this.#start, 0);
      this.#start = null;
      if (refusal !== null) return refusal;
    }
    if (this.#need > 0) return this.#badUtf8();
    this.#endLine();
    if (this.#items === 0) return { kind: "refused", code: "invalid", path: "body", message: EMPTY };
    const totals = { items: this.#items, bytes: this.#bytes };
    return { kind: "scanned", ...totals, index: this.#index.encode(totals) };
  }

  #scan(bytes: Uint8Array, from: number): Refusal | null {
    const base = this.#bytes;
    this.#bytes += bytes.byteLength;
    for (let i = from; i < bytes.byteLength; i++) {
      const byte = bytes[i] as number;
      if (this.#need > 0 || byte >= 0x80) {
        if (!this.#isUtf8(byte)) return this.#badUtf8();
        this.#hasText = true;
      } else if (byte > SPACE) {
        this.#hasText = true;
      } else if (byte === LF) {
        if (base + i - this.#lineStart > this.#maxLineBytes) return this.#tooLong();
        this.#endLine();
        this.#line++;
        this.#lineStart = base + i + 1;
      } else if (byte === 0) {
        return this.#refuse("invalid", "contains a NUL byte: the input must be UTF-8 text, one item a line");
      } else if (byte !== SPACE && byte !== TAB && byte !== CR) {
        this.#hasText = true;
      }
    }
    return this.#bytes - this.#lineStart > this.#maxLineBytes ? this.#tooLong() : null;
  }

  #endLine(): void {
    if (!this.#hasText) return;
    const index = this.#index;
    if (this.#items >= index.dueItem || this.#lineStart >= index.dueByte) {
      index.add(this.#items, this.#lineStart);
    }
    this.#items++;
    this.#hasText = false;
  }

  /** One step of RFC 3629's table. */
  #isUtf8(byte: number): boolean {
    if (this.#need > 0) {
      if (byte < this.#low || byte > this.#high) return false;
      this.#need--;
      this.#low = 0x80;
      this.#high = 0xbf;
      return true;
    }
    if (byte < 0xc2 || byte > 0xf4) return false;
    this.#need = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    this.#low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    this.#high = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    return true;
  }

  #badUtf8(): Refusal {
    return this.#refuse("invalid", "is not valid UTF-8");
  }

  #tooLong(): Refusal {
    return this.#refuse("too_large", `is longer than ${this.#maxLineBytes} bytes`);
  }

  #refuse(code: Refusal["code"], what: string): Refusal {
    return { kind: "refused", code, path: "body", message: `line ${this.#line} ${what}` };
  }
}

const EMPTY = "the input holds no item: at least one line that is not blank is needed";

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.byteLength === 0) return b;
  const both = new Uint8Array(a.byteLength + b.byteLength);
  both.set(a);
  both.set(b, a.byteLength);
  return both;
}
