/**
 * Reduce: the small values of a run's ok rows combined into one report, field by field.
 *
 * A lane reduces the rows of a part and sends the totals with the part's commit; the Run merges them in the event that
 * accepts the part. A part is accepted once, whoever wrote it and however often it is offered, so no row counts twice
 * and none is left out: the totals are always those of exactly the committed rows.
 *
 * A row that a rule cannot use fails nothing: the report says how many there were.
 */
import { parseJson } from "../json.ts";
import { REDUCE_OWN_CHARS } from "../limits.ts";
import type { Json, ReduceRule, ReduceSpec } from "../spec.ts";
import { ownReducers } from "./ownReducers.ts";
import { fieldOf } from "./reduceField.ts";
import type { ReducedRow, Reducer } from "./reducer.ts";
import { count, max, mean, mergeMaps, min, sum, top } from "./reducers.ts";

/** One field of the report, on the way. */
export interface FieldTotal {
  readonly state: Json;
  /** Rows whose value was used, missing, of no use. */
  readonly values: number;
  readonly missing: number;
  readonly unusable: number;
  /** Lowest index of an unusable one; null without. */
  readonly firstUnusable: number | null;
  /** Why there is no total: a reducer failed or grew beyond its bound. */
  readonly broken: string | null;
}

/** By the fields of the spec. */
export type Totals = { readonly [field: string]: FieldTotal };

/** A field of the report as it is shown. */
export interface FieldReport {
  readonly value: Json;
  readonly values: number;
  readonly missing: number;
  readonly unusable: number;
  /** What is to be known of the value, as a sentence; null when there is nothing. */
  readonly note: string | null;
}

/** The totals of these rows' lines; rows that failed count for nothing. */
export function reduceRows(
  spec: ReduceSpec,
  rows: Iterable<{ readonly ok: boolean; readonly line: string }>,
): Totals {
  const read: ReducedRow[] = [];
  for (const { ok, line } of rows) if (ok) read.push(readRow(line));
  return byField(spec, (rule, field) =>
    read.reduce((total, row) => addRow(rule, field, total, row), nothing(rule)),
  );
}

/** No rows. */
export function noTotals(spec: ReduceSpec): Totals {
  return byField(spec, nothing);
}

/** The totals of both; associative and commutative. */
export function mergeTotals(spec: ReduceSpec, a: Totals, b: Totals): Totals {
  return byField(spec, (rule, field) =>
    mergeField(rule, a[field] ?? nothing(rule), b[field] ?? nothing(rule)),
  );
}

/** What people see of the totals. */
export function showTotals(spec: ReduceSpec, totals: Totals): { readonly [field: string]: FieldReport } {
  return byField(spec, (rule, field) => showField(rule, totals[field] ?? nothing(rule)));
}

/** The totals that are one number or text, for a run's view: maps and lists are the report's. */
export function shortTotals(spec: ReduceSpec, totals: Totals): { readonly [field: string]: Json } {
  const shown = Object.entries(showTotals(spec, totals)).map(([field, { value }]) => [field, value] as const);
  return Object.fromEntries(shown.filter(([, value]) => typeof value !== "object" || value === null));
}

/** The reducer of a rule, and the field it looks at; null for a reducer that is not there any more. */
export function reducerOf(rule: ReduceRule, name: string): { reducer: Reducer<Json>; field: string } | null {
  if (typeof rule === "string") return { reducer: SIMPLE[rule], field: name };
  if ("mean" in rule) return { reducer: known(mean(rule.mean)), field: name };
  if ("top" in rule) return { reducer: known(top(rule.top, rule.by)), field: name };
  const own = ownReducers[rule.own];
  return own === undefined ? null : { reducer: own, field: rule.of ?? name };
}

/** A state goes only to the reducer that it came from: the rule says which. */
function known<State extends Json>(reducer: Reducer<State>): Reducer<Json> {
  return reducer as unknown as Reducer<Json>;
}

const SIMPLE = {
  sum: known(sum),
  count: known(count),
  min: known(min),
  max: known(max),
  mean: known(mean(null)),
  merge: known(mergeMaps),
} as const;

