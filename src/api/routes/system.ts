/** Paths without data: whether the Worker is up, its pages, and the description of the API. */
import { createRoute, z } from "@hono/zod-openapi";
import { specDocument } from "../../runSpec/jsonSchema.ts";
import { newApi } from "../context.ts";
import { DOCS_PAGE, HOME_PAGE, PAGE_HEADERS } from "../pages.ts";
import { json, jsonSchema } from "../schemas.ts";

export const systemRoutes = newApi();

const health = createRoute({
  method: "get",
  path: "/healthz",
  operationId: "getHealth",
  tags: ["System"],
  summary: "Is the Worker up?",
  security: [],
  responses: { 200: json(z.object({ ok: z.literal(true) }), "It is.") },
});
systemRoutes.openapi(health, (c) => c.json({ ok: true } as const, 200));

/** Made when it is first asked for: kinds of a project's own come after this module. */
let specSchemaDocument: ReturnType<typeof specDocument> | null = null;
const specSchemaRoute = createRoute({
  method: "get",
  path: "/spec.schema.json",
  operationId: "getSpecSchema",
  tags: ["System"],
  summary: "The keys of a spec as JSON Schema, for editors: `$schema`",
  security: [],
  responses: { 200: json(z.record(z.string(), jsonSchema), "The schema.") },
});
systemRoutes.openapi(specSchemaRoute, (c) => {
  specSchemaDocument ??= specDocument();
  return c.json(specSchemaDocument, 200);
});

systemRoutes.get("/", (c) => c.html(HOME_PAGE, 200, PAGE_HEADERS));

systemRoutes.get("/docs", (c) => c.html(DOCS_PAGE, 200, PAGE_HEADERS));
