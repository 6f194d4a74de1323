/**
 * What a reducer is: a way to combine values of rows, whatever the order in which rows, parts and runs come.
 *
 * `merge` must be associative and commutative, and `add` the same as merging with a state of one row: rows reach the
 * total in parts, and nobody promises which part comes first. A state is plain JSON; numbers in it are decimals as
 * text where they may grow beyond 2^53. Pure: no clock, no chance, no state outside.
 */
import type { Json } from "../spec.ts";

/** A row that went well, as far as reducers see it. */
export interface ReducedRow {
  readonly index: number;
  readonly item: Json;
  readonly value: Json;
}

/** What became of a row's value. */
export type Added<State> =
  | { readonly kind: "added"; readonly state: State }
  /** The row has no such value, or null: as in SQL it is left out. */
  | { readonly kind: "missing" }
  /** The value is of a kind that this reducer cannot use. */
  | { readonly kind: "unusable" };

export interface Reducer<State extends Json> {
  readonly empty: State;
  /** `value` is the field that the rule names, undefined where the row has none. */
  add(state: State, value: Json | undefined, row: ReducedRow): Added<State>;
  merge(a: State, b: State): State;
  /** What the report shows. */
  show(state: State): Json;
  /** Why the state says nothing any more ("more than 1,000 keys"); null while all is well. */
  trouble?(state: State): string | null;
}
