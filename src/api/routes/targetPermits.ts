/** Permits of a named target for programs that are not Weir, and the 429s that such programs saw. */
import { createRoute } from "@hono/zod-openapi";
import { targetByName } from "../../objects/targetStub.ts";
import { Refusal, refuseField } from "../../runs/refusal.ts";
import { parsePermits } from "../../target/settings.ts";
import { readJson } from "../body.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { describedBody, json, noQuery } from "../schemas.ts";
import { permitsAnswerSchema, targetParams } from "../targetSchemas.ts";
import { noTarget } from "./targets.ts";

export const targetPermitRoutes = newApi();

const take = createRoute({
  method: "post",
  path: "/v1/targets/{name}/permits",
  operationId: "takePermits",
  tags: ["Targets"],
  summary: "Permits for calls of another program, from the target's reserve; answered at once",
  description:
    "Each permit is an instant: send the call that long after the answer, at most `graceMs` later, or not at all. Runs give way to what programs ask for, up to the reserve. Permits that are not used are lost.",
  request: { params: targetParams, query: noQuery, body: describedBody("PermitsRequest", false) },
  responses: { 200: json(permitsAnswerSchema, "Permits, or when to ask again."), ...errorResponses },
});
targetPermitRoutes.openapi(take, async (c) => {
  const { name } = c.req.valid("param");
  const parsed = parsePermits((await readJson(c, {})).value);
  if (parsed.kind === "invalid") throw refuseField(parsed);
  const outcome = await targetByName(c.env, name).permits(parsed.ask);
  if (outcome.kind === "not-found") throw noTarget(name);
  if (outcome.kind === "conflict") throw new Refusal("conflict", outcome.message);
  return c.json(outcome.value, 200);
});
