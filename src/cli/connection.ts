/**
 * Which Weir a command talks to: a deployed one, the owner of the state folder, or one of its own.
 *
 * Commands that *drive* a run (run, retry, resume) own the folder until the run ends, or hand the run to a
 * `weir dev` that owns it; another `weir run` there refuses them. All other commands talk to whoever owns the
 * folder, and start a short-lived runtime where nobody does: its generation drives nothing, so no target is called.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { MIN_TOKEN_CHARS } from "../core/limits.ts";
import { type Client, checkRemote, createClient } from "./client.ts";
import { CommandError, UsageError } from "./exit.ts";
import type { Flags } from "./flags/arguments.ts";
import { lookingAgain } from "./lookingAgain.ts";
import { isElsewhere, type Owner, type Ownership, readOwner, takeOwnership } from "./process/owner.ts";
import { isAlive } from "./process/processes.ts";
import type { Runtime } from "./process/supervisor.ts";
import { hasState, type StateFolder, stateFolder } from "./runtime/stateFolder.ts";
import { shellWord } from "./words/shellWord.ts";

export interface Connection {
  readonly client: Client;
  /** `own`: a runtime of this process. `owner`: another process's. */
  readonly kind: "remote" | "owner" | "own";
  /** True where the process at the other end is a `weir run` that follows its run itself. */
  readonly isFollowed: boolean;
  /** Tells others which run this process drives. */
  announceRun(run: string): void;
  /** Null while Weir can be expected to answer; else why it never will again. */
  lost(): string | null;
  /** `tell` gets a sentence when the runtime of this process had to be started again, and what tasks say. */
  listen(tell: (sentence: string) => void): void;
  /** What has to be added to a `weir` command so that it reaches the same Weir. */
  readonly where: string;
  close(): Promise<void>;
}

const TOKEN = /^[\x21-\x7e]+$/;
const DEFAULT_STATE = ".weir";
/** A reading command is gone, and a starting one ready, within this, also on a busy machine. */
const WAIT_MS = 30_000;
const LOOK_AGAIN_MS = 50;

/** For commands that read or steer. Throws UsageError where there is nothing to read, unless `mayBegin`. */
export async function connect(flags: Flags, command: string, mayBegin = false): Promise<Connection> {
  flags.throwRefused();
  const look = () => connectOnce(flags, command, mayBegin);
  const found = await look();
  return found.kind === "owner" ? lookingAgain(found, look) : found;
}

async function connectOnce(flags: Flags, command: string, mayBegin: boolean): Promise<Connection> {
  const remote = connectRemote(flags);
  if (remote !== null) return remote;
  const folder = folderOf(flags);
  const owner = await waitForOwner(folder, (found) => found.kind !== "brief");
  if (owner !== null) return connectOwner(owner, flags);
  if (!mayBegin && !hasState(folder))
    throw new UsageError(`nothing was run here yet: ${folder.path} holds no state`);
  return own(folder, flags, { kind: "brief", command, port: 0 });
}

/**
 * For commands that drive `run` (null: a new one, or one to be found). Throws UsageError where another `weir run`
 * owns the folder, and for `--detach` where nothing would go on after this process.
 */
export async function connectToDrive(flags: Flags, command: string, run: string | null): Promise<Connection> {
  flags.throwRefused();
  const remote = connectRemote(flags);
  if (remote !== null) return remote;
  const folder = folderOf(flags);
  const owner = await waitForOwner(folder, (found) => found.kind !== "brief");
  if (
    owner?.kind === "dev" ||
    (owner !== null && run !== null && owner.run === run && command === "resume")
  ) {
    return connectOwner(owner, flags);
  }
  if (owner !== null) throw inUse(owner);
  if (flags.has("detach")) {
    throw new UsageError("--detach needs a Weir that stays: --remote URL, or weir dev in another terminal");
  }
  return own(folder, flags, { kind: "run", command, port: 0 });
}

/** For `weir dev`: always a runtime of its own. */
export async function connectDev(
  flags: Flags,
  port: number,
): Promise<Connection & { readonly token: string }> {
  if (flags.has("remote"))
    flags.refuse("remote", "weir dev runs on this machine: --remote does not go with it");
  flags.throwRefused();
  const token = ownToken(flags);
  const folder = folderOf(flags);
  const owner = await waitForOwner(folder, (found) => found.kind !== "brief");
  if (owner !== null) throw inUse(owner);
  return own(folder, flags, { kind: "dev", command: "dev", port, token });
}

/** The token that the user wants `weir dev` to take; null: a new one. Throws UsageError for one that is too short. */
function ownToken(flags: Flags): string | null {
  const token = flags.get("token") ?? process.env.WEIR_TOKEN ?? "";
  if (token === "") return null;
  if (token.length >= MIN_TOKEN_CHARS && TOKEN.test(token)) return token;
  throw new UsageError(
    `WEIR_TOKEN: a token has ${MIN_TOKEN_CHARS} visible characters or more, as openssl rand -hex 32 prints; unset it, and weir dev makes one`,
  );
}

