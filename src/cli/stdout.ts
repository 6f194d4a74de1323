/**
 * stdout, with nothing lost unseen. Node writes to a file on stdout once and does not look at how much was taken: on a
 * full disk rows are missing and nobody knows. So a file or device is written to here, to the last byte.
 *
 * Invariant: a fault of stdout ends the command with exit code 1, except that the reader has gone away (EPIPE).
 */
import { fstatSync, writeSync } from "node:fs";
import { Writable } from "node:stream";
import { isatty } from "node:tty";
import { faultOf } from "./systemFault.ts";

const FD = 1;

let fault: Error | null = null;
let isFile: boolean | null = null;

/** From here on a fault of stdout is kept for `closeStdout`. */
export function watchStdout(): void {
  process.stdout.on("error", keep);
}

/** Prints text; a fault is said at the end. */
export function print(text: string): void {
  if (fault !== null) return;
  if (!isFileOrDevice()) {
    process.stdout.write(text);
    return;
  }
  try {
    writeFully(Buffer.from(text));
  } catch (error) {
    keep(error);
  }
}

/** stdout as the end of a pipeline that does not close it; a fault is the pipeline's. */
export function stdoutSink(): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (!isFileOrDevice()) {
        process.stdout.write(chunk, (error) => done(error));
        return;
      }
      try {
        writeFully(chunk);
        done();
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
      }
    },
  });
}

/** Resolves when all is written: with what is to be said of a fault, or null. */
export async function closeStdout(): Promise<string | null> {
  if (!isFileOrDevice()) await new Promise<void>((resolve) => process.stdout.write("", () => resolve()));
  return fault === null || isReaderGone(fault) ? null : `what was printed broke off: ${faultOf(fault)}`;
}

/** The other end of a pipe has had enough. */
export function isReaderGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

function keep(error: unknown): void {
  fault ??= error instanceof Error ? error : new Error(String(error));
}

/** What Node writes to without looking: everything but pipes, sockets and terminals. */
function isFileOrDevice(): boolean {
  if (isFile === null) {
    try {
      const stat = fstatSync(FD);
      isFile = stat.isFile() || (stat.isCharacterDevice() && !isatty(FD));
    } catch {
      isFile = false;
    }
  }
  return isFile;
}

function writeFully(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(FD, bytes, at);
}
