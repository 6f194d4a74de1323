/** The tasks there are: one line each. A spec names one by its kind. How to add one: docs/own-task.md. */
import { httpTask } from "./http/http.ts";
import { llmTask } from "./llm/llm.ts";
import { postgresLoadTask } from "./postgres/postgresLoad.ts";
import { postgresRangeTask } from "./postgres/postgresRange.ts";
import { scrapeTask } from "./scrape/scrape.ts";
import type { Task } from "./task.ts";

/** By kind. Has no prototype: a kind such as "constructor" finds nothing. */
export const taskRegistry: Readonly<Record<string, Task<unknown, unknown>>> = Object.assign(
  Object.create(null),
  {
    http: httpTask,
    llm: llmTask,
    "postgres-load": postgresLoadTask,
    "postgres-range": postgresRangeTask,
    scrape: scrapeTask,
  } satisfies Record<string, Task<unknown, unknown>>,
);

/** The task of a kind; null when there is none. */
export function taskOf(kind: string): Task<unknown, unknown> | null {
  return taskRegistry[kind] ?? null;
}
