/** Commands that print rows: `weir results` and `weir failures`. One row a line, ready for other programs. */
import type { Arguments, Flags } from "../arguments.ts";
import type { Call } from "../client.ts";
import { connect, folderOf } from "../connection.ts";
import { EXIT, UsageError } from "../exit.ts";
import { type FailureSummary, groupLines } from "../failureLines.ts";
import { printJson, say } from "../output.ts";
import { outTarget } from "../outTarget.ts";
import { printable } from "../printable.ts";
import { printRows, writeRows } from "../rowsOut.ts";
import { recallFiles } from "../runFiles.ts";
import { print } from "../stdout.ts";

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
  return giveRows(flags, "results", `/v1/runs/${encodeURIComponent(words[0] ?? "")}/results`, { query });
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
    return giveRows(flags, "failures", path, { query, headers: { accept: "application/x-ndjson" } });
  }
  const connection = await connect(flags, "failures");
  try {
    const summary = await connection.client.ask<FailureSummary>("GET", `${path}/summary`, { query });
    if (flags.has("json")) printJson(summary);
    else if (summary.groups.length === 0) say("nothing is failed");
    else
      print(
        groupLines(summary)
          .map((line) => `${line}\n`)
          .join(""),
      );
    return EXIT.ok;
  } finally {
    await connection.close();
  }
}

async function giveRows(flags: Flags, command: string, path: string, call: Call): Promise<number> {
  const out = flags.get("out");
  const target = out === null ? null : outTarget(out, recallFiles(folderOf(flags), runOf(path)).reads);
  const connection = await connect(flags, command);
  try {
    if (target === null) await printRows(connection.client, path, call);
    else {
      const written = await writeRows(connection.client, { path, call, target, isWhole: true });
      say(`rows: ${printable(written)}`);
    }
    return EXIT.ok;
  } finally {
    await connection.close();
  }
}

/** The run in a path of the API. */
function runOf(path: string): string {
  return path.split("/")[3] ?? "";
}
