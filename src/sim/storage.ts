/**
 * Object storage and the index of failures: what is written is there for good. A call may be refused before or after it
 * did its work, and may never be answered: then the caller's time limit ends it. A part is written once: the second
 * writer is answered that it exists.
 */
import { STORAGE_ANSWER_MS } from "../core/limits.ts";
import type { Usage } from "../core/usage.ts";
import type { StoredPart } from "../lane/ports.ts";
import { decodePart, type PartRow } from "../storage/rows/parts.ts";
import type { Coverage } from "./coverage.ts";
import type { EventLoop } from "./eventLoop.ts";
import { Availability, type Faults } from "./faults.ts";
import type { SimOptions } from "./options.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";

/** A row as it is kept: the item's index doubled, plus one when it is ok. A run has millions of them. */
export type SimRow = number;

export function indexOf(row: SimRow): number {
  return Math.floor(row / 2);
}

export function isOk(row: SimRow): boolean {
  return row % 2 === 1;
}

export interface SimPart {
  readonly rows: readonly SimRow[];
  readonly bytes: number;
  readonly hash: string;
}

/** A call to the storage beside the lanes, and to one that is a network away. */
const LATENCY_MS = { embedded: 3, deployed: 20 } as const;

export class Storage {
  readonly parts = new Map<string, SimPart>();
  readonly #loop: EventLoop;
  readonly #random: Random;
  readonly #latencyMs: number;
  readonly #faults: Faults;
  readonly #objects: Availability;
  readonly #index: Availability;
  readonly #coverage: Coverage;
  /** A planted bug: nobody ends a call that is never answered. */
  readonly #hasLimit: boolean;
  readonly #usageOf: (item: number) => Usage | undefined;

  constructor(
    loop: EventLoop,
    faults: Faults,
    random: Random,
    options: SimOptions,
    around: { readonly coverage: Coverage; readonly usageOf: (item: number) => Usage | undefined },
  ) {
    this.#loop = loop;
    this.#random = random;
    this.#faults = faults;
    this.#coverage = around.coverage;
    this.#usageOf = around.usageOf;
    this.#hasLimit = options.bug !== "endless-hang";
    this.#latencyMs = LATENCY_MS[options.place];
    this.#objects = new Availability(loop, faults, random, options.faults.storageAway);
    this.#index = new Availability(loop, faults, random, options.faults.indexAway);
  }

  write(process: Process, key: string, bytes: Uint8Array): Promise<"written" | "exists"> {
    return this.#call(process, this.#objects, () => {
      if (this.parts.has(key)) return "exists";
      const rows = rowsIn(bytes);
      this.parts.set(key, { rows, bytes: bytes.byteLength, hash: fingerprint(bytes) });
      return "written";
    });
  }

  async read(process: Process, key: string): Promise<StoredPart | null> {
    const part = await this.#call(process, this.#objects, () => this.parts.get(key) ?? null);
    if (part === null) return null;
    return { rows: part.rows.map((row) => this.#row(row)), bytes: part.bytes, sha256: part.hash };
  }

  /** An object is read, whatever is in it: items of a source, parts to be joined. */
  touch(process: Process): Promise<void> {
    return this.#call(process, this.#objects, () => {});
  }

  /** Puts a part's failures into the index: safe to repeat, so there is nothing to keep. */
  index(process: Process): Promise<void> {
    return this.#call(process, this.#index, () => {});
  }

  /** What is kept of a row says enough to adopt it. */
  #row(row: SimRow): PartRow {
    const index = indexOf(row);
    const ok = isOk(row);
    const usage = ok ? this.#usageOf(index) : undefined;
    return { index, ok, line: JSON.stringify({ index, ok }), ...(usage !== undefined && { usage }) };
  }

  #call<T>(process: Process, availability: Availability, act: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const after = (ms: number, end: () => void) => this.#loop.after(ms, () => process.deliver(end));
      const refuses = availability.refuses(this.#faults.now.storageRefuses);
      const hangs = !refuses && this.#random.chance(this.#faults.now.storageHangs);
      const fails = refuses || hangs;
      // Half of the failures come after the work was done: an answer that got lost.
      const worksAnyway = fails && this.#random.chance(0.5);
      const refuse = () => reject(new Error(hangs ? "did not answer" : "10001 internal error"));
      if (hangs) this.#coverage.count("storageHangs");
      if (hangs && this.#hasLimit) after(STORAGE_ANSWER_MS, refuse);
      const onWayMs = this.#random.skewed(this.#latencyMs / 2, 0.5);
      this.#loop.after(onWayMs, () => {
        const result = !fails || worksAnyway ? act() : null;
        const backMs = this.#random.skewed(this.#latencyMs / 2, 0.5);
        if (!hangs) after(backMs, () => (refuses ? refuse() : resolve(result as T)));
      });
    });
  }
}

function rowsIn(bytes: Uint8Array): readonly SimRow[] {
  return decodePart(bytes).map(({ index, ok }) => index * 2 + (ok ? 1 : 0));
}

/** Of the bytes of a part: two parts with the same one hold the same (FNV-1a, 32 bits, and the length). */
export function fingerprint(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return `${bytes.byteLength}-${(hash >>> 0).toString(16)}`;
}
