/** The ledger's port in memory: the model that the Run object's SQLite is held against, and the simulator's. */
import type { ChunkRecord, Ledger } from "./ledger.ts";
import type { PartMeta } from "./protocol.ts";

export interface StoredPart {
  readonly part: PartMeta;
  readonly seq: number;
  indexed: boolean;
}

export class MemoryLedger implements Ledger {
  readonly chunks: ChunkRecord[] = [];
  readonly parts = new Map<string, StoredPart>();

  get(chunk: number): ChunkRecord | undefined {
    const record = this.chunks[chunk];
    return record === undefined ? undefined : { ...record };
  }

  put(record: ChunkRecord): void {
    this.chunks[record.chunk] = { ...record };
  }

  nextAvailable(nowMs: number, withCareful: boolean): ChunkRecord | undefined {
    const free = this.chunks.filter(
      (record) => record.state === "pending" && (withCareful || !record.careful),
    );
    const waited = free.filter((record) => record.availableAtMs > 0 && record.availableAtMs <= nowMs);
    waited.sort((a, b) => a.availableAtMs - b.availableAtMs || a.chunk - b.chunk);
    const next = waited[0] ?? free.find((record) => record.availableAtMs === 0);
    return next === undefined ? undefined : { ...next };
  }

  nextAvailableAtMs(): number | null {
    const waiting = this.chunks.filter((record) => record.state === "pending" && record.availableAtMs > 0);
    return waiting.length === 0 ? null : Math.min(...waiting.map((record) => record.availableAtMs));
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
}
