/**
 * Rows on their way to where the user wants them: stdout, a pipe, a device, or a file.
 *
 * A file is written as `FILE.partial` and renamed when complete: a file of the final name is never a part. Both are
 * made anew, so that no link that stands there is followed.
 */
import { constants, createWriteStream, openSync, renameSync, rmSync, statSync } from "node:fs";
import { Socket } from "node:net";
import { type Readable, Transform, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isatty } from "node:tty";
import { ApiError } from "../client.ts";
import { CommandError, UsageError } from "../exit.ts";
import { isReaderGone, stdoutSink } from "../stdout.ts";
import { faultOf } from "../systemFault.ts";
import { printable } from "../words/printable.ts";
import { say } from "./output.ts";
import { fromHere, type OutTarget, partialOf } from "./outTarget.ts";

const READER_LOOK_MS = 250;

export interface Wanted {
  /** Begins to send the rows. */
  open(): Promise<Readable>;
  readonly target: OutTarget;
  /** Asked when all rows have come; false leaves a file as `FILE.partial`. */
  isWhole(): Promise<boolean>;
  /** Where a file's rows are gathered, if not in `FILE.partial`. */
  readonly gatheredIn?: string;
}

/** Streams rows to the target. Returns what to call it. Throws CommandError when they broke off. */
export async function writeRows(wanted: Wanted): Promise<string> {
  const { target } = wanted;
  switch (target.kind) {
    case "stdout":
      await printRows(await wanted.open());
      return "stdout";
    case "stream":
      await writeStream(wanted, target);
      return fromHere(target.path);
    case "file":
      return writeFile(wanted, target.path);
    default:
      return target satisfies never;
  }
}

/** Streams rows to stdout; on a terminal escaped, else byte for byte. A reader that has enough ends it quietly. */
export async function printRows(rows: Readable): Promise<void> {
  await pass(rows, process.stdout.isTTY === true, stdoutSink(), "the rows broke off");
}

/** A new file for rows, also where a link of that name stands; with the mode of `like`, where that is there. */
export function createRowFile(path: string, like: string): Writable {
  rmSync(path, { force: true });
  const mode = (statSync(like, { throwIfNoEntry: false })?.mode ?? 0o666) & 0o777;
  return createWriteStream(path, { flags: "wx", flush: true, mode });
}

async function writeFile(wanted: Wanted, file: string): Promise<string> {
  const partial = partialOf(file);
  const gathered = wanted.gatheredIn ?? partial;
  const rows = await wanted.open();
  let isWhole = false;
  try {
    await pipeline(rows, createRowFile(gathered, file));
    isWhole = await wanted.isWhole();
    renameSync(gathered, isWhole ? file : partial);
  } catch (error) {
    if (gathered !== partial) rmSync(gathered, { force: true });
    if (isSaid(error)) throw error;
    throw new CommandError(`${printable(fromHere(partial))} is incomplete: ${faultOf(error)}`);
  }
  if (!isWhole) return fromHere(partial);
  if (gathered !== partial) rmSync(partial, { force: true });
  return fromHere(file);
}

async function writeStream(
  wanted: Wanted,
  { path, isFifo }: OutTarget & { readonly kind: "stream" },
): Promise<void> {
  const fd = isFifo ? await openFifo(path) : openSync(path, constants.O_WRONLY);
  const sink = isFifo
    ? new Socket({ fd, readable: false, writable: true })
    : createWriteStream(path, { fd, autoClose: true });
  const rows = await wanted.open();
  await pass(rows, !isFifo && isatty(fd), sink, `the rows to ${printable(path)} broke off`);
}

async function pass(rows: Readable, isTerminal: boolean, sink: Writable, what: string): Promise<void> {
  try {
    if (isTerminal) await pipeline(rows, escaping(), sink);
    else await pipeline(rows, sink);
  } catch (error) {
    rows.destroy();
    if (isSaid(error)) throw error;
    if (!isReaderGone(error)) throw new CommandError(`${what}: ${faultOf(error)}`);
  }
}

/** It has a sentence and an exit code of its own. */
function isSaid(error: unknown): boolean {
  return error instanceof ApiError || error instanceof CommandError || error instanceof UsageError;
}

/** Opened in a way that does not hold up the process: a pipe without a reader cannot be opened for writing. */
async function openFifo(path: string): Promise<number> {
  for (let isFirst = true; ; isFirst = false) {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENXIO")) throw error;
    }
    if (isFirst) say(`waiting for somebody to read ${printable(path)}`);
    await sleep(READER_LOOK_MS);
  }
}

/** Escapes what a terminal would act on; row for row the JSON keeps its meaning. */
function escaping(): Transform {
  const decoder = new TextDecoder();
  const escaped = (text: string) => text.split("\n").map(printable).join("\n");
  return new Transform({
    transform: (chunk, _encoding, done) => done(null, escaped(decoder.decode(chunk, { stream: true }))),
    flush: (done) => done(null, escaped(decoder.decode())),
  });
}
