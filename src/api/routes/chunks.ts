/** The ledger: how far every chunk of a run is. */
import { createRoute, z } from "@hono/zod-openapi";
import { callRun, viewRun } from "../../runs/runRpc.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { cursorSchema, json, numberCursor, pageQuery, runParams } from "../schemas.ts";

export const chunkRoutes = newApi();

const chunkSchema = z
  .object({
    chunk: z.int(),
    first: z.int().openapi({ description: "index of its first item" }),
    count: z.int().openapi({ description: "items in it" }),
    state: z.enum(["pending", "active", "done"]),
    done: z.int(),
    ok: z.int(),
    failed: z.int(),
    parts: z.int(),
    deferred: z.int().openapi({ description: "items that wait for their next try" }),
  })
  .openapi("Chunk");

const chunks = createRoute({
  method: "get",
  path: "/v1/runs/{id}/chunks",
  operationId: "listChunks",
  tags: ["Results"],
  summary: "The ledger, chunk by chunk",
  request: {
    params: runParams,
    query: z.strictObject({ ...pageQuery, cursor: numberCursor }),
  },
  responses: {
    200: json(z.object({ chunks: z.array(chunkSchema), cursor: cursorSchema }), "A page of chunks."),
    ...errorResponses,
  },
});
chunkRoutes.openapi(chunks, async (c) => {
  const { id } = c.req.valid("param");
  const { limit, cursor } = c.req.valid("query");
  await viewRun(c.env, id);
  const rows = await callRun(c.env, id, (run) => run.ledger(cursor ?? -1, limit));
  const last = rows.length === limit ? rows[rows.length - 1] : undefined;
  return c.json({ chunks: rows, cursor: last === undefined ? null : String(last.chunk) }, 200);
});
