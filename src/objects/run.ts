/**
 * The Run object's RPC surface, as `api`, `lane` and the schedule see it.
 * Every method is safe to repeat. Expected refusals are values; a thrown error is a platform fault.
 */
import type {
  ChunkPlan,
  ChunkWork,
  Operations,
  PartMeta,
  RunSettings,
  SyncAnswer,
  SyncRequest,
} from "../core/protocol.ts";
import type { FieldReport } from "../core/reduce/reduce.ts";
import type { CreateRun, PatchRun } from "../core/run/run.ts";
import type { RunView } from "../core/run/runView.ts";
import type { Unreadable } from "../core/run/whyUnreadable.ts";

/** A conflict says in one sentence why the state does not allow it. */
export type Control<T = RunView> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "conflict"; readonly message: string }
  | { readonly kind: "not-found" };

/** A chunk of an ended run with what never got a row, for a child run. */
export interface UnsettledChunk {
  readonly chunk: number;
  readonly plan: ChunkPlan;
  /** Ordinals that have no row: `deferred` ones and all from `cursor` on. */
  readonly cursor: number;
  readonly deferred: readonly number[];
}

export interface LedgerRow {
  readonly chunk: number;
  readonly first: number;
  readonly count: number;
  readonly state: "pending" | "active" | "done";
  readonly done: number;
  readonly ok: number;
  readonly failed: number;
  readonly parts: number;
  readonly deferred: number;
}

export interface Run {
  create(input: CreateRun): Promise<Control>;
  view(): Promise<RunView | null>;
  sync(request: SyncRequest): Promise<SyncAnswer>;

  pause(reason: string): Promise<Control>;
  /** Also continues a failed run. `generation`: the embedding process that drives it from now on. */
  resume(generation: string): Promise<Control>;
  cancel(): Promise<Control>;
  /** Opens the gate of the smoke stage; a conflict when the run does not await approval. */
  approve(): Promise<Control>;
  patch(change: PatchRun): Promise<Control>;
  /** Only ended runs; removes the ledger. The caller removes R2 and D1 first. */
  destroy(): Promise<Control<null>>;

  /** What `reduce` made of the committed rows so far, by field; null without a `reduce` and for an unknown run. */
  report(): Promise<{ readonly [field: string]: FieldReport } | null>;

  /** Null when the run is unknown. */
  settings(): Promise<RunSettings | null>;
  /** What the planner continues from; null when there is nothing to plan. */
  planFrom(): Promise<{
    readonly settings: RunSettings;
    readonly cursor: string | null;
    readonly chunks: number;
  } | null>;
  /**
   * Adds planned chunks, at most `CHUNKS_PER_PLAN_CALL`; `at` = number of chunks the caller believes are there
   * (a repeat is recognised and ignored). `cursor` null: planning is complete.
   */
  addChunks(input: {
    readonly at: number;
    readonly chunks: readonly ChunkPlan[];
    readonly cursor: string | null;
    /** What making them took of the platform. */
    readonly spent?: Partial<Operations>;
  }): Promise<void>;
  /** The source cannot be planned (missing input, bad data): the run fails with this sentence. */
  planFailed(message: string): Promise<void>;

  /** Committed parts in chunk order: those after `(afterChunk, afterN)`, at most `limit`. */
  partsInOrder(after: { chunk: number; n: number } | null, limit: number): Promise<PartMeta[]>;
  /** Committed parts in the order of their commits, after sequence number `after`. */
  partsByCommit(after: number, limit: number): Promise<{ readonly seq: number; readonly part: PartMeta }[]>;
  /** Parts with failures (or, in a child run, any rows) that are not in D1 yet. */
  unindexed(limit: number): Promise<PartMeta[]>;
  markIndexed(
    parts: readonly { readonly chunk: number; readonly n: number }[],
    spent?: Partial<Operations>,
  ): Promise<void>;
  ledger(after: number, limit: number): Promise<LedgerRow[]>;
  /** Chunks with items that have no row. Only meaningful once the run has ended. */
  unsettled(after: number, limit: number): Promise<UnsettledChunk[]>;
  chunk(chunk: number): Promise<ChunkWork | null>;

  /** Null: nothing to finish (not finishing, or done). */
  finishFrom(): Promise<{ readonly settings: RunSettings; readonly state: string | null } | null>;
  finishProgress(state: string, spent?: Partial<Operations>): Promise<void>;
  /** Committed parts cannot be read: once its items are done, the run is failed with a sentence that names them. */
  foundUnreadable(parts: readonly Unreadable[]): Promise<void>;
  finished(result: {
    readonly bytes: number;
    readonly rows: number;
    readonly spent?: Partial<Operations>;
  }): Promise<void>;

  /** The watchdog's poke: re-arms the alarm. */
  poke(): Promise<void>;
}
