/**
 * Joining parts in item order. Rows of deferred items stand in a later part of their chunk, so parts of a chunk
 * may overlap: this is a sweep over parts by their first index. Parts that nothing overlaps pass through unread.
 *
 * Memory: the parts that overlap at one index. A part reaches back only for items that were deferred, of which a
 * chunk has at most `DEFERRED_PER_CHUNK` at once, so that many small parts at worst, two as a rule.
 */
import { assert } from "../../core/assert.ts";
import { PARTS_AHEAD } from "../../core/limits.ts";
import type { PartMeta } from "../../core/protocol.ts";
import { fetchAhead } from "../bucket/fetchAhead.ts";
import { LF } from "../line.ts";
import { indexOfRow } from "./rowIndex.ts";

/** The last part below which all parts are wholly out, of all chunks up to it. */
export interface JoinMark {
  readonly chunk: number;
  readonly n: number;
}

export type Joined =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** Everything up to here can be left out by a later join that begins after `after`; `rows` since the start. */
  | { readonly kind: "mark"; readonly after: JoinMark; readonly rows: number };

/** A part on its turn; `closes` when with it all parts of its chunk up to that one have had their turn. */
interface Turn {
  readonly part: PartMeta;
  readonly closes: JoinMark | null;
}

/**
 * The rows of `parts` (in chunk order, then by n) in item order, as bytes. Ends with a mark. Throws when a part
 * cannot be fetched (one that is fetched as null is left out), and when two rows have the same index: then a promise of the run is broken.
 * `release` gets the bytes of each part back once the next piece was asked for after its last.
 */
export async function* joinParts(
  parts: AsyncIterable<PartMeta>,
  fetch: (part: PartMeta) => Promise<Uint8Array | null>,
  release: (bytes: Uint8Array) => void = () => {},
): AsyncGenerator<Joined> {
  let open: OpenPart[] = [];
  let closed: JoinMark | null = null;
  let rows = 0;
  let last = -1;
  let chunk = -1;
  for await (const { of: turn, result } of fetchAhead(turns(parts), PARTS_AHEAD, (t) => fetch(t.part))) {
    const { part, closes } = turn;
    for (const [from, bytes] of rowsBelow(open, part.chunk === chunk ? part.firstIndex : END)) {
      last = ascending(last, from);
      yield { kind: "bytes", bytes };
    }
    for (const ended of open) if (ended.isAtEnd()) release(ended.bytes);
    open = open.filter((o) => !o.isAtEnd());
    if (open.length === 0 && closed !== null) yield { kind: "mark", after: closed, rows };
    if (result !== null) {
      open.push(new OpenPart(part, result));
      rows += part.ok + part.failed;
    }
    closed = closes;
    chunk = part.chunk;
  }
  for (const [from, bytes] of rowsBelow(open, END)) {
    last = ascending(last, from);
    yield { kind: "bytes", bytes };
  }
  for (const ended of open) release(ended.bytes);
  if (closed !== null) yield { kind: "mark", after: closed, rows };
}

const END = Number.POSITIVE_INFINITY;

/** Rows of open parts with an index below `bound`, in order, as (first index, bytes). */
function* rowsBelow(open: readonly OpenPart[], bound: number): Generator<[number, Uint8Array]> {
  for (;;) {
    const ahead = open.filter((part) => !part.isAtEnd() && part.nextIndex < bound);
    const first = ahead.reduce<OpenPart | null>(
      (a, b) => (a === null || b.nextIndex < a.nextIndex ? b : a),
      null,
    );
    if (first === null) return;
    const others = open.filter((part) => part !== first && !part.isAtEnd());
    const from = first.nextIndex;
    yield [from, first.takeBelow(Math.min(bound, ...others.map((part) => part.nextIndex)))];
  }
}

function ascending(last: number, next: number): number {
  assert(next > last, "an item has one row");
  return next;
}

/** The rows of a part that are not out yet. */
class OpenPart {
  readonly #lastIndex: number;
  readonly bytes: Uint8Array;
  #at = 0;
  nextIndex: number;

  constructor(part: PartMeta, bytes: Uint8Array) {
    this.nextIndex = part.firstIndex;
    this.#lastIndex = part.lastIndex;
    this.bytes = bytes;
  }

  isAtEnd(): boolean {
    return this.#at >= this.bytes.byteLength;
  }

  /** Rows with an index below `bound`; at least one, for the next one is. */
  takeBelow(bound: number): Uint8Array {
    const from = this.#at;
    if (this.#lastIndex < bound) this.#at = this.bytes.byteLength;
    while (!this.isAtEnd() && (this.#at === from || this.nextIndex < bound)) {
      this.#at = this.bytes.indexOf(LF, this.#at) + 1;
      assert(this.#at > 0, "every line of a part is ended");
      if (!this.isAtEnd()) this.nextIndex = indexOfRow(this.bytes, this.#at);
    }
    return this.bytes.subarray(from, this.#at);
  }
}

/** The parts of each chunk by their first index. */
async function* turns(parts: AsyncIterable<PartMeta>): AsyncGenerator<Turn> {
  let chunk: PartMeta[] = [];
  for await (const part of parts) {
    if (chunk[0] !== undefined && chunk[0].chunk !== part.chunk) {
      yield* turnsOf(chunk);
      chunk = [];
    }
    chunk.push(part);
  }
  yield* turnsOf(chunk);
}

function* turnsOf(chunk: readonly PartMeta[]): Generator<Turn> {
  const firstN = chunk[0]?.n ?? 0;
  let highest = -1;
  for (const [i, part] of [...chunk].sort((a, b) => a.firstIndex - b.firstIndex).entries()) {
    highest = Math.max(highest, part.n);
    const closes = highest === firstN + i ? { chunk: part.chunk, n: highest } : null;
    yield { part, closes };
  }
}
