/**
 * What `--out` names, looked at before anything is started.
 *
 * Invariants: only a plain file (or nothing yet) is ever replaced; a pipe or device is written to; a link is followed
 * to what it names, and `.partial` stands beside that. What the command reads (its input, its spec) is never written.
 */
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  rmSync,
  type Stats,
  statSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { UsageError } from "../exit.ts";
import { shown } from "../flags/arguments.ts";
import { faultOf } from "../systemFault.ts";

export type OutTarget =
  | { readonly kind: "stdout" }
  /** Written to as it is: a FIFO waits for its reader. */
  | { readonly kind: "stream"; readonly path: string; readonly isFifo: boolean }
  /** Where a plain file is, or will be. */
  | { readonly kind: "file"; readonly path: string };

/** A file that the command reads, and what the user calls it. */
export interface ReadFile {
  readonly name: string;
  readonly path: string;
}

const STDOUT: ReadonlySet<string> = new Set(["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]);
/** Their contents would be plain JSON Lines, whatever the name says. */
const PACKED = /\.(gz|bz2|xz|zst|zip|br)$/i;
const MOST_LINKS = 40;

/** Rows while they come in; renamed to the target's name when complete. */
export function partialOf(path: string): string {
  return `${path}.partial`;
}

/** Rows in their order while `partialOf` still holds them in the order of commits. */
export function orderedOf(path: string): string {
  return `${path}.ordered.partial`;
}

/** A path as somebody in this folder would write it. */
export function fromHere(path: string): string {
  const near = relative(process.cwd(), path);
  return near === "" || near.startsWith("..") ? path : near;
}

/** Throws UsageError when rows could not be written there, or would destroy one of `reads`. */
export function outTarget(file: string, reads: readonly ReadFile[] = []): OutTarget {
  if (file === "") throw new UsageError("--out: needs the path of a file, or - for stdout");
  if (STDOUT.has(file)) return stdoutTarget(reads);
  const stat = statOf(file);
  if (stat?.isDirectory()) {
    throw new UsageError(`--out: ${shown(file)} is a folder; accepted: the path of a file`);
  }
  if (stat?.isBlockDevice() || stat?.isSocket()) {
    const what = stat.isSocket() ? "a socket" : "a disk";
    throw new UsageError(`--out: ${shown(file)} is ${what}; accepted: a file, a pipe, or - for stdout`);
  }
  if (stat !== null && !stat.isFile()) {
    requireWritable(file, file);
    return { kind: "stream", path: resolve(file), isFifo: stat.isFIFO() };
  }
  const path = resolved(file);
  if (PACKED.test(path)) {
    throw new UsageError(
      `--out: rows are written as plain JSON Lines, not as ${shown(file)} says; accepted: another name, or --out - and a pipe, as in | gzip > ${basename(path)}`,
    );
  }
  refuseReads(file, path, reads);
  requireWritable(file, path);
  return { kind: "file", path };
}

function stdoutTarget(reads: readonly ReadFile[]): OutTarget {
  const stat = fstatSync(1);
  const read = stat.isFile() ? reads.find(({ path }) => isSame(statOf(path), stat)) : undefined;
  if (read !== undefined)
    throw new UsageError(`--out: stdout is ${read.name} itself, which would be overwritten`);
  return { kind: "stdout" };
}

/** Neither the file itself nor what stands beside it for a while may be one that is read. */
function refuseReads(file: string, path: string, reads: readonly ReadFile[]): void {
  for (const own of [path, partialOf(path), orderedOf(path)]) {
    const stat = statOf(own);
    const read = reads.find((candidate) => isSame(statOf(candidate.path), stat));
    if (read === undefined) continue;
    const what = shown(own === path ? file : fromHere(own));
    throw new UsageError(`--out: ${what} is ${read.name} itself, which would be overwritten`);
  }
}

function requireWritable(file: string, path: string): void {
  try {
    if (statOf(path) !== null) accessSync(path, constants.W_OK);
    if (statOf(path)?.isFile() === false) return;
    const trial = `${path}.trial.partial`;
    rmSync(trial, { force: true });
    closeSync(openSync(trial, "wx"));
    rmSync(trial);
  } catch (error) {
    const folder = dirname(path);
    const reason = statOf(folder) === null ? `there is no folder ${shown(fromHere(folder))}` : faultOf(error);
    throw new UsageError(`--out: ${shown(file)} cannot be written: ${reason}`);
  }
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

function isSame(a: Stats | null, b: Stats | null): boolean {
  return a !== null && b !== null && a.dev === b.dev && a.ino === b.ino;
}

/** The path behind all links, also where nothing is there yet. */
function resolved(file: string): string {
  let path = resolve(file);
  for (let links = 0; links < MOST_LINKS; links++) {
    try {
      path = join(realpathSync(dirname(path)), basename(path));
      if (!lstatSync(path).isSymbolicLink()) return path;
      path = resolve(dirname(path), readlinkSync(path));
    } catch {
      return path;
    }
  }
  throw new UsageError(`--out: ${shown(file)}: links lead round in a circle`);
}
