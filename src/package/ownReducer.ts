/** Reducers of a project's own: `core/reduce/reducer.ts`, as it is. */
import type { Reducer } from "../core/reduce/reducer.ts";
import type { Json } from "../core/spec.ts";

/** See `core/reduce/reducer.ts` for what `add` and `merge` must hold. */
export type OwnReducer<State extends Json> = Reducer<State>;

/** A reducer, with the type of its state found out. */
export function defineReducer<State extends Json>(reducer: OwnReducer<State>): OwnReducer<State> {
  return reducer;
}
