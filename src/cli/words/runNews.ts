/** What happened to the runs of a Weir since they were last looked at, as lines for a person: `weir dev` prints them. */
import { isEnded, type RunStatus, type RunView } from "../../core/run/runView.ts";
import { tookOf } from "./endingLines.ts";
import { count, printable } from "./printable.ts";
import { statusAndWhy } from "./progress.ts";

export class RunNews {
  /** Null: nothing was looked at yet. */
  #seen: Map<string, RunStatus> | null = null;

  /** A line for every run that began, stopped or ended since the last look; none for what the first look finds. */
  lines(runs: readonly RunView[]): readonly string[] {
    const before = this.#seen;
    this.#seen = new Map(runs.map(({ id, status }) => [id, status]));
    if (before === null) return [];
    return [...runs].reverse().flatMap((run) => lineOf(run, before.get(run.id)));
  }
}

function lineOf(view: RunView, before: RunStatus | undefined): readonly string[] {
  if (view.status === before) return [];
  const name = view.name === null ? "" : ` (${printable(view.name)})`;
  if (isEnded(view.status)) return [`${view.id}${name} ${endOf(view)}`];
  if (view.status === "paused" || view.status === "awaiting-approval")
    return [`${view.id}${name} ${statusAndWhy(view)}`];
  return before === undefined || before === "paused" || before === "awaiting-approval" || isEnded(before)
    ? [`${view.id}${name} ${before === undefined ? "started" : "goes on"}`]
    : [];
}

function endOf(view: RunView): string {
  const { ok, failed } = view.counts;
  const sums = `${view.status}${tookOf(view)}: ${count(ok)} ok, ${count(failed)} failed`;
  if (view.status === "failed") return `${sums}; ${printable(view.why)}`;
  return failed > 0 ? `${sums}; weir failures ${view.id} --summary` : sums;
}
