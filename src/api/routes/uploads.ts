/** Uploads in pieces, for inputs too large for one request: begin, send pieces in any order, complete or give up. */
import { createRoute, z } from "@hono/zod-openapi";
import { MAX_INPUT_BYTES, MAX_UPLOAD_BODY_BYTES, MAX_UPLOAD_PIECES } from "../../core/limits.ts";
import { Refusal } from "../../runs/refusal.ts";
import { abandonUpload, beginUpload, completeUpload, storePiece } from "../../storage/inputs/uploads.ts";
import { bodyOf } from "../body.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { json, noQuery } from "../schemas.ts";
import { inputParams, inputSchema, linesBody, showInput } from "./inputs.ts";

export const uploadRoutes = newApi();

const PIECE = "must be a whole number";
const uploadParams = inputParams.extend({ id: z.string() });

const begin = createRoute({
  method: "post",
  path: "/v1/inputs/{name}/uploads",
  operationId: "beginUpload",
  tags: ["Inputs"],
  summary: "Begin an upload in pieces",
  request: { params: inputParams, query: noQuery },
  responses: { 201: json(z.object({ id: z.string() }), "The upload's id."), ...errorResponses },
});
uploadRoutes.openapi(begin, async (c) => {
  const outcome = await beginUpload(c.env.BUCKET, c.req.valid("param").name, Date.now());
  if (outcome.kind === "refused") throw new Refusal(outcome.code, outcome.message, outcome.path);
  return c.json({ id: outcome.id }, 201);
});

const piece = createRoute({
  method: "put",
  path: "/v1/inputs/{name}/uploads/{id}/{n}",
  operationId: "storePiece",
  tags: ["Inputs"],
  summary: `Send piece n (0 to ${MAX_UPLOAD_PIECES - 1}), at most ${MAX_UPLOAD_BODY_BYTES} bytes`,
  description: `A piece may end anywhere, even within a line. Sending a number again replaces it. With more than ${MAX_INPUT_BYTES} bytes in all pieces together the upload is refused, and its pieces are removed.`,
  request: {
    params: uploadParams.extend({ n: z.coerce.number({ error: PIECE }).int({ error: PIECE }) }),
    query: noQuery,
    body: linesBody,
  },
  responses: { 200: json(z.object({ n: z.int(), bytes: z.int() }), "Stored."), ...errorResponses },
});
uploadRoutes.openapi(piece, async (c) => {
  const { name, id, n } = c.req.valid("param");
  const outcome = await storePiece(c.env.BUCKET, { name, id, n }, bodyOf(c.req.raw));
  if (outcome.kind === "refused") throw new Refusal(outcome.code, outcome.message, outcome.path);
  if (outcome.kind === "not-found") throw unknownUpload(id);
  return c.json({ n, bytes: outcome.bytes }, 200);
});

const complete = createRoute({
  method: "post",
  path: "/v1/inputs/{name}/uploads/{id}/complete",
  operationId: "completeUpload",
  tags: ["Inputs"],
  summary: "Join the pieces into the input",
  request: { params: uploadParams, query: noQuery },
  responses: { 201: json(inputSchema, "Stored."), ...errorResponses },
});
uploadRoutes.openapi(complete, async (c) => {
  const { name, id } = c.req.valid("param");
  const outcome = await completeUpload(c.env.BUCKET, { name, id }, { nowMs: Date.now() });
  if (outcome.kind === "refused") throw new Refusal(outcome.code, outcome.message, outcome.path);
  if (outcome.kind === "not-found") throw unknownUpload(id);
  return c.json(showInput(outcome.input), 201);
});

const abandon = createRoute({
  method: "delete",
  path: "/v1/inputs/{name}/uploads/{id}",
  operationId: "abandonUpload",
  tags: ["Inputs"],
  summary: "Give an upload in pieces up: its pieces are removed",
  request: { params: uploadParams, query: noQuery },
  responses: { 204: { description: "Removed." }, ...errorResponses },
});
uploadRoutes.openapi(abandon, async (c) => {
  const { name, id } = c.req.valid("param");
  const outcome = await abandonUpload(c.env.BUCKET, { name, id });
  if (outcome.kind === "not-found") throw unknownUpload(id);
  return c.body(null, 204);
});

function unknownUpload(id: string): Refusal {
  return new Refusal("not_found", `there is no open upload ${JSON.stringify(id.slice(0, 64))}`);
}
