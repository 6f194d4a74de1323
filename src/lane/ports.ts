/** What lanes need of the world: one port, so that tests drive real lanes on storage in memory. */
import type { ChunkPlan, Operations, PartMeta, RunSettings } from "../core/protocol.ts";
import type { Json } from "../core/spec.ts";
import type { Item } from "../sources/source.ts";
import type { PartRow } from "../storage/rows/parts.ts";
import type { Permits } from "../tasks/calls/permits.ts";
import type { BatchOutcome, TaskOutcome } from "../tasks/task.ts";

/** A part as it lies in the store. */
export interface StoredPart {
  readonly rows: readonly PartRow[];
  readonly bytes: number;
  /** As `LanePorts.hash` gives it. */
  readonly sha256: string;
}

/** Every method may throw when the platform refuses, and may be called again. */
export interface LanePorts {
  /** The hash of a part's bytes that its commit names: the same for the same bytes, whoever asks. */
  hash(bytes: Uint8Array): Promise<string>;
  /** Writes a part unless its key is taken. */
  writePart(
    key: string,
    bytes: Uint8Array,
  ): Promise<{ readonly kind: "written" } | { readonly kind: "exists" }>;
  readPart(key: string): Promise<StoredPart | null>;
  /** Puts a committed part's failures into the index. */
  indexPart(settings: RunSettings, part: PartMeta, rows: readonly PartRow[]): Promise<void>;
  /** Items of a chunk from an ordinal on. Throws SourceError when the source is not usable. */
  read(
    settings: RunSettings,
    chunk: ChunkPlan,
    from: { readonly ordinal: number; readonly position: number | null },
  ): AsyncIterable<Item>;
  openTask(settings: RunSettings): Promise<OpenTask>;
}

/** A task opened for one lane. */
export interface OpenTask {
  /** One try of one item. Rejects with LaneStopped, ItemNotDue and SettingMissing, which are not outcomes. */
  run(input: {
    readonly item: Json;
    readonly index: number;
    readonly permits: Permits;
    readonly signal: AbortSignal;
    /** An earlier try of the item was not answered. */
    readonly mayBeUnderWay: boolean;
  }): Promise<TaskOutcome>;
  /** Items that one call may carry; absent: every item has a call of its own. */
  readonly batch?: {
    readonly most: number;
    /** One try of several items by one call. Rejects like `run`. */
    run(input: {
      readonly items: readonly { readonly item: Json; readonly index: number }[];
      readonly permits: Permits;
      readonly signal: AbortSignal;
      readonly mayBeUnderWay: boolean;
    }): Promise<BatchOutcome>;
  };
  mask(text: string): string;
  close(): Promise<void>;
}

/** Counts platform operations for the cost model. */
export type CountOperation = (operation: keyof Operations, n: number) => void;
