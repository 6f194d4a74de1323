/**
 * The chunk ledger: what of a run is done, what is being worked on, what waits.
 *
 * Invariants: a chunk's `cursor` never moves back; everything below it is settled by a committed part or stands
 * in `deferred`; part n+1 is never recorded before part n; a chunk is `done` exactly when its cursor is at the
 * end and nothing is deferred. `Ledger` is a port: SQLite in the Run object, a map in the simulator, one contract
 * suite for both. What this file does not know: leases, quota, time of day.
 */
import { assert } from "../assert.ts";
import { CAREFUL_ITEMS, EXPIRIES_TO_FAIL_ITEM } from "../limits.ts";
import type { Checkpoint, ChunkPlan, ChunkWork, PartMeta } from "../protocol.ts";
import type { Tries } from "../tries.ts";

export type ChunkState = "pending" | "active" | "done";

/** A deferred item at rest: its due time is an instant of the run clock. */
export interface DeferredAtRest extends Tries {
  readonly ordinal: number;
  readonly position: number;
  readonly dueAtMs: number;
}

export interface ChunkRecord {
  readonly chunk: number;
  readonly plan: ChunkPlan;
  state: ChunkState;
  cursor: number;
  position: number | null;
  deferred: readonly DeferredAtRest[];
  /** Parts committed. */
  parts: number;
  ok: number;
  failed: number;
  /** Not to be leased before this run-clock instant; 0: at once, in order. */
  availableAtMs: number;
  /** Leases that expired since the checkpoint last moved. */
  expiries: number;
  /** Times in a row it was given back because the platform refused. */
  refusals: number;
  /** The item announced by the present or last careful lane. */
  announced: number | null;
  /** Lanes that died on an announced item, by ordinal, until it is settled. */
  deaths: Readonly<Record<number, number>>;
  /** The last lease was lost: a part may be written and not committed. */
  adopt: boolean;
  /** Lanes died on it: one announced item a commit, until the cursor has reached `carefulTo`. */
  careful: boolean;
  carefulTo: number;
}

/** Available no sooner than this: the chunk waits for the smoke stage's gate, and not for time. */
export const PARKED_MS = Number.MAX_SAFE_INTEGER;
/** Leases that expire at an unchanged checkpoint before a chunk is worked carefully. */
const EXPIRIES_TO_BE_CAREFUL = 2;
/** Due longer than anything else: a suspect is looked into before other work goes on. */
const BEFORE_ALL_MS = 1;

export interface Ledger {
  get(chunk: number): ChunkRecord | undefined;
  put(record: ChunkRecord): void;
  /**
   * A pending chunk to lease now: the longest due one that waited, else the first fresh one. Careful ones only
   * `withCareful`: for an invocation that holds nothing else.
   */
  nextAvailable(nowMs: number, withCareful: boolean): ChunkRecord | undefined;
  /** When the next waiting chunk becomes available; null when none waits. */
  nextAvailableAtMs(): number | null;
  /** At most `limit` chunks that wait for a later instant than this one; not those that are parked. */
  waitingBeyond(atMs: number, limit: number): readonly ChunkRecord[];
  addPart(part: PartMeta, seq: number, indexed: boolean): void;
  /** False when it is marked already or unknown. */
  markIndexed(chunk: number, n: number): boolean;
}

export function newChunk(chunk: number, plan: ChunkPlan): ChunkRecord {
  assert(plan.count > 0, "a chunk has items");
  return {
    chunk,
    plan,
    state: "pending",
    cursor: 0,
    position: null,
    deferred: [],
    parts: 0,
    ok: 0,
    failed: 0,
    availableAtMs: 0,
    expiries: 0,
    refusals: 0,
    announced: null,
    deaths: {},
    adopt: false,
    careful: false,
    carefulTo: 0,
  };
}

/** Settled items of a chunk. */
export function settled(record: ChunkRecord): number {
  return record.ok + record.failed;
}

/** The first item that is under suspicion and neither settled nor condemned; null when there is none. */
export function suspectOf(record: ChunkRecord): number | null {
  const suspects = Object.entries(record.deaths).filter(([, times]) => times < EXPIRIES_TO_FAIL_ITEM);
  return suspects.length === 0 ? null : Math.min(...suspects.map(([ordinal]) => Number(ordinal)));
}

/** The chunk as a lane gets it; due times turn into durations from `nowMs`, none longer than `longestWaitMs`. */
export function toWork(
  record: ChunkRecord,
  nowMs: number,
  { deathsToFail, longestWaitMs }: { readonly deathsToFail: number; readonly longestWaitMs: number },
): ChunkWork {
  const condemned = Object.entries(record.deaths)
    .filter(([, times]) => times >= deathsToFail)
    .map(([ordinal]) => Number(ordinal));
  return {
    ...record.plan,
    chunk: record.chunk,
    checkpoint: {
      cursor: record.cursor,
      position: record.position,
      deferred: record.deferred.map(({ dueAtMs, ...item }) => ({
        ...item,
        dueInMs: Math.min(Math.max(0, dueAtMs - nowMs), longestWaitMs),
      })),
    },
    parts: record.parts,
    adopt: record.adopt,
    careful: record.careful || suspectOf(record) !== null,
    ...(condemned.length > 0 ? { condemned } : {}),
  };
}

