/** `weir status`: one run in full, or all of them, newest first. Calls no target. */
import { isEnded, type RunView } from "../../core/run/runView.ts";
import type { Client } from "../client.ts";
import { connect, isUntouched } from "../connection.ts";
import { EXIT } from "../exit.ts";
import type { Arguments } from "../flags/arguments.ts";
import { printJson, say } from "../rows/output.ts";
import { print } from "../stdout.ts";
import { withoutRow } from "../words/endingLines.ts";
import { columnsOf, count, counted, duration, printable } from "../words/printable.ts";
import { figuresLine } from "../words/progress.ts";

export async function statusCommand({ words, flags }: Arguments): Promise<number> {
  const [run] = words;
  if (run === undefined && isUntouched(flags)) {
    if (flags.has("json")) printJson([]);
    else say("nothing was run here yet");
    return EXIT.ok;
  }
  const connection = await connect(flags, "status");
  try {
    if (run === undefined) await printAll(connection.client, flags.has("json"));
    else await printOne(connection.client, run, flags.has("json"));
    return EXIT.ok;
  } finally {
    await connection.close();
  }
}

/** A run as a person reads it. */
export function runLines(view: RunView, nowMs: number): readonly string[] {
  const { spec, chunks } = view;
  const fields: readonly (readonly [string, string | null])[] = [
    ["run", view.id],
    ["name", view.name],
    ["status", view.status],
    ["why", view.why],
    ["retry of", view.parentRunId],
    ["task", typeof spec.task.url === "string" ? `${spec.task.kind} ${spec.task.url}` : spec.task.kind],
    ["progress", figuresLine(view, nowMs)],
    [
      "chunks",
      `${chunks.done} done, ${chunks.active} active, ${chunks.pending} pending, ${chunks.total} in all`,
    ],
    ["no row", withoutRow(view) === 0 ? null : counted(withoutRow(view), "item")],
    ["totals", view.totals == null ? null : JSON.stringify(view.totals)],
    ["created", view.createdAt],
    ["started", view.startedAt],
    ["ended", view.endedAt],
  ];
  return fields.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(9)} ${printable(value)}`]));
}

async function printOne(client: Client, run: string, asJson: boolean): Promise<void> {
  const view = await client.ask<RunView>("GET", `/v1/runs/${encodeURIComponent(run)}`);
  if (asJson) printJson(view);
  else print(`${runLines(view, Date.now()).join("\n")}\n`);
}

async function printAll(client: Client, asJson: boolean): Promise<void> {
  const runs: RunView[] = [];
  let cursor: string | null = null;
  do {
    const query = { limit: 100, ...(cursor === null ? {} : { cursor }) };
    const page: { runs: RunView[]; cursor: string | null } = await client.ask("GET", "/v1/runs", { query });
    runs.push(...page.runs);
    cursor = page.cursor;
  } while (cursor !== null);
  if (asJson) printJson(runs);
  else if (runs.length === 0) print("no runs\n");
  else print(`${listLines(runs, Date.now()).join("\n")}\n`);
}

/** A table of runs, as it is printed. Exported for its test. */
export function listLines(runs: readonly RunView[], nowMs: number): readonly string[] {
  const rows = runs.map((view) => cells(view, nowMs));
  const widths = HEADER.map((_, column) =>
    Math.max(...[HEADER, ...rows].map((row) => columnsOf(row[column] ?? ""))),
  );
  return [HEADER, ...rows].map((row) =>
    row
      .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - columnsOf(cell)))
      .join("  ")
      .trimEnd(),
  );
}

const HEADER = ["RUN", "CREATED (UTC)", "STATUS", "DONE", "FAILED", "TOOK", "WHAT"];

function cells(view: RunView, nowMs: number): readonly string[] {
  const { counts } = view;
  const what = [
    view.name,
    view.parentRunId === null ? null : `retry of ${view.parentRunId}`,
    isEnded(view.status) ? null : view.why,
  ];
  return [
    view.id,
    view.createdAt.slice(0, 19).replace("T", " "),
    view.status,
    `${count(counts.done)}/${counts.items === null ? "?" : count(counts.items)}`,
    count(counts.failed),
    tookOf(view, nowMs),
    printable(what.filter((part) => part !== null).join("; ")),
  ];
}

/** From its start to its end, or to now. */
function tookOf({ startedAt, endedAt }: RunView, nowMs: number): string {
  if (startedAt === null) return "";
  return duration((endedAt === null ? nowMs : Date.parse(endedAt)) - Date.parse(startedAt));
}
