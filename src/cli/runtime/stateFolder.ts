/**
 * The state folder (`.weir/` by default): what an embedded Weir keeps on this machine.
 *
 * Private to its user (0700) and never committed (its own `.gitignore`). Only the process that owns the folder
 * (`owner.ts`) writes to it.
 */
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../exit.ts";
import { faultOf } from "../systemFault.ts";
import { printable } from "../words/printable.ts";

export interface StateFolder {
  readonly path: string;
  /** Who owns the folder now. */
  readonly ownerFile: string;
  /** Held by the owner while it lives. */
  readonly lockFile: string;
  readonly generationFile: string;
  readonly workerdPidFile: string;
  readonly workerdScript: string;
  readonly workerdLog: string;
  /** Miniflare's persistence: objects, bucket, database. */
  readonly data: string;
  /** Temporary files; emptied at every start. */
  readonly tmp: string;
  readonly migratedFile: string;
  readonly bucketFile: string;
  /** What the command remembers of each run (`runFiles.ts`). */
  readonly runFiles: string;
}

/** The folder at `path`, not made yet. */
export function stateFolder(path: string): StateFolder {
  const at = (name: string) => join(resolve(path), name);
  return {
    path: resolve(path),
    ownerFile: at("owner.json"),
    lockFile: at("lock"),
    generationFile: at("generation"),
    workerdPidFile: at("workerd.pid"),
    workerdScript: at("workerd.sh"),
    workerdLog: at("workerd.log"),
    data: at("data"),
    tmp: at("tmp"),
    migratedFile: at("migrated"),
    bucketFile: at("bucket"),
    runFiles: at("files"),
  };
}

/** Makes the folder if need be and closes it to others. Throws UsageError where that cannot be. */
export function prepareStateFolder(folder: StateFolder): void {
  try {
    makeFolder(folder.path);
    chmodSync(folder.path, 0o700);
    writeFileSync(join(folder.path, ".gitignore"), "*\n");
  } catch (error) {
    throw cannotBeUsed(folder, error);
  }
}

function cannotBeUsed(folder: StateFolder, error: unknown): UsageError {
  return new UsageError(`--state: the folder ${printable(folder.path)} cannot be used: ${faultOf(error)}`);
}

class NotAFolder extends Error {
  constructor(path: string) {
    super(`${printable(path)} is not a folder`);
  }
}

/** One level after another: Node's own way never ends where the system says that a parent which is there is not. */
function makeFolder(path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) return;
  if (stat !== undefined) throw new NotAFolder(path);
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have been faster.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

/** Empties the folder for temporary files: a killed process leaves some. */
export function emptyTmp(folder: StateFolder): void {
  rmSync(folder.tmp, { recursive: true, force: true });
  mkdirSync(folder.tmp, { mode: 0o700 });
}

/** True when something was ever kept here. Throws UsageError where this user may not look. */
export function hasState(folder: StateFolder): boolean {
  try {
    if (statSync(folder.path, { throwIfNoEntry: false })?.isDirectory() === false)
      throw new NotAFolder(folder.path);
    return statSync(folder.generationFile, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw cannotBeUsed(folder, error);
  }
}

/** The next generation, already stored: strictly greater than every one before it, whatever dies when. */
export function nextGeneration(folder: StateFolder): string {
  const last = Number(readOr(folder.generationFile, "0"));
  const next = String((Number.isSafeInteger(last) ? last : 0) + 1);
  replaceFile(folder.generationFile, next);
  return next;
}

const BUCKET_NAME = /^weir-[0-9a-f]{32}$/;

/**
 * The bucket's name in this folder, made up once. The runtime's own entry port serves any bucket, by name and
 * without a token, to whoever on this machine knows the name: so nobody can guess it. A name that was lost is the one
 * under which the rows lie. Throws UsageError where they lie under several.
 */
export function bucketName(folder: StateFolder): string {
  const known = readOr(folder.bucketFile, "");
  if (BUCKET_NAME.test(known)) return known;
  const [stored, ...others] = storedBuckets(folder);
  if (others.length > 0) {
    const names = [stored, ...others].join(", ");
    throw new UsageError(
      `the file ${printable(folder.bucketFile)} is lost, which names the bucket of all rows; write the right one of these into it: ${names}`,
    );
  }
  const name = stored ?? `weir-${randomBytes(16).toString("hex")}`;
  replaceFile(folder.bucketFile, name);
  return name;
}

function storedBuckets(folder: StateFolder): readonly string[] {
  try {
    return readdirSync(join(folder.data, "r2")).filter((name) => BUCKET_NAME.test(name));
  } catch {
    return [];
  }
}

/** Writes a file whole or not at all, for this user only. */
export function replaceFile(path: string, text: string): void {
  const next = `${path}.next`;
  writeFileSync(next, text, { mode: 0o600, flush: true });
  renameSync(next, path);
}

/** The file's text without surrounding white space, or `otherwise` where there is no such file. */
export function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return otherwise;
  }
}
