/**
 * The statement that inserts a page of records, and the records as it takes them: one parameter of JSON for a whole
 * page, so that the server turns text into the columns' own types and no number of columns is too many.
 * Pure. Names are quoted; nothing of a spec or a file is ever part of a statement otherwise.
 */

import { stringifyJson } from "../../core/json.ts";
import { jsonAt, pointerSteps } from "../../core/jsonPointer.ts";
import type { JsonRecord } from "./jsonLines.ts";

export interface LoadSettings {
  readonly table: string;
  readonly columns: readonly string[] | Readonly<Record<string, string>>;
  readonly onConflict: "skip" | "update";
  readonly key: readonly string[] | null;
}

export interface LoadPlan {
  readonly table: string;
  readonly columns: readonly { readonly name: string; readonly path: readonly string[] }[];
  /** Null: rows that are there already are left alone. */
  readonly key: readonly string[] | null;
  /** Rows that are there already get the file's values. */
  readonly updates: boolean;
  /** A record as the JSON text of a row; a field that is missing is NULL. */
  rowOf(record: JsonRecord): string;
}

export type PlannedLoad =
  | { readonly kind: "ok"; readonly plan: LoadPlan }
  | { readonly kind: "invalid"; readonly path: string; readonly message: string };

/** What the settings say, checked; invalid carries the first complaint. */
export function planLoad({ table, columns: given, onConflict, key }: LoadSettings): PlannedLoad {
  const columns = Array.isArray(given)
    ? (given as readonly string[]).map((name) => ({ name, path: [name] }))
    : Object.entries(given).map(([name, pointer]) => ({ name, path: pointerSteps(pointer as string) }));
  const names = columns.map(({ name }) => name);
  if (names.length === 0) return invalid("columns", "names no column");
  const twice = names.find((name, n) => names.indexOf(name) !== n);
  if (twice !== undefined) return invalid("columns", `names ${twice} twice`);
  const updates = onConflict === "update";
  if (updates && key === null)
    return invalid("key", 'must name the columns of a unique key for "onConflict": "update"');
  if (!updates && key !== null) return invalid("key", 'is for "onConflict": "update"');
  const missing = key?.find((name) => !names.includes(name));
  if (missing !== undefined) return invalid("key", `names ${missing}, which is none of the columns`);
  const fields = columns.map(({ name, path }) => ({ json: JSON.stringify(name), path }));
  const rowOf = (record: JsonRecord): string => {
    const members: string[] = [];
    for (const { json, path } of fields) {
      const value = jsonAt(record, path);
      if (value !== undefined) members.push(`${json}:${stringifyJson(value)}`);
    }
    return `{${members.join(",")}}`;
  };
  return { kind: "ok", plan: { table, columns, key, updates, rowOf } };
}

function invalid(path: string, message: string): PlannedLoad {
  return { kind: "invalid", path, message };
}

/**
 * One statement with one parameter, a JSON list of rows. It returns one row: how many were inserted, how many updated.
 * Of rows with the same key in one page the last one counts where rows are updated: one statement cannot touch a row
 * twice.
 */
export function insertOf({ table, columns, key, updates }: LoadPlan): string {
  const path = tablePath(table);
  const names = columns.map(({ name }) => quoted(name)).join(", ");
  const insert = `INSERT INTO ${path} (${names}) SELECT ${names} FROM `;
  const records = `json_populate_recordset(NULL::${path}, $1::json)`;
  if (!updates || key === null) {
    return (
      `WITH done AS (${insert}${records} ON CONFLICT DO NOTHING RETURNING 1) ` +
      "SELECT count(*), 0 FROM done"
    );
  }
  const keys = key.map(quoted).join(", ");
  const changes = columns
    .filter(({ name }) => !key.includes(name))
    .map(({ name }) => `${quoted(name)} = EXCLUDED.${quoted(name)}`);
  const act = changes.length === 0 ? "DO NOTHING" : `DO UPDATE SET ${changes.join(", ")}`;
  const last =
    `(SELECT DISTINCT ON (${keys}) * FROM ROWS FROM (${records}) WITH ORDINALITY AS numbered ` +
    `ORDER BY ${keys}, ordinality DESC) AS last`;
  return (
    `WITH done AS (${insert}${last} ON CONFLICT (${keys}) ${act} RETURNING xmax = 0 AS new) ` +
    "SELECT count(*) FILTER (WHERE new), count(*) FILTER (WHERE NOT new) FROM done"
  );
}

/** "orders" or "sales.orders", as the catalog has them. */
function tablePath(table: string): string {
  const dot = table.indexOf(".");
  if (dot < 0) return quoted(table);
  return `${quoted(table.slice(0, dot))}.${quoted(table.slice(dot + 1))}`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
