/**
 * The report: what `reduce` made of the rows that went well, and how many of the items that are. Live while the run
 * goes: exactly the committed rows so far. With `merged` of the newest row of every item among the run and its retries.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { type FieldReport, showTotals } from "../../core/reduce/reduce.ts";
import type { RunView } from "../../core/run/runView.ts";
import type { ReduceSpec } from "../../core/spec.ts";
import type { Env } from "../../objects/env.ts";
import { familyOfRows } from "../../runs/family.ts";
import { Refusal } from "../../runs/refusal.ts";
import { callRun, viewRun } from "../../runs/runRpc.ts";
import { mergedReport } from "../../storage/rows/mergedReport.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { flag, json, jsonSchema, runParams } from "../schemas.ts";

export const reportRoutes = newApi();

const count = z.int().min(0);

export const reportSchema = z
  .object({
    run: z.string(),
    status: z.string(),
    report: z.record(z.string(), jsonSchema).openapi({
      description: "field → value; a number that no double holds is text with all its digits",
    }),
    coverage: z.object({
      items: count.nullable().openapi({ description: "null until the run is planned" }),
      ok: count,
      failed: count,
      text: z.string().openapi({ example: "1,999,871 of 2,000,000 items" }),
    }),
    fields: z.record(
      z.string(),
      z.object({
        values: count.openapi({ description: "rows whose value was used" }),
        missing: count,
        unusable: count,
        note: z.string().nullable(),
      }),
    ),
  })
  .openapi("Report");

const report = createRoute({
  method: "get",
  path: "/v1/runs/{id}/report",
  operationId: "getReport",
  tags: ["Results"],
  summary: "What reduce made of the rows so far, and how many of the items that covers",
  request: {
    params: runParams,
    query: z.strictObject({
      merged: flag.openapi({
        description: "true: of the newest row of every item among the run and its retries",
      }),
    }),
  },
  responses: { 200: json(reportSchema, "The report."), ...errorResponses },
});
reportRoutes.openapi(report, async (c) => {
  const { id } = c.req.valid("param");
  const view = await viewRun(c.env, id);
  const reduce = view.spec.reduce ?? null;
  if (reduce === null) {
    throw new Refusal("conflict", 'the run has no report: its spec says nothing of "reduce"');
  }
  const { fields, ok, failed } = c.req.valid("query").merged
    ? await fromRows(c.env, reduce, await familyOfRows(c.env, view))
    : await ofRun(c.env, view, reduce);
  const entries = Object.entries(fields);
  const body = {
    run: id,
    status: view.status,
    report: Object.fromEntries(entries.map(([field, { value }]) => [field, value])),
    coverage: { items: view.counts.items, ok, failed, text: coverage(ok, view.counts.items) },
    fields: Object.fromEntries(entries.map(([field, { value: _, ...about }]) => [field, about])),
  };
  return c.json(body, 200);
});

interface Reported {
  readonly fields: { readonly [field: string]: FieldReport };
  readonly ok: number;
  readonly failed: number;
}

/** The Run's own totals; of a run whose object is gone what its rows say. */
async function ofRun(env: Env, view: RunView, reduce: ReduceSpec): Promise<Reported> {
  const fields = await callRun(env, view.id, (run) => run.report());
  if (fields !== null) return { fields, ok: view.counts.ok, failed: view.counts.failed };
  const [own] = await familyOfRows(env, view);
  return fromRows(env, reduce, own === undefined ? [] : [own]);
}

async function fromRows(
  env: Env,
  reduce: ReduceSpec,
  family: Parameters<typeof mergedReport>[1],
): Promise<Reported> {
  const { totals, ok, failed } = await mergedReport(env.BUCKET, family, reduce);
  return { fields: showTotals(reduce, totals), ok, failed };
}

function coverage(ok: number, items: number | null): string {
  return `${grouped(ok)} of ${items === null ? "?" : grouped(items)} items`;
}

function grouped(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}
