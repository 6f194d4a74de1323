/**
 * What a spec may say about each task, by kind: one line each, as in `registry.ts`. Apart from the tasks, because lanes
 * take settings that were checked: what checks them has no place in the heap in which calls are made.
 */
import type { z } from "zod";
import { httpSchema } from "./http/httpSchema.ts";
import { llmSchema } from "./llm/llmSchema.ts";
import { postgresLoadSchema } from "./postgres/postgresLoadSchema.ts";
import { postgresRangeSchema } from "./postgres/postgresRangeSchema.ts";
import { scrapeSchema } from "./scrape/scrapeSchema.ts";

/** Each takes the whole `task` of a spec, its kind included. Has no prototype: a kind such as "constructor" finds nothing. */
export const taskSchemas: Record<string, z.ZodType<unknown>> = Object.assign(Object.create(null), {
  http: httpSchema,
  llm: llmSchema,
  "postgres-load": postgresLoadSchema,
  "postgres-range": postgresRangeSchema,
  scrape: scrapeSchema,
} satisfies Record<string, z.ZodType<unknown>>);
