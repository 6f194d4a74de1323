/**
 * Reducers of your own: a module like this one's neighbours and one line here; a spec names it `{"own": "name"}`.
 * What a reducer must hold is said in `reducer.ts`; docs/reduce.md shows one.
 */

import type { Json } from "../spec.ts";
import type { Reducer } from "./reducer.ts";

/** By name. Has no prototype: a name such as "constructor" finds nothing. */
export const ownReducers: Readonly<Record<string, Reducer<Json>>> = Object.assign(
  Object.create(null),
  {} satisfies Record<string, Reducer<Json>>,
);
