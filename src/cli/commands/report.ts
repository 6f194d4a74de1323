/** `weir report`: what a run's `reduce` made of its rows so far. Calls no target. */

import { connect } from "../connection.ts";
import { EXIT } from "../exit.ts";
import type { Arguments } from "../flags/arguments.ts";
import { printJson } from "../rows/output.ts";
import { print } from "../stdout.ts";
import { type Report, reportLines } from "../words/report.ts";

export async function reportCommand({ words, flags }: Arguments): Promise<number> {
  const path = `/v1/runs/${encodeURIComponent(words[0] ?? "")}/report`;
  const connection = await connect(flags, "report");
  try {
    const query = { merged: flags.has("merged") ? true : undefined };
    const report = await connection.client.ask<Report>("GET", path, { query });
    if (flags.has("json")) printJson(report);
    else
      print(
        reportLines(report)
          .map((line) => `${line}\n`)
          .join(""),
      );
    return EXIT.ok;
  } finally {
    await connection.close();
  }
}
