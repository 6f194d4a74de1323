/** Named targets: make, list, get, change, remove. */
import { createRoute, z } from "@hono/zod-openapi";
import { MAX_TARGETS, SCHEDULES_AT_ONCE } from "../../core/limits.ts";
import { isEnded } from "../../core/run/runView.ts";
import type { TargetSettings } from "../../core/target/targetSettings.ts";
import type { TargetView } from "../../core/target/targetView.ts";
import type { Env } from "../../objects/env.ts";
import { targetByName } from "../../objects/targetStub.ts";
import { Refusal, refuseField } from "../../runs/refusal.ts";
import { callRun } from "../../runs/runRpc.ts";
import {
  countTargets,
  deleteTargetRecord,
  deleteTargetRow,
  listTargets,
  upsertTarget,
  writeTargetRecord,
} from "../../storage/index/targets.ts";
import { parseTarget, parseTargetChange } from "../../target/settings.ts";
import { readJson } from "../body.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { inGroups } from "../inGroups.ts";
import { cursorSchema, describedBody, json, noQuery, pageQuery } from "../schemas.ts";
import { targetParams, targetViewSchema } from "../targetSchemas.ts";

export const targetRoutes = newApi();

const put = createRoute({
  method: "put",
  path: "/v1/targets/{name}",
  operationId: "setTarget",
  tags: ["Targets"],
  summary: "Make a target, or set all its limits anew",
  description: "Other limits act on all its runs within 3 s.",
  request: { params: targetParams, query: noQuery, body: describedBody("NewTarget") },
  responses: { 200: json(targetViewSchema, "The target as it is now."), ...errorResponses },
});
targetRoutes.openapi(put, async (c) => {
  const { name } = c.req.valid("param");
  const parsed = parseTarget((await readJson(c)).value);
  if (parsed.kind === "invalid") throw refuseField(parsed);
  const isThere = (await targetByName(c.env, name).settings()) !== null;
  if (!isThere && (await countTargets(c.env.DB)) >= MAX_TARGETS)
    throw new Refusal("too_many", `there are ${MAX_TARGETS} targets, the most there may be`);
  return c.json(await save(c.env, name, parsed.settings), 200);
});

const list = createRoute({
  method: "get",
  path: "/v1/targets",
  operationId: "listTargets",
  tags: ["Targets"],
  summary: "Targets, by name",
  request: { query: z.strictObject(pageQuery) },
  responses: {
    200: json(z.object({ targets: z.array(targetViewSchema), cursor: cursorSchema }), "A page."),
    ...errorResponses,
  },
});
targetRoutes.openapi(list, async (c) => {
  const { names, cursor } = await listTargets(c.env.DB, c.req.valid("query"));
  return c.json({ targets: await viewsOf(c.env, names), cursor }, 200);
});

const get = createRoute({
  method: "get",
  path: "/v1/targets/{name}",
  operationId: "getTarget",
  tags: ["Targets"],
  summary: "One target: who holds what, who waits, the limit in force and why",
  request: { params: targetParams, query: noQuery },
  responses: { 200: json(targetViewSchema, "The target as it is now."), ...errorResponses },
});
targetRoutes.openapi(get, async (c) => c.json(await viewTarget(c.env, c.req.valid("param").name), 200));

const change = createRoute({
  method: "patch",
  path: "/v1/targets/{name}",
  operationId: "changeTarget",
  tags: ["Targets"],
  summary: "Change a target: only the keys that are there, null restores the default",
  description: "It acts on all its runs within 3 s.",
  request: { params: targetParams, query: noQuery, body: describedBody("TargetChange") },
  responses: { 200: json(targetViewSchema, "The target as it is now."), ...errorResponses },
});
targetRoutes.openapi(change, async (c) => {
  const { name } = c.req.valid("param");
  const { value } = await readJson(c);
  const before = await targetByName(c.env, name).settings();
  if (before === null) throw noTarget(name);
  const parsed = parseTargetChange(value, before);
  if (parsed.kind === "invalid") throw refuseField(parsed);
  return c.json(await save(c.env, name, parsed.settings), 200);
});

const remove = createRoute({
  method: "delete",
  path: "/v1/targets/{name}",
  operationId: "removeTarget",
  tags: ["Targets"],
  summary: "Remove a target that no run uses",
  description: "A conflict names the runs that have not ended.",
  request: { params: targetParams, query: noQuery },
  responses: { 204: { description: "Removed." }, ...errorResponses },
});
targetRoutes.openapi(remove, async (c) => {
  const { name } = c.req.valid("param");
  const view = await targetByName(c.env, name).view();
  if (view === null) {
    // A removal that broke off may have left them.
    await forgetTarget(c.env, name);
    throw noTarget(name);
  }
  const { runs } = view;
  // A run that has ended may not have been able to report it.
  const gone = await inGroups(runs, SCHEDULES_AT_ONCE, async (run) =>
    (await isOver(c.env, run)) ? [run] : [],
  );
  await targetByName(c.env, name).detach(gone.flat());
  const outcome = await targetByName(c.env, name).destroy();
  if (outcome.kind === "conflict") throw new Refusal("conflict", outcome.message);
  await forgetTarget(c.env, name);
  return c.body(null, 204);
});

/** The name in R2 first: a target that exists can always be found again. Safe to repeat where it broke off. */
async function save(env: Env, name: string, settings: TargetSettings): Promise<TargetView> {
  await writeTargetRecord(env.BUCKET, name, { name, ...settings });
  const view = await targetByName(env, name).put(name, settings);
  await upsertTarget(env.DB, view);
  return view;
}

async function forgetTarget(env: Env, name: string): Promise<void> {
  await deleteTargetRecord(env.BUCKET, name);
  await deleteTargetRow(env.DB, name);
}

/** The target as it is now; refuses with `not_found`. */
async function viewTarget(env: Env, name: string): Promise<TargetView> {
  const view = await targetByName(env, name).view();
  if (view === null) throw noTarget(name);
  return view;
}

export function noTarget(name: string): Refusal {
  return new Refusal("not_found", `there is no target ${JSON.stringify(name)}`);
}

async function isOver(env: Env, run: string): Promise<boolean> {
  const view = await callRun(env, run, (one) => one.view());
  return view === null || isEnded(view.status);
}

/** A row without its object is left of a removal that broke off. */
async function viewsOf(env: Env, names: readonly string[]): Promise<TargetView[]> {
  const seen = await inGroups(names, SCHEDULES_AT_ONCE, (name) => targetByName(env, name).view());
  return seen.filter((view) => view !== null);
}
