/**
 * From rows to committed parts in the simulation: the rules of `lane/rows/partWriter.ts`. Part, commit, index, in this
 * order; part n+1 not before n is committed; a part that is there already is adopted.
 */
import {
  COMMIT_WITHIN_MS,
  INSIST_FIRST_MS,
  INSIST_MAX_MS,
  LEASE_TTL_MS,
  PART_IDLE_MS,
  PART_MIN_ROWS,
  RELEASE_WITHIN_MS,
} from "../core/limits.ts";
import type { ChunkWork, PartMeta } from "../core/protocol.ts";
import type { Spec } from "../core/spec.ts";
import type { Progress, Snapshot } from "../lane/items/progress.ts";
import { ordinalOf } from "../lane/rows/adopt.ts";
import type { LaneCommit, Said } from "./exchange.ts";
import { type Process, type Routine, Signal, until, type Wait } from "./process.ts";
import type { Random } from "./random.ts";
import {
  fingerprint,
  indexOf,
  isOk,
  rowOf,
  type SimPart,
  type SimRow,
  type Storage,
  type Stored,
} from "./storage.ts";

export interface WriterContext {
  readonly process: Process;
  readonly random: Random;
  readonly storage: Storage;
  readonly spec: Spec;
  readonly fence: number;
  readonly work: ChunkWork;
  readonly progress: Progress;
  rowsWaitMs(): number;
  isLost(): boolean;
  lose(): void;
  commit(commit: LaneCommit, withinMs: number): Wait<Said>;
  hurry(withinMs: number): void;
  indexed(chunk: number, n: number): void;
  background(work: Routine<void>): void;
}

type Published = "committed" | "adopted" | "lost" | "refused";

export class PartWriter {
  readonly #context: WriterContext;
  #rows: SimRow[] = [];
  #firstRowMs = 0;
  #next: number;
  #committed: Snapshot;
  #isPending = false;
  #isEnding = false;
  readonly #settled = new Signal();
  #trouble: string | null = null;
  readonly #adopted = new Set<number>();
  #extra: { readonly trouble?: string } = {};

  constructor(context: WriterContext) {
    this.#context = context;
    this.#next = context.work.parts;
    this.#committed = context.progress.snapshot(context.process.now());
  }

  get trouble(): string | null {
    return this.#trouble;
  }

  get isFull(): boolean {
    return this.#isPending && this.#rows.length >= this.#context.spec.checkpoint.items;
  }

  isAdopted(ordinal: number): boolean {
    return this.#adopted.has(ordinal);
  }

