/** Commands that print rows: `weir results` and `weir failures`. One row a line, ready for other programs. */
import type { Readable } from "node:stream";
import type { Call } from "../client.ts";
import { connect, folderOf } from "../connection.ts";
import { EXIT } from "../exit.ts";
import type { Arguments, Flags } from "../flags/arguments.ts";
import { followedRows } from "../rows/followedRows.ts";
import { RowsLost, refuseLostRows } from "../rows/lostRows.ts";
import { printJson, say } from "../rows/output.ts";
import { type OutTarget, outTarget } from "../rows/outTarget.ts";
import { printRows, writeRows } from "../rows/rowsOut.ts";
import { unbrokenRows } from "../rows/unbrokenRows.ts";
import { recallFiles } from "../runFiles.ts";
import { print } from "../stdout.ts";
import { type FailureSummary, groupLines } from "../words/failureLines.ts";
import { printable } from "../words/printable.ts";

export async function resultsCommand({ words, flags }: Arguments): Promise<number> {
  const only = onlyFlag(flags);
  if (flags.has("merged") && flags.has("follow"))
    flags.refuse("merged", "--merged does not go with --follow: merged rows come in item order");
  const [run = ""] = words;
  if (flags.has("follow")) {
    const target = targetOf(flags, run);
    let check = async () => {};
    const open = async () => {
      const followed = followedRows(flags, { run, only });
      check = followed.check;
      return followed.rows;
    };
    return giveRows(target, open, () => check());
  }
  const query = { only, merged: flags.has("merged") ? true : undefined, unreadable: "skip" };
  return withRows(flags, "results", { run, path: "results", call: { query } });
}

function onlyFlag(flags: Flags): "ok" | "failed" | undefined {
  const only = flags.get("only");
  if (only === "ok" || only === "failed") return only;
  if (only !== null) flags.refuse("only", "--only: accepted are ok and failed");
  return undefined;
}

export async function failuresCommand({ words, flags }: Arguments): Promise<number> {
  const [run = ""] = words;
  const path = `/v1/runs/${encodeURIComponent(run)}/failures`;
  const kinds = flags.all("kind");
  if (kinds.length > 0 && flags.has("summary")) {
    flags.refuse("kind", "--kind does not go with --summary, which has a line for each kind");
  }
  const query = {
    own: flags.has("own") ? true : undefined,
    kind: kinds.length === 0 ? undefined : kinds.join(","),
  };
  if (!flags.has("summary")) {
    const call = { query, headers: { accept: "application/x-ndjson" } };
    return withRows(flags, "failures", { run, path: "failures", call });
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

async function withRows(
  flags: Flags,
  command: string,
  { run, path, call }: { readonly run: string; readonly path: string; readonly call: Call },
): Promise<number> {
  const target = targetOf(flags, run);
  const connection = await connect(flags, command);
  try {
    const ask = () => connection.client.open(`/v1/runs/${encodeURIComponent(run)}/${path}`, call);
    const open = () => unbrokenRows(connection, ask);
    const check = path === "results" ? () => refuseLostRows(connection.client, run) : async () => {};
    return await giveRows(target, open, check);
  } finally {
    await connection.close();
  }
}

/** `check` is asked when all rows have come; it throws RowsLost where some are missing. */
async function giveRows(
  target: OutTarget | null,
  open: () => Promise<Readable>,
  check: () => Promise<void> = async () => {},
): Promise<number> {
  let lost: RowsLost | null = null;
  const isWhole = async () => {
    try {
      await check();
    } catch (error) {
      if (!(error instanceof RowsLost)) throw error;
      lost = error;
    }
    return lost === null;
  };
  if (target === null) {
    await printRows(await open());
    await isWhole();
  } else say(`rows: ${printable(await writeRows({ open, target, isWhole }))}`);
  if (lost !== null) throw lost;
  return EXIT.ok;
}

/** Null: stdout. Throws UsageError with a line for each mistake in the flags. */
function targetOf(flags: Flags, run: string): OutTarget | null {
  const out = flags.get("out");
  const read = () => (out === null ? null : outTarget(out, recallFiles(folderOf(flags), run).reads));
  const target = flags.noted("out", read);
  flags.throwRefused();
  return target;
}
