/** JSON pointers (RFC 6901): "" is the whole value, "/a/0/b" a part of it. */
import { isExactNumber } from "./json.ts";
import type { Json } from "./spec.ts";

/** The steps of a pointer; its form was checked before. */
export function pointerSteps(pointer: string): readonly string[] {
  const steps = pointer.split("/").slice(1);
  return steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** What stands at a path, or undefined where nothing stands. */
export function jsonAt(value: Json, path: readonly string[]): Json | undefined {
  let at: Json | undefined = value;
  for (const step of path) {
    if (typeof at !== "object" || at === null || isExactNumber(at) || !Object.hasOwn(at, step))
      return undefined;
    at = (at as { readonly [key: string]: Json })[step];
  }
  return at;
}
