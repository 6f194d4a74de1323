/**
 * The tasks there are: one line each. A spec names one by its kind. Those of a project that extends Weir are added when
 * its Worker starts (docs/own-task.md).
 */
import { httpTask } from "./http/http.ts";
import { llmTask } from "./llm/llm.ts";
import { postgresLoadTask } from "./postgres/postgresLoad.ts";
import { postgresRangeTask } from "./postgres/postgresRange.ts";
import { scrapeTask } from "./scrape/scrape.ts";
import type { Task } from "./task.ts";

/** By kind. Has no prototype: a kind such as "constructor" finds nothing. */
export const taskRegistry: Record<string, Task<unknown, unknown>> = Object.assign(Object.create(null), {
  http: httpTask,
  llm: llmTask,
  "postgres-load": postgresLoadTask,
  "postgres-range": postgresRangeTask,
  scrape: scrapeTask,
} satisfies Record<string, Task<unknown, unknown>>);

/** The task of a kind; null when there is none. */
export function taskOf(kind: string): Task<unknown, unknown> | null {
  return taskRegistry[kind] ?? null;
}

/** Adds a task under its kind. Throws for one that there is. */
export function addTask(task: Task<never, never>): void {
  if (taskRegistry[task.kind] !== undefined) throw new Error(`there is a task ${task.kind} already`);
  taskRegistry[task.kind] = task as unknown as Task<unknown, unknown>;
}
