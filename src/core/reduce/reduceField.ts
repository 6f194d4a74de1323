/** A field of a row's value: by its name, or by a JSON Pointer (RFC 6901) where the name begins with "/". */
import { isExactNumber } from "../json.ts";
import type { Json } from "../spec.ts";

/** Undefined where the value has no such field. */
export function fieldOf(value: Json, field: string): Json | undefined {
  if (!field.startsWith("/")) return memberOf(value, field);
  let at: Json | undefined = value;
  for (const step of field.slice(1).split("/")) {
    if (at === undefined) return undefined;
    at = memberOf(at, step.replaceAll("~1", "/").replaceAll("~0", "~"));
  }
  return at;
}

function memberOf(value: Json, name: string): Json | undefined {
  if (typeof value !== "object" || value === null || isExactNumber(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as { readonly [key: string]: Json })[name] : undefined;
}