function byField<T>(
  spec: ReduceSpec,
  make: (rule: ReduceRule, field: string) => T,
): { readonly [field: string]: T } {
  return Object.fromEntries(Object.entries(spec).map(([field, rule]) => [field, make(rule, field)]));
}

function nothing(rule: ReduceRule): FieldTotal {
  const state = reducerOf(rule, "")?.reducer.empty ?? null;
  return { state, values: 0, missing: 0, unusable: 0, firstUnusable: null, broken: null };
}

function addRow(rule: ReduceRule, name: string, total: FieldTotal, row: ReducedRow): FieldTotal {
  const found = reducerOf(rule, name);
  if (found === null) return { ...total, broken: notThere(rule) };
  if (total.broken !== null) return total;
  try {
    const added = found.reducer.add(total.state, fieldOf(row.value, found.field), row);
    if (added.kind === "missing") return { ...total, missing: total.missing + 1 };
    if (added.kind === "added")
      return bounded(rule, { ...total, state: added.state, values: total.values + 1 });
    const firstUnusable = Math.min(total.firstUnusable ?? row.index, row.index);
    return { ...total, unusable: total.unusable + 1, firstUnusable };
  } catch (fault) {
    return broken(total, fault);
  }
}

function mergeField(rule: ReduceRule, a: FieldTotal, b: FieldTotal): FieldTotal {
  const firsts = [a.firstUnusable, b.firstUnusable].filter((index) => index !== null);
  const counted = {
    values: a.values + b.values,
    missing: a.missing + b.missing,
    unusable: a.unusable + b.unusable,
    firstUnusable: firsts.length === 0 ? null : Math.min(...firsts),
  };
  const reducer = reducerOf(rule, "")?.reducer;
  const wrong = a.broken ?? b.broken ?? (reducer === undefined ? notThere(rule) : null);
  if (wrong !== null || reducer === undefined) return { state: null, ...counted, broken: wrong };
  try {
    return bounded(rule, { state: reducer.merge(a.state, b.state), ...counted, broken: null });
  } catch (fault) {
    return broken({ state: null, ...counted, broken: null }, fault);
  }
}

function showField(rule: ReduceRule, total: FieldTotal): FieldReport {
  const { values, missing, unusable, firstUnusable } = total;
  const reducer = reducerOf(rule, "")?.reducer;
  const trouble =
    total.broken ?? (reducer === undefined ? notThere(rule) : (reducer.trouble?.(total.state) ?? null));
  const value = total.broken !== null || reducer === undefined ? null : reducer.show(total.state);
  const passedOver =
    unusable === 0 ? null : `${unusable} values cannot be used, the first at index ${firstUnusable}`;
  const absent = values === 0 && missing > 0 ? "no row has this value" : null;
  const note = [trouble, absent, passedOver].filter((sentence) => sentence !== null).join("; ");
  return { value, values, missing, unusable, note: note === "" ? null : note };
}

/** The built-in states have bounds of their own; one of yours must not grow with the run either. */
function bounded(rule: ReduceRule, total: FieldTotal): FieldTotal {
  const isOwn = typeof rule === "object" && "own" in rule;
  if (!isOwn || JSON.stringify(total.state).length <= REDUCE_OWN_CHARS) return total;
  return { ...total, state: null, broken: `the total is longer than ${REDUCE_OWN_CHARS} characters` };
}

function broken(total: FieldTotal, fault: unknown): FieldTotal {
  const message = fault instanceof Error ? fault.message : String(fault);
  return { ...total, state: null, broken: `the reducer failed: ${message.slice(0, 200)}` };
}

function notThere(rule: ReduceRule): string {
  return `there is no reducer ${JSON.stringify(rule)}`;
}

/** Rows are ours alone: each has these. */
function readRow(line: string): ReducedRow {
  const { index, item, value } = parseJson(line) as { readonly [key: string]: Json };
  return { index: Number(index), item: item ?? null, value: value ?? null };
}
