/**
 * The rows of one run in item order, read from pieces of NDJSON a stretch at a time.
 *
 * Invariants: indexes ascend strictly, or the reader throws; never more is held than one piece and the row that
 * began before it. Bytes are handed out as they came: nothing is parsed but indexes.
 */
import { assert } from "../../core/assert.ts";
import { LF } from "../line.ts";
import { indexOfRow } from "./rowIndex.ts";

export class RowReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** End of the last whole row in `#bytes`. */
  #end = 0;
  /** Index of that row. */
  #lastIndex = -1;
  #isOver = false;
  /** Index of the next row, Infinity after the last; to be trusted while `isReady`. */
  nextIndex = -1;

  /** `pieces`: any cut of the rows, also within a row. */
  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** False: `fill` has to be called before anything else. */
  get isReady(): boolean {
    return this.#isOver || this.#at < this.#end;
  }

  /** Reads on until a whole row is there or none is left. Throws when the rows break off within one. */
  async fill(): Promise<void> {
    const kept = [this.#bytes.subarray(this.#at)];
    for (let lastEnd = -1; lastEnd < 0; ) {
      const next = await this.#pieces.next();
      if (next.done) {
        assert(sizeOf(kept) === 0, "every row is ended");
        this.#isOver = true;
        this.nextIndex = Number.POSITIVE_INFINITY;
        return;
      }
      kept.push(next.value);
      lastEnd = next.value.lastIndexOf(LF);
      if (lastEnd >= 0) this.#end = sizeOf(kept) - next.value.byteLength + lastEnd + 1;
    }
    this.#bytes = concatenated(kept);
    this.#at = 0;
    this.#advance();
    const lastStart = this.#end < 2 ? 0 : this.#bytes.lastIndexOf(LF, this.#end - 2) + 1;
    this.#lastIndex = indexOfRow(this.#bytes, lastStart);
  }

  /** Rows with an index below `bound` as far as they are read: at least one, for the next one is. */
  takeBelow(bound: number): Uint8Array {
    const from = this.#at;
    if (this.#lastIndex < bound) {
      this.#at = this.#end;
      this.nextIndex = this.#lastIndex;
    } else while (this.nextIndex < bound) this.skip();
    return this.#bytes.subarray(from, this.#at);
  }

  /** Passes over the next row. */
  skip(): void {
    this.#at = this.#bytes.indexOf(LF, this.#at) + 1;
    if (this.#at < this.#end) this.#advance();
  }

  /** Nothing more is wanted. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  #advance(): void {
    const index = indexOfRow(this.#bytes, this.#at);
    assert(index > this.nextIndex, "an item has one row, and rows come in item order");
    this.nextIndex = index;
  }
}

/** The pieces as one. */
export function concatenated(pieces: readonly Uint8Array[]): Uint8Array {
  const filled = pieces.filter((piece) => piece.byteLength > 0);
  if (filled.length === 1 && filled[0] !== undefined) return filled[0];
  const whole = new Uint8Array(sizeOf(filled));
  let at = 0;
  for (const piece of filled) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
}
