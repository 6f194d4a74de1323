/** `weir status`: one run in full, or all of them, newest first. Calls no target. */
import { isEnded, type RunView } from "../../core/runView.ts";
import type { Arguments } from "../arguments.ts";
import type { Client } from "../client.ts";
import { connect, isUntouched } from "../connection.ts";
import { EXIT } from "../exit.ts";
import { printJson, say } from "../output.ts";
import { printable } from "../printable.ts";
import { figuresLine } from "../progress.ts";
import { print } from "../stdout.ts";

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
  else print(runs.map((run) => `${listLine(run)}\n`).join("") || "no runs\n");
}

function listLine(view: RunView): string {
  const { counts } = view;
  const done = `${counts.done}/${counts.items ?? "?"}`;
  const name = view.name === null ? "" : `  ${printable(view.name)}`;
  const parent = view.parentRunId === null ? "" : `  retry of ${view.parentRunId}`;
  const why = isEnded(view.status) ? "" : `  ${printable(view.why)}`;
  const created = view.createdAt.slice(0, 19).replace("T", " ");
  return `${view.id}  ${created}  ${view.status.padEnd(9)}  ${done} done, ${counts.failed} failed${name}${parent}${why}`;
}
