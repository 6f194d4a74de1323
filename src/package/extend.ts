/**
 * Puts a project's own tasks, sources and reducers beside Weir's. Each Worker does it once, when it starts; a config that
 * cannot be taken ends the start with a sentence that names the entry.
 */
import { ownReducers } from "../core/reduce/ownReducers.ts";
import { addSource } from "../sources/registry.ts";
import { addTask } from "../tasks/registry.ts";
import type { WeirConfig } from "./config.ts";
import { type OwnSource, sourceOf } from "./ownSource.ts";
import { type OwnTask, taskOf } from "./ownTask.ts";

const KIND = /^[a-z][a-z0-9-]{0,39}$/;

/** For the lanes, which take settings that were checked. Throws what is wrong with the config. */
export function extendLanes(config: WeirConfig): void {
  refuseUnknown(config);
  for (const [kind, task] of entries(config, "tasks")) addTask(taskOf(kind, task as OwnTask<unknown, never>));
  for (const [kind, source] of entries(config, "sources"))
    addSource(sourceOf(kind, source as OwnSource<object>));
  for (const [name, reducer] of entries(config, "reducers")) ownReducers[name] = reducer;
}

const PARTS = { tasks: "run", sources: "read", reducers: "merge" } as const;

function entries<Part extends keyof typeof PARTS>(
  config: WeirConfig,
  part: Part,
): [string, NonNullable<WeirConfig[Part]>[string]][] {
  const found = Object.entries(config[part] ?? {}) as [string, NonNullable<WeirConfig[Part]>[string]][];
  for (const [kind, one] of found) {
    if (!KIND.test(kind))
      throw new Error(
        `weir.config: ${part}: "${kind}" cannot be a name; accepted are lower-case letters, digits and dashes`,
      );
    const needed = PARTS[part];
    if (typeof (one as unknown as { readonly [key: string]: unknown } | null)?.[needed] !== "function")
      throw new Error(`weir.config: ${part}.${kind} has no function ${needed}`);
  }
  return found;
}

function refuseUnknown(config: WeirConfig): void {
  if (typeof config !== "object" || config === null)
    throw new Error("weir.config: the default export must be what defineWeir returns");
  const unknown = Object.keys(config).find((key) => !(key in PARTS));
  if (unknown !== undefined)
    throw new Error(`weir.config: ${unknown} is unknown; accepted are ${Object.keys(PARTS).join(", ")}`);
}
