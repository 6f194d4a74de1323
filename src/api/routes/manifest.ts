/** The manifest: the committed parts of a run, in chunk order. Their counts add up to the run's `counts`. */
import { createRoute, z } from "@hono/zod-openapi";
import { refuseField } from "../../runs/refusal.ts";
import { callRun, viewRun } from "../../runs/runRpc.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { CURSOR, cursorSchema, json, pageQuery, runParams } from "../schemas.ts";

export const manifestRoutes = newApi();

const partSchema = z
  .object({
    chunk: z.int(),
    n: z.int().openapi({ description: "number of the part within its chunk, from 0" }),
    key: z.string(),
    firstIndex: z.int(),
    lastIndex: z.int(),
    ok: z.int(),
    failed: z.int(),
    bytes: z.int(),
    sha256: z.string(),
  })
  .openapi("Part");

const manifest = createRoute({
  method: "get",
  path: "/v1/runs/{id}/manifest",
  operationId: "listParts",
  tags: ["Results"],
  summary: "Committed parts, in chunk order",
  request: { params: runParams, query: z.strictObject(pageQuery) },
  responses: {
    200: json(z.object({ parts: z.array(partSchema), cursor: cursorSchema }), "A page of parts."),
    ...errorResponses,
  },
});
manifestRoutes.openapi(manifest, async (c) => {
  const { id } = c.req.valid("param");
  const { limit, cursor } = c.req.valid("query");
  await viewRun(c.env, id);
  const after = cursor === undefined ? null : readCursor(cursor);
  const parts = await callRun(c.env, id, (run) => run.partsInOrder(after, limit));
  const last = parts.length === limit ? parts[parts.length - 1] : undefined;
  return c.json({ parts, cursor: last === undefined ? null : `${last.chunk}.${last.n}` }, 200);
});

function readCursor(cursor: string): { chunk: number; n: number } {
  const [, chunk, n] = /^(\d{1,9})\.(\d{1,9})$/.exec(cursor) ?? [];
  if (chunk === undefined || n === undefined) {
    throw refuseField({ path: "cursor", message: CURSOR });
  }
  return { chunk: Number(chunk), n: Number(n) };
}