  add(index: number, ok: boolean): void {
    if (this.#rows.length === 0) this.#firstRowMs = this.#context.process.now();
    this.#rows.push(rowOf(index, ok));
  }

  cutIfDue(): void {
    if (this.#isPending || this.#trouble !== null || !this.#isDue()) return;
    this.#context.process.spawn(this.#cut(false, COMMIT_WITHIN_MS) as Routine<never>);
  }

  *settle(): Routine<void> {
    while (this.#isPending) yield* until(this.#settled.wait);
  }

  /** A careful lane commits after each item. */
  *commitNow(): Routine<void> {
    for (;;) {
      yield* this.settle();
      if (this.#rows.length === 0 || !this.#goesOn) return;
      yield* this.#cut(false, 0);
    }
  }

  *handBack(trouble: string | null): Routine<void> {
    if (trouble !== null) this.#extra = { trouble };
    this.#isEnding = true;
    if (this.#isPending) this.#context.hurry(RELEASE_WITHIN_MS);
    for (;;) {
      yield* this.settle();
      if (!this.#goesOn) break;
      if ((yield* this.#cut(true, RELEASE_WITHIN_MS)) === "committed") return;
    }
    if (this.#trouble === null || this.#context.isLost()) return;
    const end = { release: true, trouble: this.#trouble };
    yield* this.#commit(null, this.#committed, end, RELEASE_WITHIN_MS);
  }

  /** Looks for a part that a lost lane wrote and did not commit. */
  *adoptWritten(): Routine<void> {
    const found = yield* this.#insist(() => this.#context.storage.read(this.#key()));
    if (found !== null && found !== undefined) yield* this.#adopt(found, []);
  }

  get #goesOn(): boolean {
    return this.#trouble === null && !this.#context.isLost();
  }

  #isDue(): boolean {
    const rows = this.#rows.length;
    if (rows === 0) return false;
    const { items, ms } = this.#context.spec.checkpoint;
    if (rows >= items) return true;
    const ageMs = this.#context.process.now() - this.#firstRowMs;
    const byTimeMs = rows >= PART_MIN_ROWS ? ms : Math.max(ms, PART_IDLE_MS);
    return ageMs >= Math.min(byTimeMs, this.#context.rowsWaitMs());
  }

  /** Rows and the state that goes with them are taken in one step, which is this one: what follows takes time. */
  #cut(release: boolean, withinMs: number): Routine<Published> {
    this.#isPending = true;
    const rows = this.#rows.sort((a, b) => a - b);
    const snapshot = this.#context.progress.snapshot(this.#context.process.now());
    this.#rows = [];
    return this.#publishAll(rows, snapshot, release, withinMs);
  }

  *#publishAll(rows: SimRow[], snapshot: Snapshot, release: boolean, withinMs: number): Routine<Published> {
    const published = yield* this.#publish(rows, snapshot, release, withinMs);
    this.#isPending = false;
    this.#settled.fire();
    if (published !== "lost" && published !== "refused") this.cutIfDue();
    return published;
  }

  *#publish(rows: SimRow[], snapshot: Snapshot, release: boolean, withinMs: number): Routine<Published> {
    const end = { release, ...(release ? this.#extra : {}) };
    if (rows.length === 0) return yield* this.#commit(null, snapshot, end, withinMs);
    const { storage, work } = this.#context;
    const key = this.#key();
    const own = { rows, sha256: fingerprint(rows) };
    const written = yield* this.#insist(() => storage.write(key, own));
    if (written === undefined) return this.#failure();
    if (written === "exists") {
      const found = yield* this.#insist(() => storage.read(key));
      if (found === undefined || found === null) return this.#failure();
      if (found.sha256 !== own.sha256) return yield* this.#adopt(found, rows);
    }
    const part = describe(work, this.#next, key, own);
    const soonMs = this.#isEnding ? Math.min(withinMs, RELEASE_WITHIN_MS) : withinMs;
    const published = yield* this.#commit(part, snapshot, end, soonMs);
    if (published === "committed") this.#index(part);
    return published;
  }

  *#adopt(found: SimPart, own: readonly SimRow[]): Routine<Published> {
    const { work, process, progress } = this.#context;
    const settled = new Set(found.rows.map((row) => ordinalOf(work, indexOf(row))));
    const snapshot = checkpointAfter(this.#committed, settled, process.now());
    const part = describe(work, this.#next, this.#key(), found);
    const published = yield* this.#commit(part, snapshot, { release: false }, RELEASE_WITHIN_MS);
    if (published !== "committed") return published;
    for (const ordinal of settled) this.#adopted.add(ordinal);
    const kept = [...own, ...this.#rows].filter((row) => !settled.has(ordinalOf(work, indexOf(row))));
    this.#rows = [];
    for (const row of kept) this.add(indexOf(row), isOk(row));
    const keptOrdinals = new Set(kept.map((row) => ordinalOf(work, indexOf(row))));
    progress.adopt(snapshot, (ordinal) => keptOrdinals.has(ordinal));
    this.#index(part);
    return "adopted";
  }

  *#commit(
    part: PartMeta | null,
    snapshot: Snapshot,
    end: { readonly release: boolean; readonly trouble?: string },
    withinMs: number,
  ): Routine<Published> {
    const { fence, work } = this.#context;
    if (this.#context.isLost()) return "lost";
    const said = yield* until(
      this.#context.commit({ fence, chunk: work.chunk, part, snapshot, ...end }, withinMs),
    );
    if (said !== "committed") {
      this.#context.lose();
      return "lost";
    }
    this.#committed = snapshot;
    if (part !== null) this.#next += 1;
    return "committed";
  }

  #index(part: PartMeta): void {
    if (part.failed === 0) return;
    const { storage, indexed, background } = this.#context;
    const work = function* (): Routine<void> {
      if ((yield* until(storage.index())).kind === "ok") indexed(part.chunk, part.n);
    };
    background(work());
  }

  /** Undefined: refused for a lease's term, or lost. */
  *#insist<T>(act: () => Wait<Stored<T>>): Routine<T | undefined> {
    const { process, random } = this.#context;
    const endMs = process.now() + LEASE_TTL_MS;
    for (let tries = 1; ; tries++) {
      if (this.#context.isLost()) return undefined;
      const stored = yield* until(act());
      if (stored.kind === "ok") return stored.value;
      const waitMs = Math.min(INSIST_FIRST_MS * 2 ** (tries - 1), INSIST_MAX_MS) * (0.5 + random.next() / 2);
      if (process.now() + waitMs > endMs) {
        this.#trouble = "object storage refuses";
        return undefined;
      }
      yield* until(process.sleep(waitMs));
    }
  }

  #failure(): Published {
    return this.#trouble === null ? "lost" : "refused";
  }

  #key(): string {
    return `parts/${this.#context.work.chunk}/${this.#next}`;
  }
}

function describe(work: ChunkWork, n: number, key: string, part: SimPart): PartMeta {
  const { rows, sha256 } = part;
  const ok = rows.filter(isOk).length;
  return {
    chunk: work.chunk,
    n,
    key,
    firstIndex: indexOf(rows[0] ?? 0),
    lastIndex: indexOf(rows.at(-1) ?? 0),
    ok,
    failed: rows.length - ok,
    bytes: rows.length,
    sha256,
  };
}

/** As `lane/rows/adopt.ts` works it out, without a source to read: what the part passes over is due now. */
function checkpointAfter(base: Snapshot, settled: ReadonlySet<number>, nowMs: number): Snapshot {
  const deferred = base.deferred.filter((item) => !settled.has(item.ordinal));
  const cursor = Math.max(base.cursor, ...[...settled].map((ordinal) => ordinal + 1));
  for (let ordinal = base.cursor; ordinal < cursor; ordinal++) {
    if (settled.has(ordinal)) continue;
    deferred.push({ ordinal, position: ordinal, attempts: 0, throttles: 0, dueMs: nowMs });
  }
  return { cursor, position: cursor, deferred };
}
