/**
 * One call for several items: which result belongs to which item, and what follows when a call is refused as a whole.
 *
 * A refusal says that something in the group is bad, not what: the group is halved until the bad item stands alone.
 * With b bad items among n that takes at most `callsToIsolate(n, b)` calls, and every item is called to an answer of
 * its own exactly once.
 */

import { isExactNumber, stringifyJson } from "./json.ts";
import { jsonAt } from "./jsonPointer.ts";
import { counted } from "./sentence.ts";
import type { Json, Spec } from "./spec.ts";

/** Items that one call of a run carries when nothing is refused: what plans and forecasts reckon with. */
export function itemsPerCall({ task, chunkSize }: Pick<Spec, "task" | "chunkSize">): number {
  const { batch } = task;
  return typeof batch === "number" && batch > 1 ? Math.min(batch, chunkSize) : 1;
}

/** Groups that still have to be called, the next one first. */
export type Groups<T> = readonly (readonly T[])[];

/** What is to be called after a group of two or more was refused: its halves, then the rest. */
export function afterRefusal<T>(refused: readonly T[], rest: Groups<T>): Groups<T> {
  const middle = Math.ceil(refused.length / 2);
  return [refused.slice(0, middle), refused.slice(middle), ...rest];
}

/** Calls until each of `bad` items among `items` stands alone, at most: two for every level that a bad one is on. */
export function callsToIsolate(items: number, bad: number): number {
  if (bad === 0) return 1;
  return Math.min(2 * items - 1, 1 + 2 * bad * Math.ceil(Math.log2(items)));
}

/** Where an answer has the results of its items. */
export interface ResultsPlace {
  /** Path to the list (or, with `match`, also an object) of results. */
  readonly at: readonly string[];
  /** Null: one result for each item, in the order of the items. */
  readonly match: {
    /** Path, in the item, of what identifies it. */
    readonly item: readonly string[];
    /** Path, in a result of a list, of the same; an object's results are found by their keys. */
    readonly result: readonly string[];
  } | null;
}

export type FoundResults =
  /** One for each item, in their order; undefined: the answer has none for it. */
  | { readonly kind: "found"; readonly results: readonly (Json | undefined)[] }
  /** The answer does not fit the items that were sent. */
  | { readonly kind: "misfit"; readonly message: string };

/** The results that an answer has for the items it was asked about. */
export function findResults(answer: Json, items: readonly Json[], place: ResultsPlace): FoundResults {
  const results = jsonAt(answer, place.at);
  const shown = place.at.length === 0 ? "its root" : `/${place.at.join("/")}`;
  if (place.match === null) {
    if (!Array.isArray(results)) return misfit(`the answer has no list at ${shown}`);
    if (results.length === items.length) return { kind: "found", results };
    return misfit(
      `the answer has ${counted(results.length, "result")} for ${counted(items.length, "item")} at ${shown}`,
    );
  }
  const byKey = keyed(results, place.match.result);
  if (byKey === null) return misfit(`the answer has no list and no object at ${shown}`);
  const { item: path } = place.match;
  const found = items.map((item) => {
    const key = keyOf(jsonAt(item, path));
    return key === null ? undefined : byKey.get(key);
  });
  return { kind: "found", results: found };
}

function misfit(message: string): FoundResults {
  return { kind: "misfit", message };
}

function keyed(results: Json | undefined, path: readonly string[]): ReadonlyMap<string, Json> | null {
  if (typeof results !== "object" || results === null || isExactNumber(results)) return null;
  if (!Array.isArray(results)) return new Map(Object.entries(results as { readonly [key: string]: Json }));
  const byKey = new Map<string, Json>();
  for (const result of results as readonly Json[]) {
    const key = keyOf(jsonAt(result, path));
    if (key !== null) byKey.set(key, result);
  }
  return byKey;
}

/** 7 and "7" are the same key: objects have none but text. */
function keyOf(value: Json | undefined): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === "string" ? value : stringifyJson(value);
}
