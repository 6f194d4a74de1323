/**
 * Kinds of tasks and sources, and reducers, that only the Weir that is asked knows: the one that a project extended with
 * its own (`weir.config.ts`), here or deployed. What a spec says of them is that Weir's to judge, and all else is judged
 * here as ever.
 */
import { z } from "zod";
import { ownReducers } from "../../core/reduce/ownReducers.ts";
import type { Json, SourceSpec } from "../../core/spec.ts";
import { addSource, sourceRegistry } from "../../sources/registry.ts";
import { sourceSchemas } from "../../sources/schemas.ts";
import { addTask, taskOf } from "../../tasks/registry.ts";
import { taskSchemas } from "../../tasks/schemas.ts";
import { findConfig } from "../runtime/ownConfig.ts";
import type { Flags } from "./arguments.ts";

type JsonObject = { readonly [key: string]: Json };

/** Lets what this process does not know pass its own check, where another may know it. */
export function admitForeignKinds(spec: JsonObject | null, flags: Pick<Flags, "has">): void {
  if (spec === null || !(flags.has("remote") || findConfig(process.cwd()) !== null)) return;
  const task = kindOf(spec.task);
  if (task !== null && taskOf(task) === null) {
    const nothing = () => [];
    const unused = async () => {};
    const run = () => Promise.reject(new Error(`the task ${task} runs elsewhere`));
    const admitted = { urls: nothing, secrets: nothing, check: () => null, preview: () => null };
    addTask({ kind: task, ...admitted, open: run, run, close: unused });
    taskSchemas[task] = z.looseObject({ kind: z.literal(task) });
  }
  const source = kindOf(spec.source);
  if (source !== null && sourceRegistry[source] === undefined) {
    const refused = () => Promise.reject(new Error(`the source ${source} is read elsewhere`));
    addSource({ kind: source, pin: refused, plan: refused, read: refused as never });
    sourceSchemas[source] = z.looseObject({ kind: z.literal(source) }) as unknown as z.ZodType<SourceSpec>;
  }
  for (const rule of Object.values(objectOf(spec.reduce))) {
    const { own } = objectOf(rule);
    if (typeof own === "string")
      ownReducers[own] ??= { empty: null, add: elsewhere, merge: elsewhere, show: elsewhere };
  }
}

function elsewhere(): never {
  throw new Error("the reducer runs elsewhere");
}

function kindOf(part: Json | undefined): string | null {
  const { kind } = objectOf(part);
  return typeof kind === "string" && /^[a-z][a-z0-9-]*$/.test(kind) ? kind : null;
}

function objectOf(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}
