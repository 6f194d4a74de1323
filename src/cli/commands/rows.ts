/** Commands that print rows: `weir results` and `weir failures`. One row a line, ready for other programs. */
import type { Arguments, Flags } from "../arguments.ts";
import type { Call } from "../client.ts";
import { connect } from "../connection.ts";
import { EXIT, UsageError } from "../exit.ts";
import { type FailureSummary, groupLines } from "../failureLines.ts";
import { checkOut, downloadRows, printJson, printRows, say } from "../output.ts";
import { printable } from "../printable.ts";

export async function resultsCommand({ words, flags }: Arguments): Promise<number> {
  const only = flags.get("only");
  if (only !== null && only !== "ok" && only !== "failed")
    throw new UsageError("--only: accepted are ok and failed");
  if (flags.has("merged") && flags.has("follow"))
    throw new UsageError("--merged does not go with --follow: merged rows come in item order");
  const query = {
    only: only ?? undefined,
    follow: flags.has("follow") ? true : undefined,
    merged: flags.has("merged") ? true : undefined,
  };
  return writeRows(flags, "results", `/v1/runs/${encodeURIComponent(words[0] ?? "")}/results`, { query });
}

export async function failuresCommand({ words, flags }: Arguments): Promise<number> {
  const path = `/v1/runs/${encodeURIComponent(words[0] ?? "")}/failures`;
  const kinds = flags.all("kind");
  if (kinds.length > 0 && flags.has("summary")) {
    throw new UsageError("--kind does not go with --summary, which has a line for each kind");
  }
  const query = {
    own: flags.has("own") ? true : undefined,
    kind: kinds.length === 0 ? undefined : kinds.join(","),
  };
  if (!flags.has("summary")) {
    return writeRows(flags, "failures", path, { query, headers: { accept: "application/x-ndjson" } });
  }
  const connection = await connect(flags, "failures");
  try {
    const summary = await connection.client.ask<FailureSummary>("GET", `${path}/summary`, { query });
    if (flags.has("json")) printJson(summary);
    else if (summary.groups.length === 0) say("nothing is failed");
    else
      process.stdout.write(
        groupLines(summary)
          .map((line) => `${line}\n`)
          .join(""),
      );
    return EXIT.ok;
  } finally {
    await connection.close();
  }
}

async function writeRows(flags: Flags, command: string, path: string, call: Call): Promise<number> {
  const file = flags.get("out");
  checkOut(file);
  const connection = await connect(flags, command);
  try {
    if (file === null) await printRows(connection.client, path, call);
    else {
      const written = await downloadRows(connection.client, { path, call, file, isWhole: true });
      say(`rows: ${printable(written)}`);
    }
    return EXIT.ok;
  } finally {
    await connection.close();
  }
}
