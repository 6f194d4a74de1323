/** Changing a stored task: what `retry` may say differently. */
import type { Json, TaskSpec } from "../core/spec.ts";

/**
 * A task with changes merged into it as by JSON Merge Patch (RFC 7396): objects key by key, null takes a key away.
 * The result is outside input again: `parseTask` checks it.
 */
export function mergeTask(task: TaskSpec, changes: Readonly<Record<string, unknown>>): unknown {
  return mergePatch(task as Json, changes as Json);
}

function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const merged = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), change));
  }
  return Object.fromEntries(merged);
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
