/**
 * `weir results RUN --follow`: every row once, to the run's end, whoever works on it and however often that changes.
 *
 * While a process works on the run its stream is read; when that process goes, what it committed is read from the
 * state by a runtime of one's own, which is given up at once, so that somebody can go on with the run.
 */
import { PassThrough, type Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { isEnded, type RunView } from "../../core/run/runView.ts";
import { ApiError } from "../client.ts";
import { connect, folderOf } from "../connection.ts";
import { UsageError } from "../exit.ts";
import type { Flags } from "../flags/arguments.ts";
import { readOwner } from "../process/owner.ts";
import { readOr } from "../runtime/stateFolder.ts";
import { statusAndWhy } from "../words/progress.ts";
import { RowsLost } from "./lostRows.ts";
import { say } from "./output.ts";
import { RowCopy, SinkFault } from "./rowCopy.ts";

export interface Followed {
  readonly run: string;
  readonly only: "ok" | "failed" | undefined;
}

const AGAIN_MS = 500;
/** A deployed Weir that cannot be reached for so long is gone. */
const SILENCE_MS = 60_000;

export interface FollowedRows {
  /** Fails with what ended it early. */
  readonly rows: Readable;
  /** To be called after the last row: throws RowsLost where others are missing. */
  check(): Promise<void>;
}

export function followedRows(flags: Flags, followed: Followed): FollowedRows {
  const rows = new PassThrough();
  const copy = new RowCopy({ ...followed, write: (lines) => written(rows, lines) });
  let lost: RowsLost | null = null;
  copyToEnd(flags, followed.run, copy).then(
    () => rows.end(),
    (error: unknown) => {
      // A stream that fails drops what it holds, and these rows are good.
      if (error instanceof RowsLost) {
        lost = error;
        rows.end();
      } else rows.destroy(error instanceof Error ? error : new Error(String(error)));
    },
  );
  const check = async () => {
    if (lost !== null) throw lost;
  };
  return { rows, check };
}

async function copyToEnd(flags: Flags, run: string, copy: RowCopy): Promise<void> {
  let silentSinceMs: number | null = null;
  let said = "";
  let hasBegun = false;
  for (;;) {
    const rowsBefore = copy.rows;
    try {
      const place = await copyWhatIsThere(flags, run, copy);
      if (place === "ended") return;
      hasBegun = true;
      silentSinceMs = null;
      if (said !== place.sentence) say(place.sentence);
      said = place.sentence;
      await untilSomebodyCame(flags, place.generation);
    } catch (error) {
      if (!mayPass(error, hasBegun)) throw error;
      if (copy.rows > rowsBefore) silentSinceMs = null;
      silentSinceMs ??= Date.now();
      if (Date.now() - silentSinceMs > SILENCE_MS) throw error;
      await sleep(AGAIN_MS);
    }
  }
}

/** Copies to the run's end, or to the last row of one that nobody works on. */
async function copyWhatIsThere(flags: Flags, run: string, copy: RowCopy): Promise<Idle | "ended"> {
  const connection = await connect(flags, "results");
  let idle: string;
  try {
    const path = `/v1/runs/${encodeURIComponent(run)}`;
    const view = await connection.client.ask<RunView>("GET", path);
    const follow = connection.kind !== "own";
    await copy.goOn(connection.client, { follow });
    // A stream that is followed ends with its run; one that breaks off throws.
    if (follow || isEnded(view.status)) return "ended";
    idle = `${statusAndWhy(view)}; these are its rows so far, and the next ones follow when it goes on`;
  } finally {
    await connection.close();
  }
  return { sentence: idle, generation: generationOf(flags) };
}

interface Idle {
  readonly sentence: string;
  /** Counts up with every process that had the folder. */
  readonly generation: string;
}

async function untilSomebodyCame(flags: Flags, generation: string): Promise<void> {
  const folder = folderOf(flags);
  while (generationOf(flags) === generation || readOwner(folder)?.kind === "brief") await sleep(AGAIN_MS);
}

function generationOf(flags: Flags): string {
  return readOr(folderOf(flags).generationFile, "");
}

/** Weir or its stream is away, or changing hands; anything else is for good. */
function mayPass(error: unknown, hasBegun: boolean): boolean {
  if (error instanceof SinkFault || error instanceof RowsLost) return false;
  if (error instanceof ApiError) return error.status >= 500;
  if (error instanceof UsageError) return hasBegun;
  return !(error instanceof TypeError);
}

async function written(rows: PassThrough, lines: Buffer): Promise<void> {
  if (rows.destroyed) throw new Error("nobody takes the rows");
  if (rows.write(lines)) return;
  await new Promise<void>((resolve) => {
    const goOn = () => {
      rows.removeListener("drain", goOn);
      rows.removeListener("close", goOn);
      resolve();
    };
    rows.on("drain", goOn);
    rows.on("close", goOn);
  });
}
