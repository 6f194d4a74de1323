/** The ledger's port on the Run object's SQLite. Every read of "next" goes through an index: cost per call is flat. */

import type { PartMeta } from "../core/protocol.ts";
import { type ChunkRecord, type ChunkState, type Ledger, PARKED_MS } from "../core/run/ledger.ts";
import type { LedgerRow } from "../objects/run.ts";
import type { CountedSql } from "./countedSql.ts";

type ChunkRow = {
  chunk: number;
  first: number;
  count: number;
  indexes: string | null;
  position: string;
  state: string;
  available_at: number;
  careful: number;
  cursor: number;
  source_position: number | null;
  deferred: string;
  parts: number;
  ok: number;
  failed: number;
  trouble: string;
};

type PartRow = {
  chunk: number;
  n: number;
  seq: number;
  key: string;
  first_index: number;
  last_index: number;
  ok: number;
  failed: number;
  bytes: number;
  sha256: string;
};

export class SqlLedger implements Ledger {
  readonly #sql: CountedSql;

  constructor(sql: CountedSql) {
    this.#sql = sql;
  }

  get(chunk: number): ChunkRecord | undefined {
    return this.#first("SELECT * FROM chunks WHERE chunk = ?", chunk);
  }

  put(record: ChunkRecord): void {
    const { plan } = record;
    const { expiries, refusals, announced, deaths, adopt, carefulTo } = record;
    this.#sql.all(
      "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      record.chunk,
      plan.first,
      plan.count,
      plan.indexes === undefined ? null : JSON.stringify(plan.indexes),
      plan.position,
      record.state,
      record.availableAtMs,
      record.careful ? 1 : 0,
      record.cursor,
      record.position,
      JSON.stringify(record.deferred),
      record.parts,
      record.ok,
      record.failed,
      JSON.stringify({ expiries, refusals, announced, deaths, adopt, carefulTo }),
    );
  }

  nextAvailable(nowMs: number, withCareful: boolean): ChunkRecord | undefined {
    const careful = withCareful ? 1 : 0;
    return (
      this.#first(
        `SELECT * FROM chunks WHERE state = 'pending' AND available_at > 0 AND available_at <= ? AND careful <= ?
         ORDER BY available_at, chunk LIMIT 1`,
        nowMs,
        careful,
      ) ??
      this.#first(
        `SELECT * FROM chunks WHERE state = 'pending' AND available_at = 0 AND careful <= ?
         ORDER BY available_at, chunk LIMIT 1`,
        careful,
      )
    );
  }

  nextAvailableAtMs(): number | null {
    const [next] = this.#sql.all<{ at: number | null }>(
      "SELECT min(available_at) AS at FROM chunks WHERE state = 'pending' AND available_at > 0",
    );
    return next?.at ?? null;
  }

  waitingBeyond(atMs: number, limit: number): readonly ChunkRecord[] {
    const rows = this.#sql.all<ChunkRow>(
      "SELECT * FROM chunks WHERE state = 'pending' AND available_at > ? AND available_at < ? LIMIT ?",
      atMs,
      PARKED_MS,
      limit,
    );
    return rows.map(toRecord);
  }

  addPart(part: PartMeta, seq: number, indexed: boolean): void {
    this.#sql.all(
      "INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      part.chunk,
      part.n,
      seq,
      part.key,
      part.firstIndex,
      part.lastIndex,
      part.ok,
      part.failed,
      part.bytes,
      part.sha256,
      indexed ? 1 : 0,
    );
  }

  markIndexed(chunk: number, n: number): boolean {
    const marked = this.#sql.all(
      "UPDATE parts SET indexed = 1 WHERE chunk = ? AND n = ? AND indexed = 0 RETURNING n",
      chunk,
      n,
    );
    return marked.length > 0;
  }

  /** Chunks after `after`, in order. */
  list(after: number, limit: number): readonly LedgerRow[] {
    const rows = this.#sql.all<ChunkRow>(
      "SELECT * FROM chunks WHERE chunk > ? ORDER BY chunk LIMIT ?",
      after,
      limit,
    );
    return rows.map((row) => ({
      chunk: row.chunk,
      first: row.first,
      count: row.count,
      state: row.state as ChunkState,
      done: row.ok + row.failed,
      ok: row.ok,
      failed: row.failed,
      parts: row.parts,
      deferred: (JSON.parse(row.deferred) as unknown[]).length,
    }));
  }

  /** Chunks with items that have no row, after `after`, in order. */
  unsettled(after: number, limit: number): readonly ChunkRecord[] {
    const rows = this.#sql.all<ChunkRow>(
      "SELECT * FROM chunks WHERE chunk > ? AND state <> 'done' ORDER BY chunk LIMIT ?",
      after,
      limit,
    );
    return rows.map(toRecord);
  }

  partsInOrder(after: { chunk: number; n: number } | null, limit: number): PartMeta[] {
    const { chunk, n } = after ?? { chunk: -1, n: -1 };
    return this.#parts("(chunk, n) > (?, ?) ORDER BY chunk, n LIMIT ?", chunk, n, limit).map(toPart);
  }

  partsByCommit(after: number, limit: number): { seq: number; part: PartMeta }[] {
    return this.#parts("seq > ? ORDER BY seq LIMIT ?", after, limit).map((row) => ({
      seq: row.seq,
      part: toPart(row),
    }));
  }

  unindexedParts(limit: number): PartMeta[] {
    return this.#parts("indexed = 0 ORDER BY seq LIMIT ?", limit).map(toPart);
  }

  #parts(where: string, ...bindings: number[]): PartRow[] {
    return this.#sql.all<PartRow>(`SELECT * FROM parts WHERE ${where}`, ...bindings);
  }

  #first(query: string, ...bindings: number[]): ChunkRecord | undefined {
    const row = this.#sql.all<ChunkRow>(query, ...bindings)[0];
    return row === undefined ? undefined : toRecord(row);
  }
}

function toRecord(row: ChunkRow): ChunkRecord {
  const trouble = JSON.parse(row.trouble) as Pick<
    ChunkRecord,
    "expiries" | "refusals" | "announced" | "deaths" | "adopt" | "carefulTo"
  >;
  return {
    chunk: row.chunk,
    plan: {
      first: row.first,
      count: row.count,
      ...(row.indexes === null ? {} : { indexes: JSON.parse(row.indexes) as number[] }),
      position: row.position,
    },
    state: row.state as ChunkState,
    availableAtMs: row.available_at,
    careful: row.careful === 1,
    cursor: row.cursor,
    position: row.source_position,
    deferred: JSON.parse(row.deferred) as ChunkRecord["deferred"],
    parts: row.parts,
    ok: row.ok,
    failed: row.failed,
    ...trouble,
  };
}

function toPart(row: PartRow): PartMeta {
  return {
    chunk: row.chunk,
    n: row.n,
    key: row.key,
    firstIndex: row.first_index,
    lastIndex: row.last_index,
    ok: row.ok,
    failed: row.failed,
    bytes: row.bytes,
    sha256: row.sha256,
  };
}
