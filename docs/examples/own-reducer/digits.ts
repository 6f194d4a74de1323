/** How many values have 1, 2, 3, … digits before the point. */
import type { Reducer } from "../../../src/core/reduce/reducer.ts";
import type { Json } from "../../../src/core/spec.ts";

export const digits: Reducer<Json> = {
  empty: [],
  add(state, value) {
    if (value === undefined || value === null) return { kind: "missing" };
    if (typeof value !== "number") return { kind: "unusable" };
    const length = String(Math.trunc(Math.abs(value))).length;
    const one = Array.from({ length }, (_, i) => (i === length - 1 ? 1 : 0));
    return { kind: "added", state: digits.merge(state, one) };
  },
  merge(a, b) {
    const [one, other] = [a as number[], b as number[]];
    const length = Math.max(one.length, other.length);
    return Array.from({ length }, (_, i) => (one[i] ?? 0) + (other[i] ?? 0));
  },
  show: (state) => state,
};
