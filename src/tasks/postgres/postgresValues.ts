/**
 * What a server's text means, by the type of its column, as JSON for a row; and the way back into a parameter.
 *
 * Numbers keep all their digits: a `bigint` or `numeric` that no double holds is written into the row as it stands.
 * Times are ISO 8601 in UTC with six decimals, so that they sort as text. Types that are not known stay text.
 */
import { exactNumber, isExactNumber, parseJson } from "../../core/json.ts";
import type { Json } from "../../core/spec.ts";
import type { SqlValue, StatementResult } from "./postgresClient.ts";

const BOOL = 16;
const INTEGERS = new Set([20, 21, 23, 26]);
const FLOATS = new Set([700, 701]);
const NUMERIC = 1700;
const JSONS = new Set([114, 3802]);
const JSON_NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;
const TIMESTAMP = 1114;
const TIMESTAMPTZ = 1184;

/** The rows of a result as objects by column name. */
export function rowsOf({ columns, rows }: StatementResult): { readonly [column: string]: Json }[] {
  return rows.map((row) =>
    Object.fromEntries(columns.map(({ name, typeOid }, i) => [name, jsonOf(row[i] ?? null, typeOid)])),
  );
}

/** A value of a column of this type (`pg_type.oid`). */
export function jsonOf(text: string | null, typeOid: number): Json {
  if (text === null) return null;
  if (typeOid === BOOL) return text === "t";
  if (INTEGERS.has(typeOid)) return parseJson(text);
  if (FLOATS.has(typeOid)) return Number.isFinite(Number(text)) ? Number(text) : text;
  if (typeOid === NUMERIC) return decimalOf(text);
  if (JSONS.has(typeOid)) return parseJson(text);
  if (typeOid === TIMESTAMP || typeOid === TIMESTAMPTZ) return timeOf(text);
  return text;
}

/** A field of an item as a parameter. Objects and lists go as their JSON text. */
export function parameterOf(value: Json): SqlValue {
  if (isExactNumber(value)) return value.rawJSON;
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}

/** NaN and the infinities are not JSON numbers and stay text. */
function decimalOf(text: string): Json {
  if (!/^-?[0-9]/.test(text)) return text;
  const number = Number(text);
  if (String(number) === withoutZeros(text)) return number;
  return JSON_NUMBER.test(text) ? exactNumber(text) : text;
}

/** 12.50 is 12.5. */
function withoutZeros(text: string): string {
  return text.includes(".") && !/[eE]/.test(text) ? text.replace(/\.?0+$/, "") : text;
}

/** "2026-01-31 12:00:00.5+00" is "2026-01-31T12:00:00.500000Z"; infinity and years before Christ stay as they are. */
function timeOf(text: string): string {
  const match = /^(\d{4,6}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(\+00)?$/.exec(text);
  if (match === null) return text;
  const [, day, time, fraction = "", zone] = match;
  return `${day}T${time}.${fraction.padEnd(6, "0")}${zone === undefined ? "" : "Z"}`;
}
