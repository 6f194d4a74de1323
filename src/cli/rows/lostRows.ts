/** Rows that are not there any more: committed parts that Weir cannot read. */
import type { RunView } from "../../core/run/runView.ts";
import type { Client } from "../client.ts";
import { CommandError } from "../exit.ts";

/** Rows are missing for good; the message names the part. */
export class RowsLost extends CommandError {}

/** Throws RowsLost where parts of the run are known to be unreadable, and what `client.ask` throws. */
export async function refuseLostRows(client: Client, run: string, wayOut = ""): Promise<void> {
  const { unreadable } = await client.ask<RunView>("GET", `/v1/runs/${encodeURIComponent(run)}`);
  if (unreadable !== undefined) throw new RowsLost(`rows are missing: ${unreadable}${wayOut}`);
}
