/** The end of `run`, `retry` and `resume` alike: follow the run, fetch its rows, say how it went. */
import { isEnded, type RunView } from "../core/runView.ts";
import type { Flags } from "./arguments.ts";
import type { Connection } from "./connection.ts";
import { endingLines, type Rows } from "./endingLines.ts";
import { EXIT } from "./exit.ts";
import { failedMost } from "./failureLines.ts";
import { type Ending, follow } from "./follow.ts";
import type { Interrupts } from "./interrupts.ts";
import { awaitNotice } from "./notice.ts";
import { downloadRows, printJson, say, wantsColour } from "./output.ts";
import { printable } from "./printable.ts";
import { createProgress } from "./progress.ts";
import { type Report, reportLines } from "./report.ts";

/** Follows `view`'s run (or, detached, leaves it alone) and returns the exit code. */
export async function driveRun(
  connection: Connection,
  view: RunView,
  input: { readonly flags: Flags; readonly interrupts: Interrupts; readonly isDetached: boolean },
): Promise<number> {
  const { flags, interrupts } = input;
  connection.announceRun(view.id);
  say(view.id);
  if (input.isDetached) {
    if (flags.has("json")) printJson(view);
    else say(`running in the background; check with: weir status ${view.id}${connection.where}`);
    return EXIT.ok;
  }
  const progress = createProgress(process.stderr, { colour: wantsColour(process.stderr) });
  const followed = await follow(connection, view.id, { progress, interrupts });
  const rows: Rows =
    followed.kind === "ended"
      ? await writeRows(connection, followed.view, flags.get("out"))
      : { kind: "not-wanted" };
  const told =
    followed.kind === "ended" ? await awaitNotice(connection, followed.view, interrupts) : followed.view;
  const ending: Ending = { ...followed, view: told };
  for (const line of endingLines(ending, rows, connection.where)) say(line);
  if (followed.kind === "ended") {
    for (const line of await failedMost(connection, told)) say(line);
    for (const line of await endReport(connection, told)) say(line);
  }
  if (flags.has("json")) printJson(ending.view);
  return rows.kind === "broke-off" ? EXIT.error : exitCode(ending);
}

/** What `reduce` made of the run; of a retry together with the run it retries. */
async function endReport(connection: Connection, view: RunView): Promise<readonly string[]> {
  if (view.spec.reduce == null) return [];
  const path = `/v1/runs/${view.parentRunId ?? view.id}/report`;
  const query = view.parentRunId === null ? {} : { merged: true };
  try {
    return reportLines(await connection.client.ask<Report>("GET", path, { query }));
  } catch (error) {
    // The run is done and its rows are written: that its report cannot be had now changes nothing of it.
    const reason = error instanceof Error ? printable(error.message) : String(error);
    return [`report: ${reason}; ask again with: weir report ${view.id}${connection.where}`];
  }
}

async function writeRows(connection: Connection, view: RunView, file: string | null): Promise<Rows> {
  if (file === null) return { kind: "not-wanted" };
  const isWhole = view.status === "completed" || view.status === "completed-with-failures";
  try {
    const path = `/v1/runs/${view.id}/results`;
    return { kind: "written", to: await downloadRows(connection.client, { path, file, isWhole }) };
  } catch (error) {
    // The run is done: what cannot be written now can be had again.
    return { kind: "broke-off", to: file, reason: error instanceof Error ? error.message : String(error) };
  }
}

function exitCode(ending: Ending): number {
  if (ending.kind === "waits" || !isEnded(ending.view.status)) return EXIT.waits;
  if (ending.view.status === "completed") return EXIT.ok;
  return ending.view.status === "completed-with-failures"
    ? EXIT.completedWithFailures
    : EXIT.failedOrCancelled;
}
