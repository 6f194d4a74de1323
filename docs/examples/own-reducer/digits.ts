/** How many values have 1, 2, 3, … digits before the point. */
import { defineReducer } from "weir-run";

export const digits = defineReducer<number[]>({
  empty: [],
  add(state, value) {
    if (value === undefined || value === null) return { kind: "missing" };
    if (typeof value !== "number") return { kind: "unusable" };
    const length = String(Math.trunc(Math.abs(value))).length;
    const one = Array.from({ length }, (_, i) => (i === length - 1 ? 1 : 0));
    return { kind: "added", state: sums(state, one) };
  },
  merge: sums,
  show: (state) => state,
});

function sums(a: readonly number[], b: readonly number[]): number[] {
  const length = Math.max(a.length, b.length);
  return Array.from({ length }, (_, i) => (a[i] ?? 0) + (b[i] ?? 0));
}
