/**
 * Reducers of a project that extends Weir, added when its Worker starts; a spec names one `{"own": "name"}`.
 * What a reducer must hold is said in `reducer.ts`; docs/reduce.md shows one.
 */

import type { Json } from "../spec.ts";
import type { Reducer } from "./reducer.ts";

/** By name. Has no prototype: a name such as "constructor" finds nothing. */
export const ownReducers: Record<string, Reducer<Json>> = Object.create(null);
