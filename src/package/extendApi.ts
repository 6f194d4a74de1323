/** What specs may say about a project's own tasks and sources, beside what lanes need of them. */
import { z } from "zod";
import { sourceSchemas } from "../sources/schemas.ts";
import { taskSchemas } from "../tasks/schemas.ts";
import type { WeirConfig } from "./config.ts";
import { extendLanes } from "./extend.ts";

/** For the Worker with the API. Throws what is wrong with the config. */
export function extendApi(config: WeirConfig): void {
  extendLanes(config);
  for (const [kind, { settings }] of Object.entries(config.tasks ?? {}))
    taskSchemas[kind] = schemaOf("tasks", kind, settings);
  for (const [kind, { settings }] of Object.entries(config.sources ?? {}))
    sourceSchemas[kind] = schemaOf("sources", kind, settings).extend({
      // What the source counted when the run was made.
      items: z.int().min(0).optional(),
    }) as unknown as (typeof sourceSchemas)[string];
}

/** Keys that it does not name are refused, as in every spec. */
function schemaOf(
  part: string,
  kind: string,
  settings: ((zod: typeof z) => z.ZodObject) | undefined,
): z.ZodObject {
  const own: unknown = settings?.(z) ?? z.object({});
  if (!(own instanceof z.ZodObject))
    throw new Error(`weir.config: ${part}.${kind}.settings must return z.object({ … })`);
  return own.strict().extend({ kind: z.literal(kind) });
}
