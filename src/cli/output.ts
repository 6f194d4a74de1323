/**
 * Where a command's words go: documents and rows on stdout, everything said to a person on stderr.
 * `--out FILE` is written as `FILE.partial` and renamed when complete: a file of the final name is never a part.
 */
import { closeSync, createWriteStream, existsSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { Transform, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { shown } from "./arguments.ts";
import type { Call, Client } from "./client.ts";
import { CommandError, UsageError } from "./exit.ts";
import { printable } from "./printable.ts";

/** Prints a line for a person. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Prints a document on stdout. */
export function printJson(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

/** Colour is for terminals whose user did not refuse it. */
export function wantsColour(screen: { readonly isTTY?: boolean }): boolean {
  return screen.isTTY === true && (process.env.NO_COLOR ?? "") === "" && process.env.TERM !== "dumb";
}

/** Throws UsageError when `--out` could not be written at the end of a long run. */
export function checkOut(file: string | null): void {
  if (file === null) return;
  if (file === "") throw new UsageError("--out: needs the path of a file");
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`--out: ${shown(file)} is a folder; accepted: the path of a file`);
  }
  try {
    const wasThere = existsSync(partial(file));
    closeSync(openSync(partial(file), "a"));
    if (!wasThere) rmSync(partial(file));
  } catch {
    throw new UsageError(
      `--out: ${shown(file)} cannot be written: is ${shown(dirname(file))} there and yours?`,
    );
  }
}

/** Streams rows into `file`; `isWhole: false` leaves them in `FILE.partial`. Returns the file's name. */
export async function downloadRows(
  client: Client,
  input: { readonly path: string; readonly call?: Call; readonly file: string; readonly isWhole: boolean },
): Promise<string> {
  const { file } = input;
  const rows = await client.open(input.path, input.call);
  try {
    await pipeline(rows, createWriteStream(partial(file), { flush: true }));
  } catch (error) {
    throw new CommandError(`${printable(partial(file))} is incomplete: ${reason(error)}`);
  }
  if (!input.isWhole) return partial(file);
  renameSync(partial(file), file);
  return file;
}

/** Streams rows to stdout; on a terminal escaped, else byte for byte. A reader that has enough ends it quietly. */
export async function printRows(client: Client, path: string, call: Call): Promise<void> {
  const rows = await client.open(path, call);
  try {
    if (process.stdout.isTTY) await pipeline(rows, escaping(), toStdout());
    else await pipeline(rows, toStdout());
  } catch (error) {
    rows.destroy();
    if (error instanceof Error && "code" in error && error.code === "EPIPE") return;
    throw new CommandError(`the rows broke off: ${reason(error)}`);
  }
}

function partial(file: string): string {
  return `${file}.partial`;
}

/** stdout as the end of a pipeline that does not close it. */
function toStdout(): Writable {
  return new Writable({
    write: (chunk, _encoding, done) => void process.stdout.write(chunk, (error) => done(error)),
  });
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

function reason(error: unknown): string {
  return error instanceof Error ? printable(error.message) : String(error);
}
