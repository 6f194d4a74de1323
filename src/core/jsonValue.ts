/**
 * Whether a value made by somebody's code is JSON, before it becomes a row: what is not would be lost without a word
 * (a Map is written as {}, NaN as null) or could not be written at all (a BigInt, a cycle).
 *
 * What JSON itself knows how to write is left to it: a Date is its ISO text, as is everything with `toJSON`; fields
 * that are undefined are left out. Walks without recursion, so that depth costs no stack.
 */
import { isExactNumber } from "./json.ts";

/** A value on the way down, and the steps to it. */
interface Place {
  readonly value: unknown;
  readonly step: string;
  readonly above: Place | null;
}

/** One clause that says what is not JSON and where, as in `has a BigInt at /a/0`; null for JSON. */
export function whyNotJson(value: unknown): string | null {
  const open: (Place | { readonly leaves: object })[] = [{ value, step: "", above: null }];
  const seen = new Set<object>();
  const within = new Set<object>();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if ("leaves" in next) {
      within.delete(next.leaves);
      continue;
    }
    const { value: here } = next;
    if (isLeaf(here)) continue;
    const foreign = nameOfForeign(here);
    if (foreign !== null) return `has ${foreign}${placeOf(next)}`;
    const object = here as object;
    if (within.has(object)) return `contains itself${placeOf(next)}`;
    // Reached by another way already: what is in it was looked at.
    if (seen.has(object)) continue;
    seen.add(object);
    within.add(object);
    open.push({ leaves: object });
    const fields = object as { readonly [key: string]: unknown };
    for (const step of Object.keys(object)) open.push({ value: fields[step], step, above: next });
  }
  return null;
}

/** Nothing to look into, and JSON knows how to write it. */
function isLeaf(value: unknown): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return true;
    case "number":
      return Number.isFinite(value);
    case "object":
      return value === null || isExactNumber(value) || "toJSON" in value;
    default:
      return false;
  }
}

/** With its article; null for arrays, plain objects and instances of plain classes. */
function nameOfForeign(value: unknown): string | null {
  if (typeof value === "number") return String(value);
  if (typeof value === "bigint") return "a BigInt";
  if (typeof value !== "object") return `a ${typeof value}`;
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  if (["Object", "Array", "String", "Number", "Boolean"].includes(tag)) return null;
  return `${/^[AEIOU]/.test(tag) ? "an" : "a"} ${tag}`;
}

/** As a JSON pointer. */
function placeOf(place: Place): string {
  const steps: string[] = [];
  for (let at: Place | null = place; at?.above != null; at = at.above)
    steps.unshift(at.step.replaceAll("~", "~0").replaceAll("/", "~1"));
  return steps.length === 0 ? "" : ` at /${steps.join("/")}`;
}
