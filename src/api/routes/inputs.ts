/** Inputs: named files of lines, streamed into R2. A run pins the upload it was planned on. */
import { createRoute, z } from "@hono/zod-openapi";
import { MAX_UPLOAD_BODY_BYTES } from "../../core/limits.ts";
import { Refusal } from "../../runs/refusal.ts";
import { deleteInput, deleteUnneededUploads } from "../../storage/inputs/inputCleaning.ts";
import { type InputRecord, listInputs, storeInput } from "../../storage/inputs/inputs.ts";
import { deleteAbandoned } from "../../storage/inputs/uploads.ts";
import { boundedBodyOf } from "../body.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { cursorSchema, json, noQuery, pageQuery } from "../schemas.ts";

export const inputRoutes = newApi();

export const inputSchema = z
  .object({
    name: z.string(),
    bytes: z.int().openapi({ description: "unpacked" }),
    items: z.int().openapi({ description: "lines that are not blank" }),
    createdAt: z.iso.datetime(),
  })
  .openapi("Input");

export const inputParams = z.object({ name: z.string().openapi({ example: "user_ids.txt" }) });

/** A body of lines, plain or gzip. */
export const linesBody = {
  required: true,
  content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } },
} as const;

/** What the API shows of an input. */
export function showInput(input: InputRecord): z.infer<typeof inputSchema> {
  const { name, bytes, items, createdAt } = input;
  return { name, bytes, items, createdAt };
}

const put = createRoute({
  method: "put",
  path: "/v1/inputs/{name}",
  operationId: "storeInput",
  tags: ["Inputs"],
  summary: "Store an input: text lines, plain or gzip; whole or not at all",
  description: `At most ${MAX_UPLOAD_BODY_BYTES} bytes in one request; more goes in pieces.`,
  request: { params: inputParams, query: noQuery, body: linesBody },
  responses: { 201: json(inputSchema, "Stored."), ...errorResponses },
});
inputRoutes.openapi(put, async (c) => {
  const { name } = c.req.valid("param");
  const body = boundedBodyOf(
    c.req.raw,
    MAX_UPLOAD_BODY_BYTES,
    `one request carries at most ${MAX_UPLOAD_BODY_BYTES} bytes: send it in pieces (POST /v1/inputs/${name}/uploads)`,
  );
  const outcome = await storeInput(c.env.BUCKET, name, body, { nowMs: Date.now() });
  if (outcome.kind === "refused") throw new Refusal(outcome.code, outcome.message, outcome.path);
  c.executionCtx.waitUntil(deleteUnneededUploads(c.env, name, Date.now()));
  c.executionCtx.waitUntil(deleteAbandoned(c.env.BUCKET, Date.now()));
  return c.json(showInput(outcome.input), 201);
});

const list = createRoute({
  method: "get",
  path: "/v1/inputs",
  operationId: "listInputs",
  tags: ["Inputs"],
  summary: "Inputs, by name",
  request: { query: z.strictObject(pageQuery) },
  responses: {
    200: json(z.object({ inputs: z.array(inputSchema), cursor: cursorSchema }), "A page of inputs."),
    ...errorResponses,
  },
});
inputRoutes.openapi(list, async (c) => {
  const page = await listInputs(c.env.BUCKET, c.req.valid("query"));
  return c.json({ inputs: page.inputs.map(showInput), cursor: page.cursor }, 200);
});

const remove = createRoute({
  method: "delete",
  path: "/v1/inputs/{name}",
  operationId: "deleteInput",
  tags: ["Inputs"],
  summary: "Delete an input; refused while a run that has not ended reads from it",
  request: { params: inputParams, query: noQuery },
  responses: { 204: { description: "Deleted." }, ...errorResponses },
});
inputRoutes.openapi(remove, async (c) => {
  const { name } = c.req.valid("param");
  const outcome = await deleteInput(c.env, name);
  switch (outcome.kind) {
    case "deleted":
      return c.body(null, 204);
    case "not-found":
      throw new Refusal("not_found", `there is no input ${JSON.stringify(name)}`);
    case "conflict":
      throw new Refusal("conflict", outcome.message);
    default:
      return outcome satisfies never;
  }
});
