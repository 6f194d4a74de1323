/** The reducers that are built in: sum, count, min, max, weighted mean, merge of maps, top k. */

import { isExactNumber, stringifyJson } from "../json.ts";
import { REDUCE_MAP_KEYS, REDUCE_TEXT_CHARS } from "../limits.ts";
import type { Json } from "../spec.ts";
import {
  addDecimals,
  compareDecimals,
  type Decimal,
  divideDecimals,
  multiplyDecimals,
  parseDecimal,
  showDecimal,
} from "./decimal.ts";
import { fieldOf } from "./reduceField.ts";
import type { Added, Reducer } from "./reducer.ts";

const MISSING = { kind: "missing" } as const;
const UNUSABLE = { kind: "unusable" } as const;

export const sum: Reducer<Decimal> = {
  empty: "0",
  add: (state, value) => withNumber(value, (number) => addDecimals(state, number)),
  merge: addDecimals,
  show: showDecimal,
};

/** Values that are there, of whatever kind. */
export const count: Reducer<number> = {
  empty: 0,
  add: (state, value) => (isNothing(value) ? MISSING : { kind: "added", state: state + 1 }),
  merge: (a, b) => a + b,
  show: (state) => state,
};

/** The extreme of numbers or of texts; both in one column compare to nothing. */
type Extreme = { readonly of: "nothing" | "mixed" | "number" | "text"; readonly value: string };

function extreme(sign: 1 | -1): Reducer<Extreme> {
  const merge = (a: Extreme, b: Extreme): Extreme => {
    if (a.of === "nothing" || b.of === "mixed") return b;
    if (b.of === "nothing" || a.of === "mixed") return a;
    if (a.of !== b.of) return { of: "mixed", value: "" };
    const order = a.of === "number" ? compareDecimals(a.value, b.value) : compareTexts(a.value, b.value);
    return order * sign >= 0 ? a : b;
  };
  return {
    empty: { of: "nothing", value: "" },
    add(state, value) {
      if (isNothing(value)) return MISSING;
      const one = extremeOf(value);
      return one === null ? UNUSABLE : { kind: "added", state: merge(state, one) };
    },
    merge,
    show({ of, value }) {
      if (of === "nothing" || of === "mixed") return null;
      return of === "number" ? showDecimal(value) : value;
    },
    trouble: ({ of }) => (of === "mixed" ? "some values are numbers and some are text" : null),
  };
}

function extremeOf(value: Json): Extreme | null {
  if (typeof value === "string") {
    return value.length <= REDUCE_TEXT_CHARS ? { of: "text", value } : null;
  }
  const number = decimalOf(value);
  return number === null ? null : { of: "number", value: number };
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

export const min = extreme(-1);
export const max = extreme(1);

type Mean = { readonly total: Decimal; readonly weight: Decimal };

/** The mean of a field, each row weighing as much as its field `weight`; null: all the same. */
export function mean(weight: string | null): Reducer<Mean> {
  const merge = (a: Mean, b: Mean): Mean => ({
    total: addDecimals(a.total, b.total),
    weight: addDecimals(a.weight, b.weight),
  });
  return {
    empty: { total: "0", weight: "0" },
    add(state, value, row) {
      const by = weight === null ? 1 : fieldOf(row.value, weight);
      if (isNothing(value) || isNothing(by)) return MISSING;
      const [number, heavy] = [decimalOf(value), decimalOf(by)];
      if (number === null || heavy === null) return UNUSABLE;
      return {
        kind: "added",
        state: merge(state, { total: multiplyDecimals(number, heavy), weight: heavy }),
      };
    },
    merge,
    show: ({ total, weight }) => divideDecimals(total, weight),
  };
}

/** Sums by key. Beyond `REDUCE_MAP_KEYS` keys there is no map any more, whichever keys came first. */
type Sums = { readonly [key: string]: Decimal } | null;

export const mergeMaps: Reducer<Sums> = {
  empty: {},
  add(state, value) {
    if (isNothing(value)) return MISSING;
    if (typeof value !== "object" || Array.isArray(value) || isExactNumber(value)) return UNUSABLE;
    const sums: [string, Decimal][] = [];
    for (const [key, number] of Object.entries(value)) {
      const decimal = decimalOf(number);
      if (decimal === null || key.length > REDUCE_TEXT_CHARS) return UNUSABLE;
      sums.push([key, decimal]);
    }
    return { kind: "added", state: addSums(state, sums) };
  },
  merge: (a, b) => (b === null ? null : addSums(a, Object.entries(b))),
  show: (state) =>
    state === null
      ? null
      : Object.fromEntries(Object.entries(state).map(([key, number]) => [key, showDecimal(number)])),
  trouble: (state) => (state === null ? `the map has more than ${REDUCE_MAP_KEYS} keys` : null),
};

function addSums(state: Sums, more: readonly (readonly [string, Decimal])[]): Sums {
  if (state === null) return null;
  const sums = new Map(Object.entries(state));
  for (const [key, number] of more) sums.set(key, addDecimals(sums.get(key) ?? "0", number));
  return sums.size > REDUCE_MAP_KEYS ? null : Object.fromEntries(sums);
}

type Ranked = { readonly index: number; readonly by: Decimal; readonly item: Json };

/** The `k` rows with the largest field `by`; of equal ones those that come first in the source. */
export function top(k: number, by: string): Reducer<readonly Ranked[]> {
  const best = (ranked: readonly Ranked[]): readonly Ranked[] =>
    [...ranked].sort((a, b) => compareDecimals(b.by, a.by) || a.index - b.index).slice(0, k);
  return {
    empty: [],
    add(state, _, { index, item, value }) {
      const field = fieldOf(value, by);
      if (isNothing(field)) return MISSING;
      const number = decimalOf(field);
      if (number === null) return UNUSABLE;
      return { kind: "added", state: best([...state, { index, by: number, item: shortened(item) }]) };
    },
    merge: (a, b) => best([...a, ...b]),
    show: (state) => state.map(({ index, by: number, item }) => ({ index, by: showDecimal(number), item })),
  };
}

/** A long item is told by its beginning; numbers beyond 2^53 inside one as their text would be. */
function shortened(item: Json): Json {
  const text = stringifyJson(item);
  return text.length > REDUCE_TEXT_CHARS ? text.slice(0, REDUCE_TEXT_CHARS) : (JSON.parse(text) as Json);
}

function withNumber(value: Json | undefined, add: (number: Decimal) => Decimal): Added<Decimal> {
  if (isNothing(value)) return MISSING;
  const number = decimalOf(value);
  return number === null ? UNUSABLE : { kind: "added", state: add(number) };
}

function isNothing(value: Json | undefined): value is null | undefined {
  return value === undefined || value === null;
}

/** A number, or text that is one: what databases give for numbers that no double holds. */
function decimalOf(value: Json): Decimal | null {
  if (isExactNumber(value)) return parseDecimal(value.rawJSON);
  if (typeof value === "number") return parseDecimal(String(value));
  return typeof value === "string" ? parseDecimal(value) : null;
}
