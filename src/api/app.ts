/**
 * The HTTP API as one Hono app: who may ask, then one route file per resource, then one place for errors.
 * Answers are never cached, and every one of them carries the request's id.
 */
import type { Context, Next } from "hono";
import { jsonSchemaOf, specSchemas } from "../runSpec/jsonSchema.ts";
import { patchSchema, retrySchema } from "../runSpec/specSchema.ts";
import { Refusal } from "../runs/refusal.ts";
import { fireSchema, scheduleChangeSchema, scheduleSchema } from "../schedule/settings.ts";
import { permitsSchema, targetChangeSchema, targetSchema } from "../target/settings.ts";
import { authorise } from "./auth.ts";
import { type Api, type ApiEnv, newApi } from "./context.ts";
import { answerError } from "./errors.ts";
import { chunkRoutes } from "./routes/chunks.ts";
import { controlRoutes } from "./routes/control.ts";
import { failureRoutes } from "./routes/failures.ts";
import { inputRoutes } from "./routes/inputs.ts";
import { manifestRoutes } from "./routes/manifest.ts";
import { planRoutes } from "./routes/plans.ts";
import { reindexRoutes } from "./routes/reindex.ts";
import { reportRoutes } from "./routes/report.ts";
import { resultRoutes } from "./routes/results.ts";
import { retryRoutes } from "./routes/retry.ts";
import { runRoutes } from "./routes/runs.ts";
import { scheduleControlRoutes } from "./routes/scheduleControl.ts";
import { scheduleRoutes } from "./routes/schedules.ts";
import { systemRoutes } from "./routes/system.ts";
import { targetPermitRoutes } from "./routes/targetPermits.ts";
import { targetRoutes } from "./routes/targets.ts";
import { uploadRoutes } from "./routes/uploads.ts";

const RESOURCES: readonly Api[] = [
  systemRoutes,
  inputRoutes,
  uploadRoutes,
  planRoutes,
  runRoutes,
  controlRoutes,
  retryRoutes,
  resultRoutes,
  reportRoutes,
  failureRoutes,
  manifestRoutes,
  chunkRoutes,
  scheduleRoutes,
  scheduleControlRoutes,
  targetRoutes,
  targetPermitRoutes,
  reindexRoutes,
];

/** Bodies that handlers check by these schemas themselves: see `describedBody`. */
const BODIES = {
  Patch: patchSchema,
  Retry: retrySchema,
  NewSchedule: scheduleSchema,
  ScheduleChange: scheduleChangeSchema,
  NewFire: fireSchema,
  NewTarget: targetSchema,
  TargetChange: targetChangeSchema,
  PermitsRequest: permitsSchema,
};

/** What operations belong together. */
const TAGS = [
  { name: "Inputs", description: "Files of items, stored under a name." },
  { name: "Runs", description: "Plan, start, look at, steer and delete runs." },
  { name: "Results", description: "Rows, the report, and what both were made of." },
  { name: "Failures", description: "What is still failed, and running it again." },
  { name: "Schedules", description: "Runs by the clock." },
  { name: "Targets", description: "Limits with a name, shared by runs and by other programs." },
  { name: "System", description: "The Worker itself." },
];

/** The app that answers every request of the Worker. */
export function createApp(): Api {
  const app = newApi();
  app.onError((error, c) => answerError(error, c));
  app.notFound((c) =>
    answerError(
      new Refusal(
        "not_found",
        `there is no ${c.req.method} ${c.req.path} in this API: /openapi.json has all of it`,
      ),
      c,
    ),
  );
  app.use(nameRequest);
  app.use(authorise);
  for (const routes of RESOURCES) app.route("/", routes);
  describe(app);
  return app;
}

async function nameRequest(c: Context<ApiEnv>, next: Next): Promise<void> {
  c.set("requestId", c.req.header("cf-ray") ?? crypto.randomUUID());
  await next();
  c.header("x-request-id", c.var.requestId);
  c.header("cache-control", "no-store");
  c.header("x-content-type-options", "nosniff");
}

function describe(app: Api): void {
  const registry = app.openAPIRegistry;
  const { spec, kinds } = specSchemas((name) => `#/components/schemas/${name}`);
  const bodies = Object.entries(BODIES).map(([name, schema]) => [name, jsonSchemaOf(schema)] as const);
  // OpenAPI 3.1 takes JSON Schema as it is.
  for (const [name, schema] of [["Spec", spec] as const, ...Object.entries(kinds), ...bodies]) {
    registry.registerComponent("schemas", name, schema as Component);
  }
  registry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: {
      title: "Weir",
      version: "1",
      description: "Runs a long list of calls against a system that only allows so many per second.",
    },
    security: [{ token: [] }],
    tags: TAGS,
  });
}

type Component = Parameters<Api["openAPIRegistry"]["registerComponent"]>[2];
