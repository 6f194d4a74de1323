/**
 * Ownership of a state folder: one process at a time runs a workerd on it.
 *
 * The owner file says who, and how to talk to it. An owner that is dead (its pid is gone, or is another process by
 * now) owns nothing. Ownership changes hands under a file lock that the kernel drops with its holder.
 *
 * Invariant: whoever takes over has first ended the former owner's workerd and seen that it is gone, and then
 * drives under a strictly greater generation. Two workerds never work on one folder.
 */
import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { CommandError } from "./exit.ts";
import { endProcess, isAlive, ownProcess } from "./processes.ts";
import { nextGeneration, prepareStateFolder, readOr, replaceFile, type StateFolder } from "./stateFolder.ts";
import { recordedWorkerd } from "./watchdog.ts";

const processId = z.object({ pid: z.int().positive(), startTime: z.string() });

const ownerFile = processId.extend({
  /** `run` and `dev` drive runs until they end; `brief` is a reading command that is gone in a moment. */
  kind: z.enum(["run", "dev", "brief"]),
  /** The command as the user knows it: run, retry, resume, dev, status … */
  command: z.string(),
  generation: z.string(),
  /** The run that is driven, once it has an id. */
  run: z.string().nullable(),
  /** Null while it starts. */
  address: z.string().nullable(),
  token: z.string().nullable(),
  workerd: processId.nullable(),
});

export type Owner = z.infer<typeof ownerFile>;

export interface Ownership {
  readonly generation: string;
  /** Another generation of the same owner, already stored; the former workerd must be gone. */
  nextGeneration(): string;
  /** Adds to what the owner file says. */
  announce(news: Partial<Pick<Owner, "run" | "address" | "token" | "workerd">>): void;
  /** Gives the folder up; workerd must be gone. */
  release(): void;
}

export type Taking =
  | { readonly kind: "taken"; readonly ownership: Ownership }
  | { readonly kind: "owned"; readonly owner: Owner };

const LOCK_WAIT_MS = 10_000;
const END_FORMER_MS = 5000;

/** The live owner of the folder, or null. */
export function readOwner(folder: StateFolder): Owner | null {
  const owner = readOwnerFile(folder);
  return owner !== null && isAlive(owner) ? owner : null;
}

/** Takes the folder unless a live process owns it. Throws CommandError when a former workerd does not end. */
export async function takeOwnership(
  folder: StateFolder,
  as: Pick<Owner, "kind" | "command">,
): Promise<Taking> {
  prepareStateFolder(folder);
  const unlock = lock(folder);
  try {
    const owner = readOwner(folder);
    if (owner !== null) return { kind: "owned", owner };
    await endFormerWorkerd(folder);
    let mine: Owner = {
      ...ownProcess(),
      ...as,
      generation: nextGeneration(folder),
      run: null,
      address: null,
      token: null,
      workerd: null,
    };
    const write = () => replaceFile(folder.ownerFile, JSON.stringify(mine));
    write();
    return {
      kind: "taken",
      ownership: {
        generation: mine.generation,
        nextGeneration: () => {
          mine = { ...mine, generation: nextGeneration(folder) };
          write();
          return mine.generation;
        },
        announce: (news) => {
          mine = { ...mine, ...news };
          write();
        },
        release: () => rmSync(folder.ownerFile, { force: true }),
      },
    };
  } finally {
    unlock();
  }
}

async function endFormerWorkerd(folder: StateFolder): Promise<void> {
  for (const workerd of [readOwnerFile(folder)?.workerd ?? null, recordedWorkerd(folder)]) {
    if (workerd !== null && !(await endProcess(workerd, END_FORMER_MS))) {
      throw new CommandError(`a former runtime (pid ${workerd.pid}) does not end; end it, then try again`);
    }
  }
}

function readOwnerFile(folder: StateFolder): Owner | null {
  try {
    return ownerFile.parse(JSON.parse(readOr(folder.ownerFile, "")));
  } catch {
    return null;
  }
}

/** SQLite's lock on a file of its own: Node has no other that the kernel drops when its holder dies. */
function lock(folder: StateFolder): () => void {
  const database = new DatabaseSync(folder.lockFile, { timeout: LOCK_WAIT_MS });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch {
    database.close();
    throw new CommandError(`the state folder ${folder.path} is changing hands; try again in a moment`);
  }
  return () => database.close();
}
