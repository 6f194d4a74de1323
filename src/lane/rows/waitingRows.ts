/**
 * Rows that wait for their part, as the bytes that they will be there.
 *
 * A lane's rows wait for half a minute, thousands of them in one heap. As objects with strings they were a quarter of
 * what each full collection of garbage had to mark, while no call left (docs/design/rows.md); here
 * each lane has one buffer and two lists of numbers.
 */
import { addUsage, type Usage } from "../../core/usage.ts";
import { decodePart, type PartRow, type RowSpan } from "../../storage/rows/parts.ts";

/** Rows taken out for a part. */
export interface CutRows {
  /** Sorted by index, each with its line end. */
  readonly bytes: Uint8Array;
  /** Null without rows. */
  readonly span: RowSpan | null;
  /** Of the rows together; undefined where none told of any. */
  readonly usage: Usage | undefined;
}

/** Bytes of the first buffer of a lane. */
const FIRST_BYTES = 4096;
/** A larger buffer is not kept for the next part. */
const KEPT_BYTES = 1 << 16;
/** UTF-8 of one unit of UTF-16 at most. */
const MOST_BYTES_PER_CHAR = 3;
const LINE_END = 10;

const encoder = new TextEncoder();

export class WaitingRows {
  #buffer = new Uint8Array(0);
  #byteLength = 0;
  #indexes: number[] = [];
  /** Where each row ends in the buffer. */
  #ends: number[] = [];
  #ok = 0;
  #usage: Usage | undefined;

  get count(): number {
    return this.#indexes.length;
  }

  /** Bytes of the part that these rows would be. */
  get byteLength(): number {
    return this.#byteLength;
  }

  add({ index, ok, line, usage }: PartRow): void {
    this.#reserve(line.length * MOST_BYTES_PER_CHAR + 1);
    const { written } = encoder.encodeInto(line, this.#buffer.subarray(this.#byteLength));
    this.#byteLength += written;
    this.#buffer[this.#byteLength++] = LINE_END;
    this.#indexes.push(index);
    this.#ends.push(this.#byteLength);
    if (ok) this.#ok += 1;
    if (usage !== undefined) this.#usage = this.#usage === undefined ? usage : addUsage(this.#usage, usage);
  }

  /** All of them; afterwards none waits. */
  take(): CutRows {
    const order = this.#indexes.map((_, row) => row);
    order.sort((a, b) => (this.#indexes[a] ?? 0) - (this.#indexes[b] ?? 0));
    const bytes = new Uint8Array(this.#byteLength);
    let at = 0;
    for (const row of order) {
      const piece = this.#buffer.subarray(row === 0 ? 0 : this.#ends[row - 1], this.#ends[row]);
      bytes.set(piece, at);
      at += piece.byteLength;
    }
    const cut = { bytes, span: this.#span(order), usage: this.#usage };
    this.#forget();
    return cut;
  }

  #span(order: readonly number[]): RowSpan | null {
    const [first, last] = [order[0], order.at(-1)];
    if (first === undefined || last === undefined) return null;
    return {
      firstIndex: this.#indexes[first] ?? 0,
      lastIndex: this.#indexes[last] ?? 0,
      ok: this.#ok,
      failed: order.length - this.#ok,
    };
  }

  #forget(): void {
    if (this.#buffer.byteLength > KEPT_BYTES) this.#buffer = new Uint8Array(0);
    this.#byteLength = 0;
    this.#indexes = [];
    this.#ends = [];
    this.#ok = 0;
    this.#usage = undefined;
  }

  #reserve(bytes: number): void {
    const needed = this.#byteLength + bytes;
    if (needed <= this.#buffer.byteLength) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.byteLength, FIRST_BYTES));
    larger.set(this.#buffer.subarray(0, this.#byteLength));
    this.#buffer = larger;
  }
}

/** The rows again, one by one. */
export function rowsOf({ bytes }: CutRows): readonly PartRow[] {
  return decodePart(bytes);
}
