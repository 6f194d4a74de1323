/** What the user calls a field of a spec: the flag its value came from, or its path in the file. */

import { printable } from "../words/printable.ts";
import type { Flags } from "./arguments.ts";

/** `--rate` for `quota.requests`, where that flag was given; else the path itself, in `file`. */
export function fieldName(path: string, flags: Flags, file: string | null): string {
  const fitting = FLAG_OF.filter(([field]) => isWithin(path, field));
  // A flag that was given comes first: nobody looks for a mistake in one that he did not type.
  const flag = fitting.find(([, name]) => flags.has(name)) ?? (file === null ? fitting[0] : undefined);
  if (flag === undefined) return file === null ? path : `${printable(file)}: ${path === "" ? "spec" : path}`;
  const below = path.slice(flag[0].length + 1);
  return below === "" || flag[1] !== "header" ? `--${flag[1]}` : `--${flag[1]} ${printable(below)}`;
}

/** The flag that `path` is about: its own, or one whose field is a part of it; the typed one first. Null: of none. */
export function flagFor(path: string, flags: Flags): string | null {
  const fitting = FLAG_OF.filter(([field]) => isWithin(path, field));
  const [, flag = null] = fitting.find(([, name]) => flags.has(name)) ?? fitting[0] ?? [];
  return flag;
}

/** True where what is wrong at `path` may come of a flag that was refused, and so left out. */
export function mayFollow(path: string, refused: ReadonlySet<string>): boolean {
  return FLAG_OF.some(
    ([field, flag]) => refused.has(flag) && (isWithin(path, field) || isWithin(field, path)),
  );
}

const FLAG_OF: readonly (readonly [field: string, flag: string])[] = [
  ["source.format", "format"],
  ["source.delimiter", "delimiter"],
  ["source", "input"],
  ["task.url", "url"],
  ["task.method", "method"],
  ["task.headers", "header"],
  ["task.body", "data"],
  ["task.timeoutMs", "timeout"],
  ["task.expect", "expect"],
  ["task.value", "value"],
  ["task.batch", "batch"],
  ["tolerate.failureRate", "tolerate"],
  ["smoke.items", "smoke"],
  ["quota.target", "target"],
  ["quota.requests", "rate"],
  ["quota.burst", "burst"],
  ["quota.perHost", "per-host"],
  ["quota.tokens", "tokens"],
  ["budget.tokens", "budget-tokens"],
  ["budget.calls", "budget-calls"],
  ["budget.dollars", "budget-dollars"],
  ["quota", "rate"],
  ["window.timeZone", "time-zone"],
  ["window.days", "days"],
  ["window", "window"],
  ["ramp", "ramp"],
  ["deadline", "deadline"],
  ["share.weight", "weight"],
  ["maxParallelism", "parallel"],
  ["chunkSize", "chunk"],
  ["retry.maxAttempts", "max-attempts"],
  ["retry.maxRetryAfterMs", "max-retry-after"],
  ["pacing.minIntervalMs", "min-interval"],
  ["pacing.jitterMs", "jitter"],
  ["name", "name"],
];

function isWithin(path: string, field: string): boolean {
  return field === "" || path === field || path.startsWith(`${field}.`);
}
