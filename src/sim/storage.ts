/**
 * Object storage and the index of failures: what is written is there for good, and a call may be refused before or
 * after it did its work. A part is written once: whoever comes second is told so.
 */
import type { EventLoop } from "./eventLoop.ts";
import type { SimOptions } from "./options.ts";
import type { Wait } from "./process.ts";
import type { Random } from "./random.ts";
import { Availability, type Weather } from "./weather.ts";

/** A row: the item's index doubled, plus one when it is ok. */
export type SimRow = number;

export function rowOf(index: number, ok: boolean): SimRow {
  return index * 2 + (ok ? 1 : 0);
}

export function indexOf(row: SimRow): number {
  return Math.floor(row / 2);
}

export function isOk(row: SimRow): boolean {
  return row % 2 === 1;
}

export interface SimPart {
  readonly rows: readonly SimRow[];
  readonly sha256: string;
}

export type Stored<T> = { readonly kind: "ok"; readonly value: T } | { readonly kind: "refused" };

const LATENCY_MS = 20;

export class Storage {
  readonly parts = new Map<string, SimPart>();
  readonly #loop: EventLoop;
  readonly #random: Random;
  readonly #weather: Weather;
  readonly #objects: Availability;
  readonly #index: Availability;

  constructor(loop: EventLoop, weather: Weather, random: Random, options: SimOptions) {
    this.#loop = loop;
    this.#random = random;
    this.#weather = weather;
    this.#objects = new Availability(loop, weather, random, options.faults.storageAway);
    this.#index = new Availability(loop, weather, random, options.faults.indexAway);
  }

  write(key: string, part: SimPart): Wait<Stored<"written" | "exists">> {
    return this.#call(this.#objects, () => {
      if (this.parts.has(key)) return "exists";
      this.parts.set(key, part);
      return "written";
    });
  }

  read(key: string): Wait<Stored<SimPart | null>> {
    return this.#call(this.#objects, () => this.parts.get(key) ?? null);
  }

  /** Puts a part's failures into the index: safe to repeat, so there is nothing to keep. */
  index(): Wait<Stored<null>> {
    return this.#call(this.#index, () => null);
  }

  #call<T>(availability: Availability, act: () => T): Wait<Stored<T>> {
    return (resume) => {
      const refuses = availability.refuses(this.#weather.faults.storageRefuses);
      // Half of the refusals come after the work was done: an answer that got lost.
      const worksAnyway = refuses && this.#random.chance(0.5);
      const onWayMs = this.#random.skewed(LATENCY_MS / 2, 0.5);
      this.#loop.after(onWayMs, () => {
        const result = !refuses || worksAnyway ? act() : null;
        const backMs = this.#random.skewed(LATENCY_MS / 2, 0.5);
        this.#loop.after(backMs, () =>
          resume(refuses ? { kind: "refused" } : { kind: "ok", value: result as T }),
        );
      });
    };
  }
}

/** A fingerprint of rows: two parts with the same one hold the same. */
export function fingerprint(rows: readonly SimRow[]): string {
  let hash = 0x811c9dc5;
  for (const row of rows) hash = Math.imul(hash ^ row, 0x01000193);
  return `${rows.length}-${(hash >>> 0).toString(16)}`;
}
