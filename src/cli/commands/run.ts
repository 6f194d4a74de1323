/** `weir run`: a new run from flags or a spec, or the going on of one; `weir resume` is the latter. */
import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import type { RunView } from "../../core/run/runView.ts";
import { parseSpec } from "../../runSpec/schema.ts";
import { missingSecrets } from "../../runs/missingSecrets.ts";
import { missingSecretMessage } from "../../tasks/secrets.ts";
import { ApiError, type Client } from "../client.ts";
import { type Connection, connectToDrive, folderOf, usesOwnSecrets } from "../connection.ts";
import { driveRun } from "../drive.ts";
import { UsageError } from "../exit.ts";
import type { Arguments, Flags } from "../flags/arguments.ts";
import { type Draft, draftPatch, draftSpec, usageError } from "../flags/draft.ts";
import { newestRuns } from "../newestRun.ts";
import { takeInterrupts } from "../process/interrupts.ts";
import type { ReadFile } from "../rows/outTarget.ts";
import { outOfKnown, outOfNew, rememberFiles } from "../runFiles.ts";
import { uploadInput } from "../upload.ts";

/** Returns the exit code. */
export async function runCommand({ words, flags }: Arguments): Promise<number> {
  if (flags.has("resume")) return resumeRun(flags.get("resume") || null, flags);
  // Looked at first, so that what is wrong with it is said with the rest; then with what the draft reads.
  flags.noted("out", () => outOfNew(flags, []));
  const draft = draftSpec(words, flags);
  const reads = readFiles(draft, words[0] ?? null);
  const out = outOfNew(flags, reads);
  if (usesOwnSecrets(flags)) requireSecrets(draft);
  const connection = await connectToDrive(flags, "run", null);
  try {
    if (draft.input !== null) await uploadInput(connection.client, draft.input);
    const interrupts = takeInterrupts();
    const view = await create(connection, draft);
    const folder = folderOf(flags);
    rememberFiles(folder, view.id, { reads });
    const isDetached = flags.has("detach");
    return await driveRun(connection, view, { flags, interrupts, isDetached, folder, out });
  } finally {
    await connection.close();
  }
}

/** Goes on with `run`, or with the newest unfinished one. Limits among the flags are set anew. */
export async function resumeRun(run: string | null, flags: Flags, command = "run"): Promise<number> {
  const folder = folderOf(flags);
  if (run !== null) flags.noted("out", () => outOfKnown(flags, folder, run));
  const patch = draftPatch(flags);
  const connection = await connectToDrive(flags, command, run);
  try {
    const id = run ?? (await newestUnfinished(connection.client));
    const out = outOfKnown(flags, folder, id);
    const interrupts = takeInterrupts();
    if (patch !== null) await connection.client.ask("PATCH", `/v1/runs/${id}`, { json: patch });
    const view = await connection.client.ask<RunView>("POST", `/v1/runs/${id}/resume`);
    // Resumed for a `weir run` that follows it already.
    const isDetached = flags.has("detach") || connection.isFollowed;
    return await driveRun(connection, view, { flags, interrupts, isDetached, folder, out });
  } finally {
    await connection.close();
  }
}

/** What the run is made from: it must not be written over. */
function readFiles({ input }: Draft, specFile: string | null): readonly ReadFile[] {
  const items = input?.file ?? null;
  return [
    ...(items === null ? [] : [{ name: "the input", path: resolve(items) }]),
    ...(specFile === null ? [] : [{ name: "the spec", path: resolve(specFile) }]),
  ];
}

/** A complaint of the API about the spec, in the words the user typed. */
export async function askAboutSpec<T>(draft: Draft, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 400 || error.path === null) throw error;
    throw usageError(error.problems, draft.nameOf);
  }
}

function create(connection: Connection, draft: Draft): Promise<RunView> {
  // With the key, a request whose answer got lost can be sent again without a second run.
  const headers = { "idempotency-key": randomUUID() };
  return askAboutSpec(draft, () => connection.client.ask("POST", "/v1/runs", { json: draft.spec, headers }));
}

function requireSecrets(draft: Draft): void {
  const parsed = parseSpec(draft.spec);
  const missing = parsed.kind === "ok" ? missingSecrets(parsed.spec, process.env) : [];
  const problems = missing.map(({ name, path }) => ({ path, message: missingSecretMessage(name) }));
  if (problems.length > 0) throw usageError(problems, draft.nameOf);
}

async function newestUnfinished(client: Client): Promise<string> {
  const { unfinished, newest } = await newestRuns(client);
  if (unfinished !== null) return unfinished.id;
  const last = newest === null ? "nothing was run here" : `the newest run, ${newest.id}, is ${newest.status}`;
  throw new UsageError(`--resume: there is no unfinished run: ${last}`);
}
