/**
 * A sparse index of the lines of an upload: for some items the byte at which their line starts.
 *
 * Bounded whatever the size of the upload: when `LINE_INDEX_ENTRIES` is reached every second entry is dropped and
 * both strides double. So a seek skips at most one stride of bytes or items, about 1/32,768 of a large upload.
 *
 * Stored as doubles in pairs (item, byte), the first pair being the upload's totals (items, bytes).
 */
import { assert } from "../../core/assert.ts";
import { LINE_INDEX_ENTRIES, LINE_INDEX_STRIDE_BYTES, LINE_INDEX_STRIDE_ITEMS } from "../../core/limits.ts";

/** An item and the byte at which its line starts. */
export interface LineEntry {
  readonly item: number;
  readonly byte: number;
}

export interface LineIndex {
  /** Items in the upload. */
  readonly items: number;
  readonly bytes: number;
  /** The last entry at or before an item; the start of the upload when there is none. */
  before(item: number): LineEntry;
  /** A byte at or after the end of the item's line: where reading up to it can stop. */
  endOf(item: number): number;
}

/** Collects entries while an upload is scanned. */
export class LineIndexBuilder {
  readonly #entries: number;
  #strideBytes = LINE_INDEX_STRIDE_BYTES;
  #strideItems = LINE_INDEX_STRIDE_ITEMS;
  #pairs: number[] = [];
  /** The item and byte from which the next entry is due. */
  dueItem = 0;
  dueByte = 0;

  constructor(entries: number = LINE_INDEX_ENTRIES) {
    assert(entries >= 2, "an index can be halved");
    this.#entries = entries;
  }

  /** Takes an entry; called in ascending order, at least when `dueItem` or `dueByte` is reached. */
  add(item: number, byte: number): void {
    if (this.#pairs.length === 2 * this.#entries) this.#halve();
    if (item < this.dueItem && byte < this.dueByte) return;
    this.#pairs.push(item, byte);
    this.#nextDue(item, byte);
  }

  /** The index as stored. */
  encode(totals: { readonly items: number; readonly bytes: number }): Uint8Array {
    return new Uint8Array(new Float64Array([totals.items, totals.bytes, ...this.#pairs]).buffer);
  }

  #halve(): void {
    this.#pairs = this.#pairs.filter((_, i) => i % 4 < 2);
    this.#strideBytes *= 2;
    this.#strideItems *= 2;
    this.#nextDue(this.#pairs[this.#pairs.length - 2] ?? 0, this.#pairs[this.#pairs.length - 1] ?? 0);
  }

  #nextDue(item: number, byte: number): void {
    this.dueItem = item + this.#strideItems;
    this.dueByte = byte + this.#strideBytes;
  }
}

/** Reads a stored index. Throws on bytes that are none. */
export function decodeLineIndex(stored: ArrayBuffer): LineIndex {
  const pairs = new Float64Array(stored);
  const [items, bytes] = pairs;
  if (items === undefined || bytes === undefined || pairs.length % 2 !== 0)
    throw new Error("not a line index");
  const entry = (i: number): LineEntry => ({ item: pairs[2 * i] ?? 0, byte: pairs[2 * i + 1] ?? 0 });
  const count = pairs.length / 2;

  /** Number of the first entry above `item`, from 1; `count` when there is none. */
  function firstAbove(item: number): number {
    let low = 1;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (entry(middle).item > item) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  return {
    items,
    bytes,
    before(item) {
      const above = firstAbove(item);
      return above > 1 ? entry(above - 1) : { item: 0, byte: 0 };
    },
    endOf(item) {
      const above = firstAbove(item);
      return above < count ? entry(above).byte : bytes;
    },
  };
}
