/**
 * Ownership of a state folder: one process at a time runs a workerd on it.
 *
 * The owner holds the folder's lock for as long as it lives, and the kernel drops it with its holder (`folderLock.ts`).
 * The owner file says who that is, and how to talk to it. An owner in another container or on another machine has a
 * pid and an address that mean nothing here: only the lock says that it lives, and nothing is asked of it.
 *
 * Invariant: whoever takes over has first ended the former owner's workerd and seen that it is gone, and then
 * drives under a strictly greater generation. Two workerds never work on one folder.
 */
import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { CommandError } from "../exit.ts";
import {
  nextGeneration,
  prepareStateFolder,
  readOr,
  replaceFile,
  type StateFolder,
} from "../runtime/stateFolder.ts";
import { isFolderLocked, lockFolder } from "./folderLock.ts";
import { endProcess, isAlive, ownPlace, ownProcess } from "./processes.ts";
import { recordedWorkerd } from "./watchdog.ts";

const processId = z.object({ pid: z.int().positive(), startTime: z.string() });

const ownerFile = processId.extend({
  /** Where its pid means what it meant to it; see `ownPlace`. */
  place: z.string().optional(),
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

const END_FORMER_MS = 5000;
/** A watchdog looks for its workerd this long after the command has died. */
const WATCHDOG_MS = 5000;
/** An owner writes down who it is within this. */
const OWNER_FILE_MS = 10_000;
const LOOK_AGAIN_MS = 20;

/** The live owner of the folder, or null. */
export function readOwner(folder: StateFolder): Owner | null {
  const owner = readOwnerFile(folder);
  if (owner === null) return null;
  return (isElsewhere(owner) ? isFolderLocked(folder) : isAlive(owner)) ? owner : null;
}

/** True for an owner in another container or on another machine. */
export function isElsewhere(owner: Owner): boolean {
  return owner.place !== undefined && owner.place !== ownPlace();
}

/** Takes the folder unless a live process owns it. Throws CommandError when a former workerd does not end. */
export async function takeOwnership(
  folder: StateFolder,
  as: Pick<Owner, "kind" | "command">,
): Promise<Taking> {
  prepareStateFolder(folder);
  const taken = await lockOrOwner(folder);
  if (taken.kind === "owned") return taken;
  const { unlock } = taken;
  try {
    await endFormerWorkerd(folder);
    let mine: Owner = {
      ...ownProcess(),
      place: ownPlace(),
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
        release: () => {
          rmSync(folder.ownerFile, { force: true });
          unlock();
        },
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** The folder's lock, or who has it. */
async function lockOrOwner(
  folder: StateFolder,
): Promise<
  { readonly kind: "locked"; readonly unlock: () => void } | { readonly kind: "owned"; readonly owner: Owner }
> {
  const untilMs = Date.now() + OWNER_FILE_MS;
  for (;;) {
    const unlock = lockFolder(folder);
    const owner = readOwner(folder);
    // Alive without the lock: the folder is on a file system that has none, or this process owns it already.
    if (owner !== null && (unlock === null || !isElsewhere(owner))) {
      unlock?.();
      return { kind: "owned", owner };
    }
    if (unlock !== null) return { kind: "locked", unlock };
    if (Date.now() > untilMs) {
      throw new CommandError(
        `the state folder ${folder.path} is in use by a process that does not say who it is`,
      );
    }
    await sleep(LOOK_AGAIN_MS);
  }
}

async function endFormerWorkerd(folder: StateFolder): Promise<void> {
  const former = readOwnerFile(folder);
  if (former !== null && isElsewhere(former)) {
    // Whatever has that pid here is another process: the watchdog beside the former owner ends its workerd.
    if (former.workerd !== null) await sleep(WATCHDOG_MS);
    return;
  }
  for (const workerd of [former?.workerd ?? null, recordedWorkerd(folder)]) {
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