export type AppliedCommit =
  | { readonly kind: "applied"; readonly part: PartMeta | null }
  /** The part was committed before (a lost answer): nothing changed. */
  | { readonly kind: "repeated" }
  /** The part is not the next one of its chunk. */
  | { readonly kind: "stale" };

/** Moves the checkpoint and counts the part; no item is due later than `longestWaitMs`. Changes nothing unless `applied`. */
export function applyCommit(
  record: ChunkRecord,
  commit: { part: PartMeta | null; checkpoint: Checkpoint },
  nowMs: number,
  longestWaitMs = Number.POSITIVE_INFINITY,
): AppliedCommit {
  const { part, checkpoint } = commit;
  if (part !== null && part.n === record.parts - 1 && checkpoint.cursor <= record.cursor) {
    return { kind: "repeated" };
  }
  if (part !== null && part.n !== record.parts) return { kind: "stale" };
  if (checkpoint.cursor < record.cursor) return { kind: "stale" };
  const settledAfter = settled(record) + (part === null ? 0 : part.ok + part.failed);
  if (settledAfter + checkpoint.deferred.length !== checkpoint.cursor) return { kind: "stale" };

  const moved = part !== null || checkpoint.cursor > record.cursor;
  record.cursor = checkpoint.cursor;
  record.position = checkpoint.position;
  record.deferred = checkpoint.deferred.map(({ dueInMs, ...item }) => ({
    ...item,
    dueAtMs: nowMs + Math.min(dueInMs, longestWaitMs),
  }));
  if (part !== null) {
    record.parts += 1;
    record.ok += part.ok;
    record.failed += part.failed;
  }
  if (moved) {
    record.expiries = 0;
    record.refusals = 0;
    record.announced = null;
    record.adopt = false;
    record.deaths = deathsOfUnsettled(record);
    if (record.cursor >= record.carefulTo) record.careful = false;
  }
  if (record.cursor === record.plan.count && record.deferred.length === 0) record.state = "done";
  return { kind: "applied", part };
}

/** No chunk, and none of its items, waits beyond `toMs` any more. */
export function bringForward(ledger: Ledger, toMs: number): void {
  for (;;) {
    const waiting = ledger.waitingBeyond(toMs, BROUGHT_FORWARD_AT_ONCE);
    for (const record of waiting) {
      record.availableAtMs = toMs;
      record.deferred = record.deferred.map((item) => ({ ...item, dueAtMs: Math.min(item.dueAtMs, toMs) }));
      ledger.put(record);
    }
    if (waiting.length < BROUGHT_FORWARD_AT_ONCE) return;
  }
}

const BROUGHT_FORWARD_AT_ONCE = 100;

/** The lane gave the chunk back: it waits for its first deferred item if nothing else is left. */
export function handBack(record: ChunkRecord, nowMs: number, refusedForMs: number | null): void {
  if (record.state === "done") return;
  record.state = "pending";
  record.availableAtMs = waitsUntil(record, nowMs);
  if (refusedForMs !== null) {
    record.refusals += 1;
    record.availableAtMs = Math.max(record.availableAtMs, nowMs + refusedForMs);
  }
}

/**
 * The lease ended without a hand-back: somebody may still have written a part. The item that was announced is charged
 * with it if what died worked on nothing else (`alone`); otherwise it is only suspected, and looked into alone.
 */
export function loseLease(record: ChunkRecord, nowMs: number, alone: boolean): void {
  if (record.state === "done") return;
  record.state = "pending";
  record.adopt = true;
  record.expiries += 1;
  if (record.expiries >= EXPIRIES_TO_BE_CAREFUL && !record.careful) {
    record.careful = true;
    record.carefulTo = Math.min(record.plan.count, record.cursor + CAREFUL_ITEMS);
  }
  if (record.announced !== null) {
    const times = record.deaths[record.announced] ?? 0;
    record.deaths = { ...record.deaths, [record.announced]: alone ? times + 1 : Math.max(times, 1) };
    record.announced = null;
  }
  record.availableAtMs = suspectOf(record) === null ? waitsUntil(record, nowMs) : BEFORE_ALL_MS;
}

/** A lease of a process that is gone for a known reason (a restart): no sign against the chunk's items. */
export function orphan(record: ChunkRecord, nowMs: number): void {
  if (record.state === "done") return;
  record.state = "pending";
  record.adopt = true;
  record.announced = null;
  record.availableAtMs = waitsUntil(record, nowMs);
}

function deathsOfUnsettled({ deaths, cursor, deferred }: ChunkRecord): ChunkRecord["deaths"] {
  const unsettled = Object.entries(deaths).filter(
    ([ordinal]) => Number(ordinal) >= cursor || deferred.some((item) => item.ordinal === Number(ordinal)),
  );
  return Object.fromEntries(unsettled);
}

/** 0 while fresh items are left; else the first due instant when it still lies ahead. */
function waitsUntil(record: ChunkRecord, nowMs: number): number {
  if (record.cursor < record.plan.count || record.deferred.length === 0) return 0;
  const due = record.deferred.reduce(
    (first, item) => Math.min(first, item.dueAtMs),
    Number.POSITIVE_INFINITY,
  );
  return due > nowMs ? due : 0;
}
