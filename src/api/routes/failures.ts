/** Failures: rows of items that are still failed, as a page of JSON, as a stream of lines, or grouped. */
import { createRoute, z } from "@hono/zod-openapi";
import { ERROR_KINDS } from "../../core/row.ts";
import type { Env } from "../../objects/env.ts";
import { refreshDescendants } from "../../runs/family.ts";
import { viewRun } from "../../runs/runRpc.ts";
import { listFailures, summariseFailures } from "../../storage/index/stillFailed.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { ndjson, streamOfLines } from "../ndjson.ts";
import {
  cursorSchema,
  flag,
  json,
  jsonSchema,
  numberCursor,
  pageQuery,
  rowSchema,
  rows,
  runParams,
} from "../schemas.ts";

export const failureRoutes = newApi();

/** Rows asked of D1 at once while streaming: at most 5 KB each. */
const STREAM_PAGE_ROWS = 500;

const pageSchema = z.object({ failures: z.array(rowSchema), cursor: cursorSchema });
const own = flag.openapi({ description: "true: this run's rows alone, whatever became of them in a retry" });

const KINDS = `must be one or more of ${ERROR_KINDS.join(", ")}, separated by commas`;
const kind = z
  .string()
  .transform((text) => text.split(","))
  .pipe(z.array(z.enum(ERROR_KINDS, { error: KINDS })))
  .optional()
  .openapi({
    type: "string",
    description: "only failures of these kinds, separated by commas",
    example: "timeout,network",
  });

const failures = createRoute({
  method: "get",
  path: "/v1/runs/{id}/failures",
  operationId: "listFailures",
  tags: ["Failures"],
  summary: "What is still failed, in item order",
  description: "With `Accept: application/x-ndjson` all of it, one row a line; else a page of JSON.",
  request: { params: runParams, query: z.strictObject({ ...pageQuery, cursor: numberCursor, own, kind }) },
  responses: {
    200: rows("Failed rows.", pageSchema),
    ...errorResponses,
  },
});
failureRoutes.openapi(failures, async (c) => {
  const { id } = c.req.valid("param");
  const query = c.req.valid("query");
  await viewRun(c.env, id);
  if (!query.own) await refreshDescendants(c.env, id);
  if (/\bapplication\/x-ndjson\b/.test(c.req.header("accept") ?? "")) {
    return ndjson(streamOfLines(failureLines(c.env, { run: id, own: query.own, kinds: query.kind })));
  }
  const page = await listFailures(c.env.DB, {
    run: id,
    own: query.own,
    kinds: query.kind,
    limit: query.limit,
    cursor: query.cursor?.toString(),
  });
  // Rows are passed on as the text they are: integers beyond 2^53 keep their digits.
  const body = `{"failures":[${page.lines.join(",")}],"cursor":${JSON.stringify(page.cursor)}}`;
  return c.body(body, 200, { "content-type": "application/json" });
});

const summary = createRoute({
  method: "get",
  path: "/v1/runs/{id}/failures/summary",
  operationId: "summariseFailures",
  tags: ["Failures"],
  summary: "What is still failed, grouped by kind and message, largest group first",
  request: { params: runParams, query: z.strictObject({ own }) },
  responses: {
    200: json(
      z.object({
        groups: z.array(
          z.object({
            kind: z.enum(ERROR_KINDS),
            message: z.string(),
            count: z.int(),
            samples: z.array(z.object({ index: z.int(), item: jsonSchema })),
          }),
        ),
      }),
      "The groups.",
    ),
    ...errorResponses,
  },
});
failureRoutes.openapi(summary, async (c) => {
  const { id } = c.req.valid("param");
  const query = c.req.valid("query");
  await viewRun(c.env, id);
  if (!query.own) await refreshDescendants(c.env, id);
  const groups = await summariseFailures(c.env.DB, { run: id, own: query.own });
  return c.json({ groups: groups.map((group) => ({ ...group, samples: [...group.samples] })) }, 200);
});

async function* failureLines(
  env: Env,
  query: Pick<Parameters<typeof listFailures>[1], "run" | "own" | "kinds">,
): AsyncGenerator<string> {
  for (let cursor: string | null = null; ; ) {
    const page: Awaited<ReturnType<typeof listFailures>> = await listFailures(env.DB, {
      ...query,
      cursor,
      limit: STREAM_PAGE_ROWS,
    });
    if (page.lines.length > 0) yield `${page.lines.join("\n")}\n`;
    if (page.cursor === null) return;
    cursor = page.cursor;
  }
}
