/** Plans: what a spec would do, how long it would take and what limits it. Starts nothing, calls no target. */
import { createRoute, z } from "@hono/zod-openapi";
import { itemsPerCall } from "../../core/batch.ts";
import { rampSettings } from "../../core/limiter/ramp.ts";
import { reservationOf } from "../../core/limiter/tokenQuota.ts";
import { MAX_CALL_TIMEOUT_MS } from "../../core/limits.ts";
import { estimateCost } from "../../core/plan/cost.ts";
import { estimatePlan, PLANNED_CALL_MS } from "../../core/plan/estimate.ts";
import { planWhen, rampSteps, type When } from "../../core/plan/when.ts";
import { sharesChunks } from "../../core/run/dispatch.ts";
import { configuredPerSecond, configuredTokensPerSecond } from "../../core/run/run.ts";
import type { Json, Spec, TaskSpec } from "../../core/spec.ts";
import { limitsOf } from "../../core/target/targetSettings.ts";
import { isoOrNull } from "../../core/time.ts";
import { deadlineMs } from "../../core/window/deadline.ts";
import type { Env } from "../../objects/env.ts";
import { targetByName } from "../../objects/targetStub.ts";
import { invocationLanes } from "../../run/queues.ts";
import { readySpec } from "../../runs/startRun.ts";
import { openSecretWarnings } from "../../tasks/openSecrets.ts";
import { taskOf } from "../../tasks/registry.ts";
import { readJson } from "../body.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { promptCost } from "../promptCost.ts";
import { describedBody, json } from "../schemas.ts";

export const planRoutes = newApi();

export const planSchema = z
  .object({
    items: z.int(),
    chunks: z.int(),
    limitedBy: z.enum(["quota", "lanes", "items"]),
    etaSeconds: z.number().openapi({
      description: "from now to the end, the hours in which no call leaves included",
    }),
    window: z
      .object({ isOpen: z.boolean(), changesAt: z.iso.datetime().nullable() })
      .nullable()
      .openapi({ description: "the hours as they are now; null where calls may leave at any time" }),
    ramp: z
      .array(
        z.object({
          afterSeconds: z.number(),
          share: z.number(),
          ratePerSecond: z.number().nullable(),
          lanes: z.int(),
        }),
      )
      .nullable()
      .openapi({ description: "the steps of the ramp if each interval is clean; null without one" }),
    deadline: z
      .object({
        at: z.iso.datetime(),
        missedBySeconds: z.int().nullable().openapi({ description: "null: it is kept, or not known" }),
        isKnown: z.boolean().openapi({ description: "false where the number of items is not known" }),
        perSecond: z.number().nullable().openapi({ description: "calls a second that it takes at least" }),
        lanes: z.int().nullable().openapi({ description: "lanes that it takes at least" }),
      })
      .nullable()
      .openapi({ description: "whether it is kept if the run starts now; null without one" }),
    callMs: z.number().openapi({ description: "how long a call is taken to be" }),
    costUsd: z.number().openapi({
      description: "what the platform charges for it when deployed, above what the plan includes",
    }),
    smoke: z
      .object({ items: z.int(), gate: z.enum(["auto", "manual"]), maxFailureRate: z.number() })
      .nullable()
      .openapi({ description: "the stage in which the first items go alone; null without one" }),
    prompts: z
      .object({
        counted: z.int().openapi({ description: "items whose prompts were counted; the rest is reckoned" }),
        inputTokens: z.int(),
        outputTokensMost: z.int().nullable().openapi({ description: "null: answers have no bound" }),
        dollarsLeast: z.number().nullable().openapi({ description: "the prompts alone, at task.price" }),
        dollarsMost: z.number().nullable().openapi({ description: "with the longest answers" }),
      })
      .nullable()
      .openapi({
        description:
          "what the prompts cost at the target with one call an item; null where no tokens are counted",
      }),
    warnings: z.array(z.string()),
    firstRequest: z
      .object({
        method: z.string(),
        url: z.string(),
        headers: z.record(z.string(), z.string()),
        body: z.string().nullable(),
      })
      .nullable()
      .openapi({ description: "what the first item would send, secrets hidden; null when there is none" }),
  })
  .openapi("Plan");

const CALL_MS = `must be a whole number of milliseconds from 1 to ${MAX_CALL_TIMEOUT_MS}`;
/** Nobody has called the target yet: who knows how long it takes may say so. */
const callMsSchema = z.coerce
  .number({ error: CALL_MS })
  .int({ error: CALL_MS })
  .min(1, { error: CALL_MS })
  .max(MAX_CALL_TIMEOUT_MS, { error: CALL_MS })
  .optional()
  .openapi({ description: "how long a call takes, for the estimate; default 200" });

/** A listing is not gone through for a plan. */
const UNKNOWN_ITEMS =
  "how many items there are is known only when the run lists them: items, chunks, time and cost are left at 0";

const TOO_FEW_HOURS =
  "it takes hundreds of openings of the window: the time is that of the calls alone, without the hours between";

