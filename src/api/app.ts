/**
 * The HTTP API as one Hono app: who may ask, then one route file per resource, then one place for errors.
 * Answers are never cached, and every one of them carries the request's id.
 */
import { z } from "@hono/zod-openapi";
import type { Context, Next } from "hono";
import { fireSchema, scheduleChangeSchema, scheduleSchema } from "../schedule/settings.ts";
import { patchSchema, retrySchema, specSchema } from "../spec/specSchema.ts";
import { authorise } from "./auth.ts";
import { type Api, type ApiEnv, newApi } from "./context.ts";
import { answerError, Refusal } from "./errors.ts";
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
  reindexRoutes,
];

/** Bodies that handlers check by these schemas themselves: see `describedBody`. */
const BODIES = {
  Spec: specSchema,
  Patch: patchSchema,
  Retry: retrySchema,
  NewSchedule: scheduleSchema,
  ScheduleChange: scheduleChangeSchema,
  NewFire: fireSchema,
};

/** The app that answers every request of the Worker. */
export function createApp(): Api {
  const app = newApi();
  app.onError((error, c) => answerError(error, c));
  app.notFound((c) => answerError(new Refusal("not_found", `no ${c.req.method} ${c.req.path} here`), c));
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
  for (const [name, schema] of Object.entries(BODIES)) {
    registry.registerComponent("schemas", name, bodySchema(schema));
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
  });
}

/** OpenAPI 3.1 takes JSON Schema as it is. */
function bodySchema(schema: z.ZodType): Component {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return rest as Component;
}

type Component = Parameters<Api["openAPIRegistry"]["registerComponent"]>[2];
