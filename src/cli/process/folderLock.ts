/**
 * The lock of a state folder: held by its owner for as long as that lives, on one machine across containers, and on a
 * network file system across machines.
 *
 * It is SQLite's lock on a file of its own: Node has no other that the kernel drops when its holder dies, however it
 * dies. Nothing is ever written to that file, and it is never removed: two files of one name would be two locks.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, truncateSync } from "node:fs";
import { createRequire } from "node:module";
import type { DatabaseSync } from "node:sqlite";
import { UsageError } from "../exit.ts";
import type { StateFolder } from "../runtime/stateFolder.ts";

const SQLITE_BUSY = 5;
const SQLITE_NOTADB = 26;
/** SQLite opens no file with a longer path. */
const MAX_PATH_BYTES = 512;

/** Locks held by this process. What nobody refers to is collected, and its lock with it. */
const held = new Set<DatabaseSync>();

/** Takes the lock and gives what releases it; null while another process has it. */
export function lockFolder(folder: StateFolder): (() => void) | null {
  refuseLongPath(folder);
  try {
    return lockFile(folder.lockFile);
  } catch (error) {
    // Bytes from elsewhere: nobody can hold the lock then, for it is taken before the file is read.
    if (!isSqlite(error, SQLITE_NOTADB)) throw explain(folder, error);
  }
  truncateSync(folder.lockFile);
  try {
    return lockFile(folder.lockFile);
  } catch (error) {
    throw explain(folder, error);
  }
}

/** True while a process holds the lock. */
export function isFolderLocked(folder: StateFolder): boolean {
  const unlock = lockFolder(folder);
  unlock?.();
  return unlock === null;
}

/** SQLite of this Node; null in Node 20, which has none. */
const sqlite = loadSqlite();

function loadSqlite(): typeof import("node:sqlite") | null {
  try {
    return createRequire(import.meta.url)("node:sqlite") as typeof import("node:sqlite");
  } catch {
    return null;
  }
}

function lockFile(path: string): (() => void) | null {
  return sqlite === null ? lockByFlock(path) : lockBySqlite(path, sqlite.DatabaseSync);
}

/** Of util-linux and busybox; macOS has none, and perl. Each ends at once, with 1 where another has the lock. */
const FLOCK = [
  ["flock", "-n", "3"],
  ["perl", "-MFcntl=:flock", "-e", 'open(F, "<&=", 3) or exit 2; exit(flock(F, LOCK_EX | LOCK_NB) ? 0 : 1)'],
] as const;

/**
 * Where Node has no SQLite: flock(2) on a file that stays open here. The lock belongs to the open file, which a short
 * process locks and this one keeps. The two kinds of locks do not see each other; the owner file does (`owner.ts`).
 */
function lockByFlock(path: string): (() => void) | null {
  const file = openSync(path, "a+");
  for (const [command, ...args] of FLOCK) {
    const { status, error } = spawnSync(command, args, { stdio: ["ignore", "ignore", "ignore", file] });
    if (error !== undefined) continue;
    if (status === 0) return () => closeSync(file);
    closeSync(file);
    return null;
  }
  closeSync(file);
  throw new Error("neither flock nor perl is there to lock it with; Node 22.13 or later needs neither");
}

function lockBySqlite(path: string, Database: typeof DatabaseSync): (() => void) | null {
  const database = new Database(path, { timeout: 0 });
  try {
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    held.add(database);
    return () => {
      if (held.delete(database)) database.close();
    };
  } catch (error) {
    database.close();
    if (isSqlite(error, SQLITE_BUSY)) return null;
    throw error;
  }
}

function isSqlite(error: unknown, code: number): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === code;
}

function refuseLongPath(folder: StateFolder): void {
  if (Buffer.byteLength(folder.lockFile) < MAX_PATH_BYTES) return;
  throw new UsageError(
    `--state: the path ${folder.path} is too long; accepted are ${MAX_PATH_BYTES - 10} bytes`,
  );
}

function explain(folder: StateFolder, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return new UsageError(`--state: the folder ${folder.path} cannot be used: ${reason}`);
}
