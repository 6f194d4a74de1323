/** Which run is meant where none is named. */
import { isEnded, type RunView } from "../core/run/runView.ts";
import type { Client } from "./client.ts";

export interface NewestRuns {
  readonly unfinished: RunView | null;
  /** Whatever became of it. */
  readonly newest: RunView | null;
}

export async function newestRuns(client: Client): Promise<NewestRuns> {
  let cursor: string | null = null;
  let newest: RunView | null = null;
  do {
    const query = { limit: 100, ...(cursor === null ? {} : { cursor }) };
    const page: { runs: RunView[]; cursor: string | null } = await client.ask("GET", "/v1/runs", { query });
    newest ??= page.runs[0] ?? null;
    const unfinished = page.runs.find((run) => !isEnded(run.status));
    if (unfinished !== undefined) return { unfinished, newest };
    cursor = page.cursor;
  } while (cursor !== null);
  return { unfinished: null, newest };
}