const plan = createRoute({
  method: "post",
  path: "/v1/plans",
  operationId: "planRun",
  tags: ["Runs"],
  summary: "What a spec would do; starts nothing",
  request: { query: z.strictObject({ callMs: callMsSchema }), body: describedBody("Spec") },
  responses: { 200: json(planSchema, "The plan."), ...errorResponses },
});
planRoutes.openapi(plan, async (c) => {
  const ready = await readySpec(c.env, (await readJson(c)).value);
  const { spec, items: known, first } = ready;
  const { callMs } = c.req.valid("query");
  const items = known ?? 0;
  const { chunkSize } = spec;
  const tokens = await tokensPerCall(spec, first);
  const shared = ready.target === null ? null : limitsOf(ready.target);
  const ratePerSecond = plannedPerSecond(spec, tokens, shared?.perSecond ?? null);
  const maxParallelism = Math.min(spec.maxParallelism, shared?.lanes ?? spec.maxParallelism);
  const estimate = estimatePlan({
    items,
    chunkSize,
    maxParallelism,
    ratePerSecond,
    ...(callMs === undefined ? {} : { callMs }),
    intervalMs: spec.pacing.minIntervalMs + spec.pacing.jitterMs / 2,
    smokeItems: spec.smoke?.items ?? 0,
    perCall: itemsPerCall(spec),
    lanesPerChunk: lanesPerChunk(c.env, spec),
    isPerHost: (spec.quota?.perHost ?? null) !== null,
  });
  const { chunks } = estimate;
  const nowMs = Date.now();
  const ramp = spec.ramp == null ? null : rampSettings(spec.ramp);
  const when = planWhen({
    nowMs,
    window: spec.window ?? null,
    dueMs: spec.deadline == null ? null : deadlineMs(spec.deadline, nowMs),
    ramp,
    workMs: estimate.etaSeconds * 1000,
    calls: known === null ? null : Math.ceil(known / itemsPerCall(spec)),
    turnMs: Math.max(callMs ?? PLANNED_CALL_MS, spec.pacing.minIntervalMs + spec.pacing.jitterMs / 2),
  });
  const cost = estimateCost({
    items,
    chunks,
    chunkSize,
    lanes: estimate.lanes,
    seconds: estimate.etaSeconds,
  });
  const body = {
    items,
    chunks,
    limitedBy: estimate.limitedBy,
    etaSeconds: when.etaMs === null ? estimate.etaSeconds : Math.ceil(when.etaMs / 1000),
    window:
      when.opening === null
        ? null
        : { isOpen: when.opening.isOpen, changesAt: isoOrNull(when.opening.changesAtMs) },
    ramp:
      ramp === null
        ? null
        : [...rampSteps(ramp, { ratePerSecond: configuredPerSecond(spec), maxParallelism })],
    deadline: deadlineOf(when),
    callMs: callMs ?? PLANNED_CALL_MS,
    costUsd: Number(cost.usd.toFixed(4)),
    smoke: spec.smoke,
    prompts: await promptCost(c.env, ready),
    warnings: [
      ...(known === null ? [UNKNOWN_ITEMS] : estimate.warnings),
      ...warningsOf(c.env, spec),
      ...openSecretWarnings(spec.task),
      ...tokenWarnings(spec, tokens),
      ...(when.etaMs === null ? [TOO_FEW_HOURS] : []),
      ...(await targetWarnings(c.env, spec)),
    ],
    firstRequest: first === null ? null : preview(spec.task, first),
  };
  return c.json(body, 200);
});

function deadlineOf({ deadline }: When) {
  if (deadline === null) return null;
  const { atMs, missedByMs, perSecond, lanes } = deadline;
  return {
    at: new Date(atMs).toISOString(),
    missedBySeconds: missedByMs === null || missedByMs === 0 ? null : Math.ceil(missedByMs / 1000),
    isKnown: missedByMs !== null,
    perSecond,
    lanes,
  };
}

function lanesPerChunk(env: Env, spec: Spec): number {
  const lingers = (taskOf(spec.task.kind)?.lingerMs?.(spec.task) ?? 0) > 0;
  return sharesChunks(spec) && !lingers ? invocationLanes(env, spec.maxParallelism) : 1;
}

function warningsOf(env: Env, { task, maxParallelism }: Spec): readonly string[] {
  return taskOf(task.kind)?.warnings?.(task, { env, maxParallelism }) ?? [];
}

/** Tokens that the first item's call would reserve; null where none are counted, or nobody can say. */
async function tokensPerCall({ task }: Spec, item: Json): Promise<number | null> {
  if (item === null) return null;
  try {
    const cost = await taskOf(task.kind)?.costOf?.(task, item);
    return cost === undefined ? null : reservationOf(null, cost);
  } catch {
    return null;
  }
}

/** Calls per second that all limits allow; `shared`: those of the named target, as if no other run used it. */
function plannedPerSecond(spec: Spec, tokens: number | null, shared: number | null): number | null {
  const own = configuredPerSecond(spec);
  const requests = own === null || shared === null ? (own ?? shared) : Math.min(own, shared);
  const limit = configuredTokensPerSecond(spec);
  if (limit === null || tokens === null) return requests;
  return Math.min(requests ?? Number.POSITIVE_INFINITY, limit / Math.max(1, tokens));
}

function tokenWarnings(spec: Spec, tokens: number | null): readonly string[] {
  if (tokens === null || spec.quota?.tokens == null) return [];
  const each = tokens.toLocaleString("en-US");
  const most = spec.quota.tokenBurst ?? null;
  const judged = `judged by the first item, which reserves ${each} tokens`;
  if (most !== null && tokens > most)
    return [
      `${judged}, more than quota.tokenBurst (${most.toLocaleString("en-US")}): such items fail without a call`,
    ];
  return [judged];
}

/** The estimate is for a run that has the target to itself. */
async function targetWarnings(env: Env, { quota }: Spec): Promise<readonly string[]> {
  const name = quota?.target ?? null;
  if (name === null) return [];
  const { runs = [] } = (await targetByName(env, name).view()) ?? {};
  if (runs.length === 0) return [];
  const others = runs.length === 1 ? "another run shares it" : `${runs.length} other runs share it`;
  return [`as if the run had the target ${name} to itself: ${others} now`];
}

function preview(task: TaskSpec, item: Json) {
  const request = taskOf(task.kind)?.preview(task, item) ?? null;
  return request === null ? null : { ...request, headers: { ...request.headers } };
}
