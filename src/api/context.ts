/** What every handler of the API finds in its context, and the piece of the API that a route file adds to. */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Env } from "../objects/env.ts";
import { refuseParameters } from "./errors.ts";

export interface ApiEnv {
  Bindings: Env;
  Variables: {
    /** Names the request in error bodies, in the `x-request-id` header and in logs. */
    requestId: string;
  };
}

export type Api = OpenAPIHono<ApiEnv>;

/** An empty API whose routes refuse parameters that do not fit. */
export function newApi(): Api {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => (result.success ? undefined : refuseParameters(result.error)),
  });
}
