/** Groups of failures as lines for a person: all of `weir failures --summary`, the largest at the end of a run. */
import type { RunView } from "../../core/run/runView.ts";
import type { Connection } from "../connection.ts";
import { count, printable } from "./printable.ts";

/** What `GET /v1/runs/:id/failures/summary` answers. */
export interface FailureSummary {
  readonly groups: readonly {
    readonly kind: string;
    readonly message: string;
    readonly count: number;
    readonly samples: readonly { readonly index: number; readonly item: unknown }[];
  }[];
}

/** Groups that the closing lines name. */
const GROUPS_AT_END = 3;

/** A line for each of the `most` largest groups. */
export function groupLines({ groups }: FailureSummary, most = groups.length): readonly string[] {
  return groups.slice(0, most).map((group) => {
    const samples = group.samples.map(({ item }) => printable(JSON.stringify(item))).join(", ");
    const says = `${printable(group.kind)}: ${printable(group.message)}`;
    return `${count(group.count).padStart(9)}  ${says}  (${samples})`;
  });
}

/** What failed most in a run that has ended; nothing where it cannot be had now, or nothing failed. */
export async function failedMost({ client, where }: Connection, view: RunView): Promise<readonly string[]> {
  if (view.counts.failed === 0) return [];
  try {
    const path = `/v1/runs/${view.id}/failures/summary`;
    const summary = await client.ask<FailureSummary>("GET", path, { query: { own: true } });
    const more = summary.groups.length - GROUPS_AT_END;
    const rest = more > 0 ? [`   and ${count(more)} more: weir failures ${view.id} --summary${where}`] : [];
    return [...groupLines(summary, GROUPS_AT_END), ...rest];
  } catch {
    // The closing lines name the command that asks again.
    return [];
  }
}
