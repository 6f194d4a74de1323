/**
 * What a source is: where items come from. One module per kind, one line each in `registry.ts` and, for
 * what a spec may say about it, in `schemas.ts`.
 * A source never holds more than `SOURCE_WINDOW_BYTES` of items in memory.
 */
import type { ChunkPlan } from "../core/protocol.ts";
import type { Json } from "../core/spec.ts";
import type { Env } from "../objects/env.ts";

export interface Item {
  readonly index: number;
  /** Position inside the chunk. */
  readonly ordinal: number;
  /** Opaque: `read` can start at this item again. */
  readonly position: number;
  /** A string for lines, a number for ranges, any JSON for jsonl. */
  readonly value: Json;
  /** The item itself is unusable (a jsonl line that is not JSON): becomes a failed row of kind `parse`, no call. */
  readonly invalid?: string;
}

export interface SourceContext {
  readonly env: Env;
  /** The root of the run's family: what a source keeps for a run, its retries read too. "" while there is none yet. */
  readonly run: string;
  /** Counts object-store operations for the cost model. */
  count(operation: "r2ClassA" | "r2ClassB", n: number): void;
}

/** The source as named in a spec cannot be used; the sentence names the field and what would be accepted. */
export class SourceError extends Error {
  readonly path: string;
  constructor(path: string, message: string) {
    super(message);
    this.name = "SourceError";
    this.path = path;
  }
}

export interface PlanStep {
  readonly chunks: readonly ChunkPlan[];
  /** Where to go on; null after the last chunk. */
  readonly cursor: string | null;
}

export interface Source<Settings> {
  readonly kind: string;
  /** Names of the secrets that the settings use. Left out: none. */
  secrets?(settings: Settings): readonly string[];
  /**
   * Checks that the source is there and pins it (an upload is replaced under its name without disturbing runs).
   * Returns the settings to store in the run, its items when known, and the first item for a plan's preview.
   * Throws SourceError.
   */
  pin(
    settings: Settings,
    context: SourceContext,
  ): Promise<{ readonly settings: Settings; readonly items: number | null; readonly first: Json | null }>;
  /** How many items there are in all, where `pin` cannot tell: for a run that ended before it was wholly planned. */
  count?(settings: Settings, context: SourceContext): Promise<number>;
  /** The next chunks from `cursor` (null: the beginning), at most `CHUNKS_PER_PLAN_CALL` a step. */
  plan(
    settings: Settings,
    chunkSize: number,
    cursor: string | null,
    context: SourceContext,
  ): Promise<PlanStep>;
  /**
   * Items of a chunk in ascending ordinal order, from `from.ordinal` on. `from.position` is that item's
   * position when known (as an earlier Item told it), else null. Stops after the chunk's last item.
   */
  read(
    settings: Settings,
    chunk: ChunkPlan,
    from: { readonly ordinal: number; readonly position: number | null },
    context: SourceContext,
  ): AsyncIterableIterator<Item>;
}