/** True where the command needs secrets of this process: no other one makes the calls. */
export function usesOwnSecrets(flags: Flags): boolean {
  return !flags.has("remote") && readOwner(folderOf(flags)) === null;
}

/** True when nothing was ever kept where the flags point. */
export function isUntouched(flags: Flags): boolean {
  return !flags.has("remote") && !hasState(folderOf(flags));
}

/** The state folder that the flags name; of a deployed Weir only what the command remembers lies in it. */
export function folderOf(flags: Flags): StateFolder {
  const path = flags.get("state") ?? DEFAULT_STATE;
  if (path === "") throw new UsageError("--state: needs the path of a folder");
  return stateFolder(path);
}

function connectRemote(flags: Flags): Connection | null {
  const remote = flags.get("remote");
  if (remote === null) return null;
  const address = checkRemote(remote);
  const token = flags.get("token") ?? process.env.WEIR_TOKEN ?? "";
  if (token === "")
    throw new UsageError("WEIR_TOKEN is not set: the token of the deployed Weir (or give --token)");
  if (!TOKEN.test(token)) throw new UsageError("the token has characters that no token has");
  const client = createClient(address, token);
  return {
    client,
    kind: "remote",
    isFollowed: false,
    announceRun: () => {},
    lost: () => null,
    listen: () => {},
    where: ` --remote ${address}`,
    close: async () => client.close(),
  };
}

function connectOwner(owner: Owner, flags: Flags): Connection {
  const client = createClient(owner.address ?? "", owner.token ?? "");
  return {
    client,
    kind: "owner",
    isFollowed: owner.kind === "run",
    announceRun: () => {},
    lost: () =>
      isAlive(owner) ? null : `weir ${owner.command} (pid ${owner.pid}), which worked on it, has ended`,
    listen: () => {},
    where: whereOf(flags),
    close: async () => client.close(),
  };
}

async function own(
  folder: StateFolder,
  flags: Flags,
  as: {
    readonly kind: Owner["kind"];
    readonly command: string;
    readonly port: number;
    readonly token?: string | null;
  },
): Promise<Connection & { readonly token: string }> {
  const ownership = await take(folder, as);
  let runtime: Runtime;
  try {
    // Loaded only here: a command that talks to another process does without the runtime.
    const { startRuntime } = await import("./process/supervisor.ts");
    const { port, kind, command, token = null } = as;
    runtime = await startRuntime(folder, ownership, {
      port,
      token,
      drives: kind !== "brief",
      drivesSchedules: kind === "dev",
      repairs: command === "reindex",
    });
  } catch (error) {
    ownership.release();
    throw error;
  }
  const { address, token } = runtime;
  const client = createClient(address, token);
  return {
    client,
    token,
    kind: "own",
    isFollowed: false,
    announceRun: (run) => ownership.announce({ run }),
    lost: () => runtime.lost(),
    listen: (tell) => runtime.listen(tell),
    where: whereOf(flags),
    close: async () => {
      client.close();
      // Whoever comes now waits for the folder instead of asking a runtime that goes.
      ownership.announce({ address: null, token: null });
      await runtime.stop();
      ownership.release();
    },
  };
}

async function take(folder: StateFolder, as: Pick<Owner, "kind" | "command">): Promise<Ownership> {
  const untilMs = Date.now() + WAIT_MS;
  for (;;) {
    const taking = await takeOwnership(folder, as);
    if (taking.kind === "taken") return taking.ownership;
    // Somebody was faster. What is gone in a moment is waited for, whoever asks.
    if (taking.owner.kind !== "brief" || Date.now() > untilMs) throw inUse(taking.owner);
    await sleep(LOOK_AGAIN_MS);
  }
}

/** The owner, ready to answer, once it is one of the `wanted`; null when nobody owns the folder. */
async function waitForOwner(folder: StateFolder, wanted: (owner: Owner) => boolean): Promise<Owner | null> {
  const untilMs = Date.now() + WAIT_MS;
  for (;;) {
    const owner = readOwner(folder);
    if (owner !== null && isElsewhere(owner) && wanted(owner)) throw inUse(owner);
    if (owner === null || (wanted(owner) && owner.address !== null)) return owner;
    if (Date.now() > untilMs) {
      if (wanted(owner))
        throw new CommandError(`weir ${owner.command} (pid ${owner.pid}) does not get ready`);
      throw inUse(owner);
    }
    await sleep(LOOK_AGAIN_MS);
  }
}

function inUse(owner: Owner): UsageError {
  const run = owner.run === null ? "" : `, which works on ${owner.run}`;
  if (isElsewhere(owner)) {
    return new UsageError(
      `in use by weir ${owner.command} in another container or on another machine${run}; run this command there, or wait`,
    );
  }
  return new UsageError(
    `in use by weir ${owner.command} (pid ${owner.pid})${run}; give another --state, or wait`,
  );
}

function whereOf(flags: Flags): string {
  const state = flags.get("state");
  if (state === null) return "";
  return ` --state ${shellWord(state)}`;
}
