/** The whole of what a project adds to Weir. */
import type { OwnReducer } from "./ownReducer.ts";
import type { OwnSource } from "./ownSource.ts";
import type { OwnTask } from "./ownTask.ts";

/** Each by the kind that a spec names it by: lower-case letters, digits and dashes, and none of Weir's own. */
export interface WeirConfig {
  readonly tasks?: { readonly [kind: string]: OwnTask<never, never> };
  readonly sources?: { readonly [kind: string]: OwnSource<never> };
  /** Named by a rule of `reduce`: `{"own": "name"}`. */
  readonly reducers?: { readonly [name: string]: OwnReducer<never> };
}

/** The default export of `weir.config.ts`. */
export function defineWeir(config: WeirConfig): WeirConfig {
  return config;
}
