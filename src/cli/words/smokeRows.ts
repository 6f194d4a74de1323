/** The rows of a smoke stage as lines for a person who has to say whether the run may go on. */
import { createInterface } from "node:readline";
import { parseJson, stringifyJson } from "../../core/json.ts";
import type { Row } from "../../core/row.ts";
import type { RunView } from "../../core/run/runView.ts";
import type { Client } from "../client.ts";
import { counted, cut, printable } from "./printable.ts";

/** What is looked at on one screen. */
const ROWS_SHOWN = 20;
const COLUMNS_LEAST = 80;

/** A line for each of the first rows, the failed ones first; then how many more there are. */
export async function smokeLines(client: Client, view: RunView, where: string): Promise<readonly string[]> {
  const path = `/v1/runs/${encodeURIComponent(view.id)}/results`;
  const failed = await firstRows(client, path, "failed", ROWS_SHOWN);
  const ok = await firstRows(client, path, "ok", ROWS_SHOWN - failed.length);
  const columns = Math.max(COLUMNS_LEAST, process.stderr.columns ?? COLUMNS_LEAST);
  const shown = [...failed, ...ok].map((line) => cut(`  ${printable(rowLine(line))}`, columns));
  const more = view.counts.done - shown.length;
  return more > 0 ? [...shown, `  and ${counted(more, "row")} more: weir results ${view.id}${where}`] : shown;
}

/** What tells a right answer from a wrong one: the item, the status, and the value or what went wrong. */
function rowLine(line: string): string {
  const row = parseJson(line) as unknown as Row;
  const said = row.ok ? stringifyJson(row.value ?? null) : row.error?.message;
  const mark = row.ok ? "ok    " : "failed";
  return `${mark}  ${String(row.status ?? "").padEnd(3)}  ${stringifyJson(row.item)}  ${said ?? ""}`;
}

async function firstRows(client: Client, path: string, only: string, most: number): Promise<string[]> {
  const lines: string[] = [];
  if (most === 0) return lines;
  const body = await client.open(path, { query: { only } });
  try {
    for await (const line of createInterface({ input: body })) {
      if (lines.push(line) >= most) break;
    }
  } finally {
    body.destroy();
  }
  return lines;
}
