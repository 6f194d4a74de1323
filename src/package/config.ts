/** The whole of what a project adds to Weir. */
import type { z } from "zod";
import type { Json } from "../core/spec.ts";
import type { TaskOutcome } from "../tasks/task.ts";
import type { OwnReducer } from "./ownReducer.ts";
import type { OwnSource } from "./ownSource.ts";
import type { OwnCallContext } from "./ownTask.ts";

interface OfAnySettings {
  readonly settings?: ((zod: typeof z) => z.ZodObject) | undefined;
}

/** What `defineTask` returns, whatever its settings are. */
export interface AnyOwnTask extends OfAnySettings {
  run(item: Json, context: OwnCallContext, settings: never, client: never): Promise<TaskOutcome>;
}

/** What `defineSource` returns, whatever its settings are. */
export interface AnyOwnSource extends OfAnySettings {
  count(...of: Parameters<OwnSource<never>["count"]>): number | Promise<number>;
  read(...of: Parameters<OwnSource<never>["read"]>): Iterable<Json> | AsyncIterable<Json>;
}

/** Each by the kind that a spec names it by: lower-case letters, digits and dashes, and none of Weir's own. */
export interface WeirConfig {
  readonly tasks?: { readonly [kind: string]: AnyOwnTask };
  readonly sources?: { readonly [kind: string]: AnyOwnSource };
  /** Named by a rule of `reduce`: `{"own": "name"}`. */
  readonly reducers?: { readonly [name: string]: OwnReducer<Json> };
}

/** The default export of `weir.config.ts`. */
export function defineWeir(config: WeirConfig): WeirConfig {
  return config;
}
