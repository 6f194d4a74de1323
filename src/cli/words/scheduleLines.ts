/** Schedules and their fires as a person reads them. */
import type { FireView, ScheduleView } from "../../core/schedule/scheduleView.ts";
import { duration, printable } from "./printable.ts";

/** One line in a list: what it is, what it does, when next, and what came of the last time. */
export function listLine(view: ScheduleView): string {
  const { name, task, next, last, why } = view;
  const saysNext = why.startsWith("fires next at");
  return [
    view.id,
    printable(cronOf(view)),
    ...(name === null ? [] : [printable(name)]),
    ...(task === "" ? [] : [printable(task)]),
    ...(next[0] === undefined ? [] : [`next ${shortened(next[0])}`]),
    last === null ? "no run yet" : `last ${last.outcome} ${shortened(last.scheduledAt)}`,
    ...(saysNext ? [] : [printable(why)]),
  ].join("  ");
}

/** What came of one instant. */
export function fireLine(fire: FireView): string {
  const why = fire.why === null ? "" : `: ${printable(fire.why)}`;
  const run = fire.run === null ? "" : `  ${fire.run}`;
  const since = fire.watermark === null ? "" : `  since ${shortened(fire.watermark)}`;
  return `${shortened(fire.scheduledAt)}  ${fire.outcome}${why}${run}${since}`;
}

/** One schedule in full; lines of its history may follow. */
export function scheduleLines(view: ScheduleView): readonly string[] {
  const fields: readonly (readonly [string, string | null])[] = [
    ["schedule", view.id],
    ["name", view.name],
    ["task", view.task],
    ["status", view.status],
    ["why", view.why],
    ["cron", cronOf(view)],
    ["overlap", view.overlap],
    ["catch-up", duration(view.catchUpMs)],
    ["failures", failuresOf(view)],
    ["watermark", watermarkOf(view)],
    ["next", view.next.map(shortened).join(", ") || null],
    ["created", view.createdAt],
  ];
  return [
    ...fields.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(9)} ${printable(value)}`])),
    "history",
  ];
}

function cronOf(view: ScheduleView): string {
  return `${view.cron} (${view.timeZone})`;
}

function failuresOf(view: ScheduleView): string {
  const pause = view.pauseAfterFailures === 0 ? "never pauses" : `pauses after ${view.pauseAfterFailures}`;
  return `${view.failuresInRow} in a row; ${pause}`;
}

function watermarkOf(view: ScheduleView): string | null {
  if (view.watermark === null) return null;
  return `${view.watermark}${view.advanceWithFailures ? ", advances also with failed rows" : ""}`;
}

/** "2026-01-01T00:00Z" where nothing is lost by it. */
function shortened(instant: string): string {
  return instant.replace(/(:00)?\.000Z$/, "Z");
}
