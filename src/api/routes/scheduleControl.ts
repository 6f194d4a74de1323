/** What a schedule does: pause, resume, fire now, and the history of its fires. */
import { createRoute, z } from "@hono/zod-openapi";
import { scheduleById } from "../../objects/scheduleStub.ts";
import { refuseField } from "../../runs/refusal.ts";
import { parseFire } from "../../schedule/settings.ts";
import { readJson } from "../body.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { controlSchedule, viewScheduleById } from "../scheduleRpc.ts";
import { fireViewSchema, scheduleParams, scheduleViewSchema } from "../scheduleSchemas.ts";
import { cursorSchema, describedBody, json, noQuery, numberCursor, pageQuery } from "../schemas.ts";

export const scheduleControlRoutes = newApi();

const request = { params: scheduleParams, query: noQuery } as const;
const responses = { 200: json(scheduleViewSchema, "The schedule as it is now."), ...errorResponses } as const;

const pause = createRoute({
  method: "post",
  path: "/v1/schedules/{id}/pause",
  operationId: "pauseSchedule",
  tags: ["Schedules"],
  summary: "Nothing fires by itself any more; its runs go on",
  request,
  responses,
});
scheduleControlRoutes.openapi(pause, async (c) =>
  c.json(await controlSchedule(c.env, c.req.valid("param").id, (schedule) => schedule.pause()), 200),
);

const resume = createRoute({
  method: "post",
  path: "/v1/schedules/{id}/resume",
  operationId: "resumeSchedule",
  tags: ["Schedules"],
  summary: "Fire again, from the next instant on: what was due meanwhile is not made up for",
  request,
  responses,
});
scheduleControlRoutes.openapi(resume, async (c) =>
  c.json(await controlSchedule(c.env, c.req.valid("param").id, (schedule) => schedule.resume()), 200),
);

const fire = createRoute({
  method: "post",
  path: "/v1/schedules/{id}/fire",
  operationId: "fireSchedule",
  tags: ["Schedules"],
  summary: "Fire now, also while paused",
  description:
    "`at` is the instant that the run is given, default now, never a later one. The overlap policy decides as for any fire: the answer says what came of it. An instant that has its run already gives that one; one that led to no run may be fired again.",
  request: { ...request, body: describedBody("NewFire", false) },
  responses: { 200: json(fireViewSchema, "The fire as it is now."), ...errorResponses },
});
scheduleControlRoutes.openapi(fire, async (c) => {
  const { id } = c.req.valid("param");
  const nowMs = Date.now();
  const parsed = parseFire((await readJson(c, {})).value, nowMs);
  if (parsed.kind === "invalid") throw refuseField(parsed);
  const atMs = parsed.atMs ?? nowMs;
  return c.json(await controlSchedule(c.env, id, (schedule) => schedule.fire(atMs)), 200);
});

const fires = createRoute({
  method: "get",
  path: "/v1/schedules/{id}/runs",
  operationId: "listFires",
  tags: ["Schedules"],
  summary: "Its fires, the latest first: runs, and instants that led to none",
  request: {
    params: scheduleParams,
    query: z.strictObject({ limit: pageQuery.limit, cursor: numberCursor }),
  },
  responses: {
    200: json(z.object({ runs: z.array(fireViewSchema), cursor: cursorSchema }), "A page."),
    ...errorResponses,
  },
});
scheduleControlRoutes.openapi(fires, async (c) => {
  const { id } = c.req.valid("param");
  const { limit, cursor } = c.req.valid("query");
  await viewScheduleById(c.env, id);
  const runs = await scheduleById(c.env, id).fires(cursor ?? null, limit);
  const last = runs[runs.length - 1];
  const next = last === undefined || runs.length < limit ? null : String(Date.parse(last.scheduledAt));
  return c.json({ runs, cursor: next }, 200);
});
