/** Reindex: the catalog, the failures and the lists of schedules and targets in D1 made anew from R2 and the Run objects. */
import { createRoute, z } from "@hono/zod-openapi";
import { type ReindexCursor, reindex } from "../../background/reindexer.ts";
import { REINDEX_SLICE_MS } from "../../core/limits.ts";
import { refuseField } from "../../runs/refusal.ts";
import { reindexSchedules } from "../../schedule/reindexer.ts";
import { reindexTargets } from "../../target/reindexer.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { CURSOR, cursorSchema, json } from "../schemas.ts";

export const reindexRoutes = newApi();

const count = z.int().min(0);

const rebuild = createRoute({
  method: "post",
  path: "/v1/reindex",
  operationId: "reindex",
  tags: ["System"],
  summary:
    "Rebuild the catalog, the failures and the lists of schedules and targets in D1 from R2 and the objects",
  description: `Safe to repeat, and while runs go on. A call ends after about ${REINDEX_SLICE_MS / 1000} s; with a cursor in its answer there is more to do: ask again with it. The counts are those of one call. Idempotency keys are not rebuilt.`,
  request: { query: z.strictObject({ cursor: z.string().max(200).optional() }) },
  responses: {
    200: json(
      z.object({
        schedules: count.openapi({ description: "schedules entered into their list, by the first call" }),
        targets: count.openapi({ description: "targets entered into their list, by the first call" }),
        runs: count.openapi({ description: "runs entered into the catalog" }),
        parts: count.openapi({ description: "committed parts gone through" }),
        failures: count.openapi({ description: "failed rows in them, now in D1" }),
        cursor: cursorSchema.openapi({ description: "for the next call; null when all is done" }),
      }),
      "What this call did.",
    ),
    ...errorResponses,
  },
});
reindexRoutes.openapi(rebuild, async (c) => {
  const { cursor } = c.req.valid("query");
  const from = cursor === undefined ? null : readCursor(cursor);
  const schedules = from === null ? await reindexSchedules(c.env) : 0;
  const targets = from === null ? await reindexTargets(c.env) : 0;
  const { next, ...done } = await reindex(c.env, from, { untilMs: Date.now() + REINDEX_SLICE_MS });
  return c.json({ schedules, targets, ...done, cursor: next === null ? null : writeCursor(next) }, 200);
});

function writeCursor({ run, place }: ReindexCursor): string {
  return place === null ? run : [run, place.chunk, place.n, place.ok, place.failed].join(".");
}

function readCursor(text: string): ReindexCursor {
  const [, run, rest] = /^([A-Za-z0-9_-]{1,64})((?:\.\d{1,15}){4})?$/.exec(text) ?? [];
  if (run === undefined) throw refuseField({ path: "cursor", message: CURSOR });
  if (rest === undefined) return { run, place: null };
  const [chunk = 0, n = 0, ok = 0, failed = 0] = rest.slice(1).split(".").map(Number);
  return { run, place: { chunk, n, ok, failed } };
}
