/**
 * `FILE.partial` while its run goes: every row soon after its commit, in the order of commits.
 *
 * Whole lines only, so it can be read at any moment. One that this run's command made before is gone on with, after
 * its last whole line; anything else of that name is removed and made anew, links included. That it cannot be written
 * is said once and costs the run nothing.
 */
import { lstatSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../client.ts";
import { faultOf } from "../systemFault.ts";
import { printable } from "../words/printable.ts";
import { RowsLost } from "./lostRows.ts";
import { fromHere, partialOf } from "./outTarget.ts";
import { countLines, RowCopy, SinkFault } from "./rowCopy.ts";

export interface FileId {
  readonly dev: number;
  readonly ino: number;
}

export interface GrowingPartial {
  /** Resolves when nothing is written any more; `complete` first takes every row that is committed. */
  stop(how: "complete" | "as-it-is"): Promise<void>;
}

const AGAIN_MS = 1000;
/** What is committed when a run was paused is copied in less, unless Weir is gone. */
const LAST_MS = 10_000;
const READ_BYTES = 1 << 20;
const LINE_END = 10;

/** Begins to copy. `note` says what a person has to know. */
export async function growPartial(input: {
  readonly client: Client;
  readonly run: string;
  /** The final name. */
  readonly file: string;
  readonly mine: FileId | null;
  /** Called with what the file is, once it is there. */
  remember(id: FileId): void;
  note(line: string): void;
}): Promise<GrowingPartial> {
  const path = partialOf(input.file);
  const stopping = new AbortController();
  const complain = (error: unknown) =>
    input.note(
      `${printable(fromHere(path))} does not grow: ${faultOf(error instanceof SinkFault ? error.cause : error)}`,
    );
  let place: Place;
  try {
    place = await openPartial(path, input.mine);
  } catch (error) {
    complain(error);
    return { stop: async () => {} };
  }
  const { dev, ino } = await place.handle.stat();
  input.remember({ dev, ino });
  const copy = new RowCopy({
    run: input.run,
    rows: place.rows,
    write: async (lines) => {
      await writeFully(place, lines);
    },
  });
  let isBroken = false;
  const growing = (async () => {
    while (!stopping.signal.aborted) {
      try {
        return await copy.goOn(input.client, { follow: true, signal: stopping.signal });
      } catch (error) {
        if (error instanceof SinkFault || error instanceof RowsLost) {
          isBroken = true;
          complain(error);
          return;
        }
      }
      await sleep(AGAIN_MS, undefined, { signal: stopping.signal }).catch(() => {});
    }
  })();
  return {
    stop: async (how) => {
      stopping.abort();
      await growing;
      if (how === "complete" && !isBroken) {
        const signal = AbortSignal.timeout(LAST_MS);
        await copy.goOn(input.client, { follow: false, signal }).catch(() => {});
      }
      await place.handle.close().catch(() => {});
    },
  };
}

interface Place {
  readonly handle: FileHandle;
  readonly rows: number;
  bytes: number;
}

async function openPartial(path: string, mine: FileId | null): Promise<Place> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isFile() && mine !== null && stat.dev === mine.dev && stat.ino === mine.ino) {
    const handle = await open(path, "r+");
    return { handle, ...(await wholeLines(handle)) };
  }
  rmSync(path, { force: true });
  return { handle: await open(path, "wx"), rows: 0, bytes: 0 };
}

/** Counts them and cuts off what stands behind the last. */
async function wholeLines(handle: FileHandle): Promise<{ readonly rows: number; readonly bytes: number }> {
  const buffer = Buffer.alloc(READ_BYTES);
  let rows = 0;
  let bytes = 0;
  for (let at = 0; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, READ_BYTES, at);
    if (bytesRead === 0) break;
    const read = buffer.subarray(0, bytesRead);
    rows += countLines(read);
    const last = read.lastIndexOf(LINE_END);
    if (last >= 0) bytes = at + last + 1;
    at += bytesRead;
  }
  await handle.truncate(bytes);
  return { rows, bytes };
}

async function writeFully(place: Place, lines: Uint8Array): Promise<void> {
  const from = place.bytes;
  try {
    for (let at = 0; at < lines.byteLength; ) {
      const left = lines.byteLength - at;
      const { bytesWritten } = await place.handle.write(lines, at, left, from + at);
      at += bytesWritten;
    }
    place.bytes = from + lines.byteLength;
  } catch (error) {
    // Half a line is of no use to anybody.
    await place.handle.truncate(from).catch(() => {});
    throw error;
  }
}
