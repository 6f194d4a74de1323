/** The end of `run`, `retry` and `resume` alike: follow the run, fetch its rows, say how it went. */
import type { RunView } from "../core/run/runView.ts";
import type { Connection } from "./connection.ts";
import { EXIT, exitCodeOf } from "./exit.ts";
import type { Flags } from "./flags/arguments.ts";
import { type Ending, follow } from "./follow.ts";
import type { Interrupts } from "./process/interrupts.ts";
import { type GrowingPartial, growPartial } from "./rows/growingPartial.ts";
import { printJson, say, wantsColour } from "./rows/output.ts";
import { fromHere, orderedOf } from "./rows/outTarget.ts";
import { writeRows } from "./rows/rowsOut.ts";
import { pathToRemember, type RunOut, recallFiles, rememberFiles } from "./runFiles.ts";
import type { StateFolder } from "./runtime/stateFolder.ts";
import { endingLines, type Rows } from "./words/endingLines.ts";
import { failedMost } from "./words/failureLines.ts";
import { awaitNotice } from "./words/notice.ts";
import { printable } from "./words/printable.ts";
import { createProgress, type Progress } from "./words/progress.ts";
import { type Report, reportLines } from "./words/report.ts";
import { shellWord } from "./words/shellWord.ts";

export interface Drive {
  readonly flags: Flags;
  readonly interrupts: Interrupts;
  readonly isDetached: boolean;
  /** Where what goes with the run is remembered. */
  readonly folder: StateFolder;
  /** Where its rows go; null: nowhere but into Weir. */
  readonly out: RunOut | null;
}

/** Follows `view`'s run (or, detached, leaves it alone) and returns the exit code. */
export async function driveRun(connection: Connection, view: RunView, drive: Drive): Promise<number> {
  const { flags, interrupts, folder, out } = drive;
  connection.announceRun(view.id);
  say(view.id);
  if (out !== null) rememberFiles(folder, view.id, { out: pathToRemember(out), mergedOf: out.mergedOf });
  if (drive.isDetached) {
    if (flags.has("json")) printJson(view);
    else say(`running in the background; check with: weir status ${view.id}${connection.where}`);
    if (out !== null) say(unwritten(out, view.id, connection.where));
    return EXIT.ok;
  }
  const progress = createProgress(process.stderr, { colour: wantsColour(process.stderr) });
  const growing = await growRows(connection, view.id, drive, progress);
  const followed = await follow(connection, view.id, { progress, interrupts }).finally(() =>
    growing?.stop("complete"),
  );
  const rows: Rows =
    followed.kind === "ended" ? await rowsOf(connection, followed.view, out) : { kind: "not-wanted" };
  const told =
    followed.kind === "ended" ? await awaitNotice(connection, followed.view, interrupts) : followed.view;
  const ending: Ending = { ...followed, view: told };
  for (const line of endingLines(ending, rows, connection.where)) say(line);
  if (followed.kind === "ended") {
    for (const line of await failedMost(connection, told)) say(line);
    for (const line of await endReport(connection, told)) say(line);
  }
  if (flags.has("json")) printJson(ending.view);
  return rows.kind === "broke-off"
    ? EXIT.error
    : ending.kind === "waits"
      ? EXIT.waits
      : exitCodeOf(ending.view);
}

/** Of a run that nobody here follows: its rows are written by whoever does. */
function unwritten({ target }: RunOut, run: string, where: string): string {
  const file = target.kind === "stdout" ? null : shellWord(fromHere(target.path));
  const what = file === null ? "no rows are printed" : `${file} is not written`;
  const out = file === null ? "" : ` --out ${file}`;
  return `${what} while nobody here follows the run; when it has ended: weir results ${run}${out}${where}`;
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

/** Null where no file is wanted: a pipe gets its rows at the end, in their order. */
async function growRows(
  connection: Connection,
  run: string,
  { out, folder }: Drive,
  progress: Progress,
): Promise<GrowingPartial | null> {
  if (out?.target.kind !== "file") return null;
  return growPartial({
    client: connection.client,
    run,
    file: out.target.path,
    mine: recallFiles(folder, run).partial,
    remember: (partial) => rememberFiles(folder, run, { partial }),
    note: (line) => progress.note(line),
  });
}

async function rowsOf(connection: Connection, view: RunView, out: RunOut | null): Promise<Rows> {
  if (out === null) return { kind: "not-wanted" };
  const { target, mergedOf } = out;
  const isWhole = view.status === "completed" || view.status === "completed-with-failures";
  const isMerged = isWhole && mergedOf !== null;
  const gathered = target.kind === "file" ? { gatheredIn: orderedOf(target.path) } : {};
  try {
    const to = await writeRows({
      open: () =>
        connection.client.open(`/v1/runs/${isMerged ? mergedOf : view.id}/results`, {
          query: { merged: isMerged || undefined, unreadable: "skip" },
        }),
      target,
      isWhole: async () => isWhole,
      ...gathered,
    });
    return { kind: "written", to, mergedOf: isMerged ? mergedOf : null };
  } catch (error) {
    // The run is done: what cannot be written now can be had again.
    return { kind: "broke-off", reason: error instanceof Error ? error.message : String(error) };
  }
}
