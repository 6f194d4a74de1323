/** Runs: create, list, get, delete. */
import { createRoute, z } from "@hono/zod-openapi";
import { RUN_VIEWS_AT_ONCE } from "../../core/limits.ts";
import { isEnded, RUN_STATUSES, type RunView } from "../../core/run/runView.ts";
import type { Env } from "../../objects/env.ts";
import { refreshCatalog, refuseUnfinishedDescendants } from "../../runs/family.ts";
import { Refusal } from "../../runs/refusal.ts";
import { newRunId, randomBytes } from "../../runs/runId.ts";
import { callRun, controlRun, viewEndedRun, viewRun } from "../../runs/runRpc.ts";
import { type ReadySpec, readySpec, startRun } from "../../runs/startRun.ts";
import { oneOf } from "../../schema/fields.ts";
import { SourceError } from "../../sources/source.ts";
import { deleteRun, listRuns, pinnedUpload } from "../../storage/index/catalog.ts";
import { deleteFailures } from "../../storage/index/failures.ts";
import { claimIdempotencyKey, releaseIdempotencyKey } from "../../storage/index/idempotency.ts";
import { deleteUnneededUploads } from "../../storage/inputs/inputCleaning.ts";
import { sha256Hex } from "../../storage/rows/parts.ts";
import { deleteRunObjects } from "../../storage/runRecord.ts";
import { readJson } from "../body.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { inGroups } from "../inGroups.ts";
import {
  created,
  cursorSchema,
  describedBody,
  idempotencyHeader,
  json,
  noQuery,
  pageQuery,
  runParams,
  runSchema,
} from "../schemas.ts";

export const runRoutes = newApi();

const create = createRoute({
  method: "post",
  path: "/v1/runs",
  operationId: "createRun",
  tags: ["Runs"],
  summary: "Start a run",
  request: {
    query: noQuery,
    headers: idempotencyHeader,
    body: describedBody("Spec"),
  },
  responses: { 201: created(runSchema, "The run."), ...errorResponses },
});
runRoutes.openapi(create, async (c) => {
  const body = await readJson(c);
  const key = c.req.valid("header")["idempotency-key"];
  const id = newId();
  const earlier = key === undefined ? { id, view: null } : await earlierRun(c.env, key, body.bytes);
  const claim = key === undefined ? null : { key, run: earlier.id };
  const view =
    earlier.view ?? (await startRun(c.env, earlier.id, await readyOrGivenBack(c.env, claim, body.value)));
  c.header("location", `/v1/runs/${view.id}`);
  return c.json(view, 201);
});

const list = createRoute({
  method: "get",
  path: "/v1/runs",
  operationId: "listRuns",
  tags: ["Runs"],
  summary: "Runs, newest first",
  request: { query: z.strictObject({ ...pageQuery, status: oneOf(RUN_STATUSES).optional() }) },
  responses: {
    200: json(z.object({ runs: z.array(runSchema), cursor: cursorSchema }), "A page of runs."),
    ...errorResponses,
  },
});
runRoutes.openapi(list, async (c) => {
  const query = c.req.valid("query");
  const page = await listRuns(c.env.DB, query);
  const runs = await asTheyAreNow(c.env, page.runs);
  const wanted = runs.filter((run) => query.status === undefined || run.status === query.status);
  return c.json({ runs: wanted, cursor: page.cursor }, 200);
});

const get = createRoute({
  method: "get",
  path: "/v1/runs/{id}",
  operationId: "getRun",
  tags: ["Runs"],
  summary: "One run",
  request: { params: runParams, query: noQuery },
  responses: { 200: json(runSchema, "The run as it is now."), ...errorResponses },
});
runRoutes.openapi(get, async (c) => c.json(await viewRun(c.env, c.req.valid("param").id), 200));

const remove = createRoute({
  method: "delete",
  path: "/v1/runs/{id}",
  operationId: "deleteRun",
  tags: ["Runs"],
  summary: "Delete an ended run with all it holds: rows, failures, record",
  request: { params: runParams, query: noQuery },
  responses: { 204: { description: "Deleted." }, ...errorResponses },
});
runRoutes.openapi(remove, async (c) => {
  const { id } = c.req.valid("param");
  await viewEndedRun(c.env, id, "deleted");
  await refuseUnfinishedDescendants(c.env, id, "deleted");
  const settings = await callRun(c.env, id, (run) => run.settings());
  await deleteRunObjects(c.env.BUCKET, id);
  await deleteFailures(c.env.DB, id);
  await deleteRun(c.env.DB, id);
  // An object that is gone already has nothing left to destroy.
  if (settings !== null) await controlRun(c.env, id, (run) => run.destroy());
  const input = settings === null ? null : pinnedUpload(settings.itemSource);
  if (input !== null) c.executionCtx.waitUntil(deleteUnneededUploads(c.env, input.name, Date.now()));
  return c.body(null, 204);
});

/** The spec, ready; a key whose spec is refused has made nothing, and may come again with another one. */
async function readyOrGivenBack(
  env: Env,
  claim: { readonly key: string; readonly run: string } | null,
  body: unknown,
): Promise<ReadySpec> {
  try {
    return await readySpec(env, body);
  } catch (error) {
    const isRefused = error instanceof Refusal || error instanceof SourceError;
    if (isRefused && claim !== null) await releaseIdempotencyKey(env.DB, claim);
    throw error;
  }
}

function newId(): string {
  return newRunId(Date.now(), randomBytes());
}

/** The run that a key stands for: its view when it was made, else the id to make it under. */
async function earlierRun(
  env: Env,
  key: string,
  body: Uint8Array,
): Promise<{ readonly id: string; readonly view: RunView | null }> {
  const id = newId();
  const claim = await claimIdempotencyKey(env.DB, {
    key,
    bodySha256: await sha256Hex(body),
    run: id,
    createdAt: new Date().toISOString(),
  });
  switch (claim.kind) {
    case "new":
      return { id, view: null };
    case "same":
      return { id: claim.run, view: await callRun(env, claim.run, (run) => run.view()) };
    case "other":
      throw new Refusal("conflict", "this Idempotency-Key was sent with another body", "Idempotency-Key");
    default:
      return claim satisfies never;
  }
}

/** Snapshots of runs that have not ended are replaced by what the runs say now. */
function asTheyAreNow(env: Env, snapshots: readonly RunView[]): Promise<RunView[]> {
  return inGroups(snapshots, RUN_VIEWS_AT_ONCE, (snapshot) => asItIsNow(env, snapshot));
}

async function asItIsNow(env: Env, snapshot: RunView): Promise<RunView> {
  if (isEnded(snapshot.status)) return snapshot;
  const view = await callRun(env, snapshot.id, (run) => run.view());
  if (view === null) return snapshot;
  if (view.status !== snapshot.status) await refreshCatalog(env, view);
  return view;
}
