/** Schedules: create, list, get, change, delete. */
import { createRoute, z } from "@hono/zod-openapi";
import { MAX_SCHEDULES, SCHEDULES_AT_ONCE } from "../../core/limits.ts";
import type { ScheduleView } from "../../core/schedule/scheduleView.ts";
import type { Env } from "../../objects/env.ts";
import { scheduleById } from "../../objects/scheduleStub.ts";
import { atAStretch } from "../../runs/atAStretch.ts";
import { Refusal, refuseField } from "../../runs/refusal.ts";
import { randomBytes } from "../../runs/runId.ts";
import { newScheduleId, scheduleIdOf } from "../../schedule/ids.ts";
import { parseSchedule, parseScheduleChange } from "../../schedule/settings.ts";
import {
  countSchedules,
  deleteScheduleRecord,
  deleteScheduleRow,
  listSchedules,
  writeScheduleRecord,
} from "../../storage/index/schedules.ts";
import { sha256Hex } from "../../storage/rows/parts.ts";
import { readJson } from "../body.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { inGroups } from "../inGroups.ts";
import { controlSchedule, noSchedule, viewScheduleById } from "../scheduleRpc.ts";
import { scheduleParams, scheduleViewSchema } from "../scheduleSchemas.ts";
import {
  created,
  cursorSchema,
  describedBody,
  idempotencyHeader,
  json,
  noQuery,
  pageQuery,
} from "../schemas.ts";

export const scheduleRoutes = newApi();

const create = createRoute({
  method: "post",
  path: "/v1/schedules",
  operationId: "createSchedule",
  tags: ["Schedules"],
  summary: "Create a schedule",
  request: { query: noQuery, headers: idempotencyHeader, body: describedBody("NewSchedule") },
  responses: { 201: created(scheduleViewSchema, "The schedule."), ...errorResponses },
});
scheduleRoutes.openapi(create, async (c) => {
  const { value, bytes } = await readJson(c);
  const nowMs = Date.now();
  const parsed = atAStretch(c.env, () => parseSchedule(value, nowMs));
  if (parsed.kind === "invalid") throw refuseField(parsed);
  if ((await countSchedules(c.env.DB)) >= MAX_SCHEDULES) {
    throw new Refusal("too_many", `there are ${MAX_SCHEDULES} schedules, the most there may be`);
  }
  const key = c.req.valid("header")["idempotency-key"];
  const id = key === undefined ? newScheduleId(nowMs, randomBytes()) : await scheduleIdOf(key);
  const { settings, watermarkMs } = parsed;
  const bodySha256 = await sha256Hex(bytes);
  // The name in R2 first: a schedule that exists can always be found again.
  const isThere = (await scheduleById(c.env, id).settings()) !== null;
  if (!isThere) await writeScheduleRecord(c.env.BUCKET, id, { id, ...settings });
  const input = { id, settings, watermarkMs, createdAtMs: nowMs, bodySha256 };
  const view = await controlSchedule(c.env, id, (schedule) => schedule.create(input));
  c.header("location", `/v1/schedules/${view.id}`);
  return c.json(view, 201);
});

const list = createRoute({
  method: "get",
  path: "/v1/schedules",
  operationId: "listSchedules",
  tags: ["Schedules"],
  summary: "Schedules, newest first, without their specs",
  request: { query: z.strictObject(pageQuery) },
  responses: {
    200: json(z.object({ schedules: z.array(scheduleViewSchema), cursor: cursorSchema }), "A page."),
    ...errorResponses,
  },
});
scheduleRoutes.openapi(list, async (c) => {
  const { ids, cursor } = await listSchedules(c.env.DB, c.req.valid("query"));
  return c.json({ schedules: await viewsOf(c.env, ids), cursor }, 200);
});

const get = createRoute({
  method: "get",
  path: "/v1/schedules/{id}",
  operationId: "getSchedule",
  tags: ["Schedules"],
  summary: "One schedule",
  request: { params: scheduleParams, query: noQuery },
  responses: { 200: json(scheduleViewSchema, "The schedule as it is now."), ...errorResponses },
});
scheduleRoutes.openapi(get, async (c) => c.json(await viewScheduleById(c.env, c.req.valid("param").id), 200));

const change = createRoute({
  method: "patch",
  path: "/v1/schedules/{id}",
  operationId: "changeSchedule",
  tags: ["Schedules"],
  summary: "Change a schedule: only the keys that are there, null restores the default",
  description:
    "A new expression or zone counts from now on. A new spec is that of runs started from now on. The watermark may be set back; runs that are under way then do not move it.",
  request: { params: scheduleParams, query: noQuery, body: describedBody("ScheduleChange") },
  responses: { 200: json(scheduleViewSchema, "The schedule as it is now."), ...errorResponses },
});
scheduleRoutes.openapi(change, async (c) => {
  const { id } = c.req.valid("param");
  const { value } = await readJson(c);
  await viewScheduleById(c.env, id);
  const before = await scheduleById(c.env, id).settings();
  if (before === null) throw noSchedule(id);
  const parsed = atAStretch(c.env, () => parseScheduleChange(value, before, Date.now()));
  if (parsed.kind === "invalid") throw refuseField(parsed);
  const { settings, watermarkMs } = parsed;
  const input = { settings, ...(watermarkMs === undefined ? {} : { watermarkMs }) };
  const view = await controlSchedule(c.env, id, (schedule) => schedule.change(input));
  await writeScheduleRecord(c.env.BUCKET, id, { id, ...settings });
  return c.json(view, 200);
});

const remove = createRoute({
  method: "delete",
  path: "/v1/schedules/{id}",
  operationId: "deleteSchedule",
  tags: ["Schedules"],
  summary: "Delete a schedule and its history; its runs stay, and those under way go on",
  request: { params: scheduleParams, query: noQuery },
  responses: { 204: { description: "Deleted." }, ...errorResponses },
});
scheduleRoutes.openapi(remove, async (c) => {
  const { id } = c.req.valid("param");
  await viewScheduleById(c.env, id);
  // Whatever breaks off here, the schedule is there to be deleted until the object has forgotten it.
  await deleteScheduleRecord(c.env.BUCKET, id);
  await scheduleById(c.env, id).destroy();
  await deleteScheduleRow(c.env.DB, id);
  return c.body(null, 204);
});

async function viewsOf(env: Env, ids: readonly string[]): Promise<ScheduleView[]> {
  const seen = await inGroups(ids, SCHEDULES_AT_ONCE, (id) => scheduleById(env, id).view(false));
  return seen.filter((view) => view !== null);
}
