/**
 * The ledger's port in memory: the model that the Run object's SQLite is held against, and the simulator's.
 *
 * Finding the next chunk costs nothing worth counting however many there are: pending chunks that wait are kept
 * apart, and fresh ones are looked for from the lowest number that may still be one.
 */

import type { PartMeta } from "../protocol.ts";
import { type ChunkRecord, type Ledger, PARKED_MS } from "./ledger.ts";

export interface StoredPart {
  readonly part: PartMeta;
  readonly seq: number;
  indexed: boolean;
}

export class MemoryLedger implements Ledger {
  readonly chunks: ChunkRecord[] = [];
  readonly parts = new Map<string, StoredPart>();
  /** Pending chunks with an instant before which they are not to be leased. */
  readonly #waiting = new Set<number>();
  /** No chunk below this is pending and fresh. */
  #freshFrom = 0;

  get(chunk: number): ChunkRecord | undefined {
    const record = this.chunks[chunk];
    return record === undefined ? undefined : { ...record };
  }

  put(record: ChunkRecord): void {
    const { chunk } = record;
    this.chunks[chunk] = { ...record };
    if (record.state === "pending" && record.availableAtMs > 0) this.#waiting.add(chunk);
    else this.#waiting.delete(chunk);
    if (isFresh(record)) this.#freshFrom = Math.min(this.#freshFrom, chunk);
  }

  nextAvailable(nowMs: number, withCareful: boolean): ChunkRecord | undefined {
    const next = this.#longestDue(nowMs, withCareful) ?? this.#firstFresh(withCareful);
    return next === undefined ? undefined : { ...next };
  }

  nextAvailableAtMs(): number | null {
    let next: number | null = null;
    for (const chunk of this.#waiting) {
      const { availableAtMs } = this.chunks[chunk]!;
      if (next === null || availableAtMs < next) next = availableAtMs;
    }
    return next;
  }

  waitingBeyond(atMs: number, limit: number): readonly ChunkRecord[] {
    const waiting = [...this.#waiting].map((chunk) => this.chunks[chunk]!);
    const beyond = waiting.filter(({ availableAtMs }) => availableAtMs > atMs && availableAtMs < PARKED_MS);
    return beyond.slice(0, limit).map((record) => ({ ...record }));
  }

  addPart(part: PartMeta, seq: number, indexed: boolean): void {
    this.parts.set(`${part.chunk}/${part.n}`, { part, seq, indexed });
  }

  markIndexed(chunk: number, n: number): boolean {
    const stored = this.parts.get(`${chunk}/${n}`);
    if (stored === undefined || stored.indexed) return false;
    stored.indexed = true;
    return true;
  }

  #longestDue(nowMs: number, withCareful: boolean): ChunkRecord | undefined {
    let longest: ChunkRecord | undefined;
    for (const chunk of this.#waiting) {
      const record = this.chunks[chunk]!;
      if (record.availableAtMs > nowMs || (record.careful && !withCareful)) continue;
      if (longest === undefined || isBefore(record, longest)) longest = record;
    }
    return longest;
  }

  #firstFresh(withCareful: boolean): ChunkRecord | undefined {
    const { chunks } = this;
    while (this.#freshFrom < chunks.length && !isFresh(chunks[this.#freshFrom])) this.#freshFrom += 1;
    for (let chunk = this.#freshFrom; chunk < chunks.length; chunk++) {
      const record = chunks[chunk];
      if (isFresh(record) && (withCareful || !record.careful)) return record;
    }
    return undefined;
  }
}

function isFresh(record: ChunkRecord | undefined): record is ChunkRecord {
  return record?.state === "pending" && record.availableAtMs === 0;
}

/** Due longer, then the lower number. */
function isBefore(a: ChunkRecord, b: ChunkRecord): boolean {
  return a.availableAtMs < b.availableAtMs || (a.availableAtMs === b.availableAtMs && a.chunk < b.chunk);
}
