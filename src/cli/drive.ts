/** The end of `run`, `retry` and `resume` alike: follow the run, fetch its rows, say how it went. */
import { isEnded, type RunView } from "../core/runView.ts";
import type { Flags } from "./arguments.ts";
import type { Connection } from "./connection.ts";
import { EXIT } from "./exit.ts";
import { type Ending, follow } from "./follow.ts";
import type { Interrupts } from "./interrupts.ts";
import { awaitNotice, noticeLine } from "./notice.ts";
import { downloadRows, printJson, say, wantsColour } from "./output.ts";
import { count, duration, printable } from "./printable.ts";
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
    else say(`it goes on by itself; look at it with: weir status ${view.id}${connection.where}`);
    return EXIT.ok;
  }
  const progress = createProgress(process.stderr, { colour: wantsColour(process.stderr) });
  const followed = await follow(connection, view.id, { progress, interrupts });
  const written =
    followed.kind === "ended" ? await writeRows(connection, followed.view, flags.get("out")) : null;
  const told =
    followed.kind === "ended" ? await awaitNotice(connection, followed.view, interrupts) : followed.view;
  const ending: Ending = { ...followed, view: told };
  for (const line of endingLines(ending, written, connection.where)) say(line);
  if (followed.kind === "ended") for (const line of await endReport(connection, told)) say(line);
  if (flags.has("json")) printJson(ending.view);
  return exitCode(ending);
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

async function writeRows(connection: Connection, view: RunView, file: string | null): Promise<string | null> {
  if (file === null) return null;
  const isWhole = view.status === "completed" || view.status === "completed-with-failures";
  return downloadRows(connection.client, { path: `/v1/runs/${view.id}/results`, file, isWhole });
}

/** What a person wants to know now, and the commands to go on with. */
function endingLines(ending: Ending, written: string | null, where: string): readonly string[] {
  const { view } = ending;
  const { id, counts } = view;
  const failed = counts.failed > 0 ? `weir failures ${id}${where}   weir retry ${id}${where}` : null;
  if (ending.kind === "waits") {
    const why = ending.interrupted ? "paused" : printable(view.why);
    const done = `${count(counts.done)} of ${counts.items === null ? "?" : count(counts.items)} items are done`;
    const resume = `weir run --resume ${id}${where}`;
    const approve = view.status === "awaiting-approval" ? `weir approve ${id}${where}, then ` : "";
    return [`${why}; ${done}; go on with: ${approve}${resume}`, ...usageLines(view)];
  }
  const calls = `${count(counts.attempts + counts.throttled)} calls, ${count(counts.throttled)} throttled`;
  const lines = [
    `${view.status}${tookOf(view)}: ${count(counts.ok)} ok, ${count(counts.failed)} failed; ${calls}`,
  ];
  lines.push(...usageLines(view));
  if (view.status === "failed") lines.push(printable(view.why));
  lines.push(written === null ? `rows: weir results ${id}${where}` : `rows: ${printable(written)}`);
  if (view.parentRunId !== null) {
    lines.push(`together with the run it retries: weir results ${view.parentRunId} --merged${where}`);
  }
  if (failed !== null) lines.push(`failed: ${failed}`);
  if (view.status === "failed") lines.push(`go on with: weir run --resume ${id}${where}`);
  const notice = noticeLine(view);
  if (notice !== null) lines.push(notice);
  return lines;
}

/** Tokens and what they cost; what came to nothing apart. */
function usageLines({ usage }: RunView): readonly string[] {
  if (usage === null) return [];
  const { rows, spent } = usage;
  const price = spent.dollars === null ? "" : `, $${spent.dollars.toFixed(4)}`;
  const wasted =
    spent.inputTokens + spent.outputTokens - rows.inputTokens - rows.outputTokens + spent.unreportedTokens;
  const lost = wasted > 0 ? `; ${count(wasted)} of them for tries that gave no row` : "";
  return [`tokens: ${count(spent.inputTokens)} in, ${count(spent.outputTokens)} out${price}${lost}`];
}

function tookOf(view: RunView): string {
  if (view.startedAt === null || view.endedAt === null) return "";
  return ` after ${duration(Date.parse(view.endedAt) - Date.parse(view.startedAt))}`;
}

function exitCode(ending: Ending): number {
  if (ending.kind === "waits" || !isEnded(ending.view.status)) return EXIT.waits;
  if (ending.view.status === "completed") return EXIT.ok;
  return ending.view.status === "completed-with-failures"
    ? EXIT.completedWithFailures
    : EXIT.failedOrCancelled;
}
