/** What changes a run that exists: pause, resume, cancel, approve, and its limits. */
import { createRoute } from "@hono/zod-openapi";
import { isEnded } from "../../core/run/runView.ts";
import { parsePatch } from "../../runSpec/schema.ts";
import { refuseUnfinishedDescendants } from "../../runs/family.ts";
import { refuseField } from "../../runs/refusal.ts";
import { controlRun, viewRun } from "../../runs/runRpc.ts";
import { readJson } from "../body.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { describedBody, json, noQuery, runParams, runSchema } from "../schemas.ts";

export const controlRoutes = newApi();

const request = { params: runParams, query: noQuery } as const;
const responses = { 200: json(runSchema, "The run as it is now."), ...errorResponses } as const;

const pause = createRoute({
  method: "post",
  path: "/v1/runs/{id}/pause",
  operationId: "pauseRun",
  tags: ["Runs"],
  summary: "No new call from now on; what is under way is committed",
  request,
  responses,
});
controlRoutes.openapi(pause, async (c) => {
  const { id } = c.req.valid("param");
  return c.json(await controlRun(c.env, id, (run) => run.pause("by request")), 200);
});

const resume = createRoute({
  method: "post",
  path: "/v1/runs/{id}/resume",
  operationId: "resumeRun",
  tags: ["Runs"],
  summary: "Go on; continues a failed run too",
  request,
  responses,
});
controlRoutes.openapi(resume, async (c) => {
  const { id } = c.req.valid("param");
  const view = await viewRun(c.env, id);
  // A retry of this run would call the same items.
  if (isEnded(view.status)) await refuseUnfinishedDescendants(c.env, id, "resumed");
  const generation = c.env.WEIR_GENERATION ?? "";
  return c.json(await controlRun(c.env, id, (run) => run.resume(generation)), 200);
});

const cancel = createRoute({
  method: "post",
  path: "/v1/runs/{id}/cancel",
  operationId: "cancelRun",
  tags: ["Runs"],
  summary: "End it: no new call; every committed row is kept",
  request,
  responses,
});
controlRoutes.openapi(cancel, async (c) => {
  const { id } = c.req.valid("param");
  return c.json(await controlRun(c.env, id, (run) => run.cancel()), 200);
});

const approve = createRoute({
  method: "post",
  path: "/v1/runs/{id}/approve",
  operationId: "approveRun",
  tags: ["Runs"],
  summary: "Open the gate of the smoke stage",
  request,
  responses,
});
controlRoutes.openapi(approve, async (c) => {
  const { id } = c.req.valid("param");
  return c.json(await controlRun(c.env, id, (run) => run.approve()), 200);
});

const patch = createRoute({
  method: "patch",
  path: "/v1/runs/{id}",
  operationId: "changeRun",
  tags: ["Runs"],
  summary:
    "Change limits, hours, ramp, deadline, retry or tolerate: merged key by key, null restores the default",
  request: { ...request, body: describedBody("Patch") },
  responses,
});
controlRoutes.openapi(patch, async (c) => {
  const { id } = c.req.valid("param");
  const { value } = await readJson(c);
  const change = parsePatch(value);
  if (change.kind === "invalid") throw refuseField(change);
  return c.json(await controlRun(c.env, id, (run) => run.patch(change.patch)), 200);
});
