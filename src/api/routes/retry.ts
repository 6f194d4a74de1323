/** Retry: a child run over what an ended run left failed or without a row. */
import { createRoute } from "@hono/zod-openapi";
import { INDEXES_PER_CHUNK } from "../../core/limits.ts";
import type { RunView } from "../../core/run/runView.ts";
import { mergeTask } from "../../runSpec/mergeTask.ts";
import { parseRetry, type RetryChange } from "../../runSpec/schema.ts";
import { refuseField } from "../../runs/refusal.ts";
import { newRunId, randomBytes } from "../../runs/runId.ts";
import { viewEndedRun } from "../../runs/runRpc.ts";
import { readySpec, startRun } from "../../runs/startRun.ts";
import { readJson } from "../body.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { created, describedBody, noQuery, runParams, runSchema } from "../schemas.ts";

export const retryRoutes = newApi();

const retry = createRoute({
  method: "post",
  path: "/v1/runs/{id}/retry",
  operationId: "retryRun",
  tags: ["Failures"],
  summary: "A child run over what is still failed and, of a failed or cancelled run, what never got a row",
  request: { params: runParams, query: noQuery, body: describedBody("Retry", false) },
  responses: { 201: created(runSchema, "The child run."), ...errorResponses },
});
retryRoutes.openapi(retry, async (c) => {
  const { id } = c.req.valid("param");
  const parsed = parseRetry((await readJson(c, {})).value);
  if (parsed.kind === "invalid") throw refuseField(parsed);
  const parent = await viewEndedRun(c.env, id, "retried");
  const ready = await readySpec(c.env, childSpec(parent, parsed.retry));
  const child = newRunId(Date.now(), randomBytes());
  const view = await startRun(c.env, child, ready);
  c.header("location", `/v1/runs/${view.id}`);
  return c.json(view, 201);
});

/** The child's spec as a user would have sent it: it passes every check of a new one. */
function childSpec(parent: RunView, change: RetryChange): object {
  const { spec } = parent;
  return {
    ...spec,
    source: { kind: "failures", run: parent.id, kinds: change.kinds ?? null, retry: true },
    smoke: null,
    // It was the parent's; the hours are the target's.
    deadline: null,
    tolerate: change.tolerate,
    chunkSize: Math.min(spec.chunkSize, INDEXES_PER_CHUNK),
    task: change.task === undefined ? spec.task : mergeTask(spec.task, change.task),
  };
}
