/** Shapes of the API's answers about schedules. */
import { z } from "@hono/zod-openapi";
import { FIRE_OUTCOMES, OVERLAPS } from "../core/schedule/scheduleState.ts";
import type { Json } from "../core/spec.ts";

const count = z.int().min(0);
const time = z.iso.datetime();

/** One instant of a schedule and what came of it. */
export const fireViewSchema = z
  .object({
    scheduledAt: time.openapi({ description: "what {{scheduledAt}} stands for in its run" }),
    cause: z.enum(["cron", "manual"]),
    outcome: z.enum(FIRE_OUTCOMES),
    why: z.string().nullable(),
    run: z.string().nullable(),
    watermark: time.nullable().openapi({ description: "what {{watermark}} stands for in its run" }),
    firedAt: time,
    startedAt: time.nullable(),
    endedAt: time.nullable(),
  })
  .openapi("Fire");

/** A schedule as everybody sees it. */
export const scheduleViewSchema = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    task: z.string().openapi({ description: "the kind of its task and the task's URL, shortened" }),
    status: z.enum(["active", "paused"]),
    why: z.string().openapi({ description: "one sentence: what the schedule does or waits for" }),
    cron: z.string(),
    timeZone: z.string(),
    overlap: z.enum(OVERLAPS),
    catchUpMs: count,
    pauseAfterFailures: count,
    advanceWithFailures: z.boolean(),
    watermark: time.nullable(),
    failuresInRow: count,
    createdAt: time,
    next: z.array(time).readonly().openapi({ description: "the next instants; none while it is paused" }),
    open: z.array(fireViewSchema).readonly().openapi({ description: "fires that wait, start or run" }),
    last: fireViewSchema.nullable().openapi({ description: "the last fire that is over" }),
    spec: z
      .custom<{ readonly [key: string]: Json }>()
      .optional()
      .openapi({ type: "object", description: "with its placeholders; absent in lists" }),
  })
  .openapi("Schedule");

export const scheduleParams = z.object({ id: z.string().openapi({ example: "s_1k2m3n4p5abcdefghj" }) });
