/** What a person wants to know when a run has ended or waits, and the commands to go on with. */
import { isEnded, type RunView } from "../../core/run/runView.ts";
import type { Ending } from "../follow.ts";
import { noticeLine } from "./notice.ts";
import { count, counted, duration, printable } from "./printable.ts";

/** What became of the rows that were wanted as a file. */
export type Rows =
  | { readonly kind: "not-wanted" }
  /** `mergedOf`: the run whose rows they are, merged with those of its retries; null: the run's own. */
  | { readonly kind: "written"; readonly to: string; readonly mergedOf: string | null }
  | { readonly kind: "broke-off"; readonly reason: string };

/** The closing lines; `where`: what a `weir` command needs to reach the same Weir. */
export function endingLines(ending: Ending, rows: Rows, where: string): readonly string[] {
  return ending.kind === "waits" ? waitingLines(ending, where) : endedLines(ending.view, rows, where);
}

function waitingLines(ending: Ending & { readonly kind: "waits" }, where: string): readonly string[] {
  const { view } = ending;
  const { id, counts } = view;
  const why = ending.interrupted ? "paused" : printable(view.why);
  const done = `${count(counts.done)} of ${counts.items === null ? "?" : counted(counts.items, "item")} are done`;
  const approve =
    view.status === "awaiting-approval"
      ? `weir approve ${id}${where} (its rows: weir approve ${id} --show${where}), then `
      : "";
  return [
    `${why}; ${done}; go on with: ${approve}weir run --resume ${id}${where}`,
    ...faultLines(view),
    ...usageLines(view),
    ...(ending.interrupted ? deadlineLines(view) : []),
  ];
}

/** The last fault, where items are still under retry for one. */
function faultLines({ fault }: RunView): readonly string[] {
  // Absent where an older Weir answers.
  if (fault == null || fault.retrying === 0) return [];
  const are = fault.retrying === 1 ? "item is" : "items are";
  return [`${count(fault.retrying)} ${are} under retry; the last fault: ${printable(fault.message)}`];
}

function endedLines(view: RunView, rows: Rows, where: string): readonly string[] {
  const { id, counts } = view;
  const calls = `${counted(counts.calls ?? counts.attempts + counts.throttled, "call")}, ${count(counts.throttled)} throttled`;
  const lines = [
    `${view.status}${tookOf(view)}: ${count(counts.ok)} ok, ${count(counts.failed)} failed; ${calls}`,
    ...usageLines(view),
    ...deadlineLines(view),
  ];
  if (view.status === "failed") lines.push(printable(view.why));
  const rowless = withoutRow(view);
  if (rowless > 0) {
    lines.push(`${counted(rowless, "item")} ${rowless === 1 ? "has" : "have"} no row`);
  }
  if (view.status !== "completed") lines.push(...faultLines(view));
  lines.push(rowsLine(view, rows, where));
  if (view.parentRunId !== null) {
    lines.push(`merged results: weir results ${view.parentRunId} --merged${where}`);
  }
  if (counts.failed > 0) lines.push(`failed: weir failures ${id}${where}   weir retry ${id}${where}`);
  if (view.status === "failed") lines.push(`go on with: weir run --resume ${id}${where}`);
  const notice = noticeLine(view);
  if (notice !== null) lines.push(notice);
  return lines;
}

/** Items of an ended run that are in neither count of rows. */
export function withoutRow({ counts, status }: RunView): number {
  return isEnded(status) && counts.items !== null ? Math.max(0, counts.items - counts.ok - counts.failed) : 0;
}

function rowsLine({ id, status }: RunView, rows: Rows, where: string): string {
  switch (rows.kind) {
    case "not-wanted":
      return `rows: weir results ${id}${where}`;
    case "written":
      return `rows: ${printable(rows.to)}${rows.mergedOf === null ? "" : ` (${rows.mergedOf}, merged with its retries)`}`;
    case "broke-off": {
      const again = `weir results ${id}${where} --out FILE`;
      return `rows: ${printable(rows.reason)}; the run itself is ${status}, and its rows are kept: ${again}`;
    }
    default:
      return rows satisfies never;
  }
}

/** Tokens and what they cost; what came to nothing apart. */
function usageLines({ usage }: RunView): readonly string[] {
  if (usage === null) return [];
  const { rows, spent } = usage;
  const tokens = spent.inputTokens + spent.outputTokens;
  // A budget of calls alone: no answer told of tokens.
  if (tokens + spent.unreportedTokens === 0) return [];
  const price = spent.dollars === null ? "" : `, $${spent.dollars.toFixed(4)}`;
  const wasted = tokens - rows.inputTokens - rows.outputTokens;
  const lost = wasted > 0 ? `; ${count(wasted)} of them for tries that gave no row` : "";
  const unknown = spent.unreportedTokens;
  const more = unknown > 0 ? `; up to ${count(unknown)} more for calls that did not say what they used` : "";
  return [`tokens: ${count(spent.inputTokens)} in, ${count(spent.outputTokens)} out${price}${lost}${more}`];
}

/** Whether the deadline was, or will be, kept. */
function deadlineLines({ deadline, status }: RunView): readonly string[] {
  if (deadline == null) return [];
  const { at, missedBySeconds } = deadline;
  const isOver = isEnded(status);
  if (missedBySeconds === null) return status.startsWith("completed") ? [`deadline ${at}: met`] : [];
  const by = duration(missedBySeconds * 1000);
  return [`deadline ${at}: ${isOver ? "missed by" : "will be missed by about"} ${by}`];
}

/** " after 12 s"; where it was less than a second, that. */
export function tookOf(view: RunView): string {
  if (view.startedAt === null || view.endedAt === null) return "";
  const ms = Date.parse(view.endedAt) - Date.parse(view.startedAt);
  return ms < 1000 ? " in less than a second" : ` after ${duration(ms)}`;
}
