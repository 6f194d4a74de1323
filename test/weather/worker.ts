/** The product's Worker, whose consumers and Run objects get their bindings through the weather. */
import type { QueueMessage } from "../../src/core/protocol.ts";
import weir from "../../src/index.ts";
import type { Env } from "../../src/objects/env.ts";
import { RunObject as Run } from "../../src/run/object.ts";
import { inWeather } from "./weather.ts";

export class RunObject extends Run {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, inWeather(env));
  }
}

export default {
  fetch: weir.fetch,
  queue: (batch, env) => weir.queue(batch, inWeather(env)),
  scheduled: weir.scheduled,
} satisfies ExportedHandler<Env, QueueMessage>;
