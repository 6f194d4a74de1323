/**
 * What the command remembers of a run: the files on this machine that go with it. Where its rows go is said once,
 * and holds for every later `run --resume` and `retry`; what was read for it is never written over.
 *
 * It lies in the state folder, also for a run of a deployed Weir: paths of this machine mean nothing there. Losing it
 * costs a flag to be given again.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UsageError } from "./exit.ts";
import type { Flags } from "./flags/arguments.ts";
import { RUN_ID } from "./flags/flags.ts";
import { type OutTarget, outTarget, type ReadFile } from "./rows/outTarget.ts";
import { prepareStateFolder, readOr, replaceFile, type StateFolder } from "./runtime/stateFolder.ts";

const runFiles = z.object({
  /** Absolute path of a file or pipe; null: none was named. */
  out: z.string().nullable(),
  /** The run whose rows, merged with those of its retries, go there; null: this run's own. */
  mergedOf: z.string().nullable(),
  reads: z.array(z.object({ name: z.string(), path: z.string() })).readonly(),
  /** `FILE.partial` as this run's command made it: then it is gone on with. */
  partial: z.object({ dev: z.number(), ino: z.number() }).nullable(),
});

export type RunFiles = z.infer<typeof runFiles>;

/** Where a run's rows go. */
export interface RunOut {
  readonly target: OutTarget;
  readonly mergedOf: string | null;
}

const NOTHING: RunFiles = { out: null, mergedOf: null, reads: [], partial: null };

export function recallFiles(folder: StateFolder, run: string): RunFiles {
  if (!RUN_ID.test(run)) return NOTHING;
  try {
    return runFiles.parse(JSON.parse(readOr(fileOf(folder, run), "")));
  } catch {
    return NOTHING;
  }
}

/** Changes what is remembered of a run. */
export function rememberFiles(folder: StateFolder, run: string, change: Partial<RunFiles>): void {
  const files = { ...recallFiles(folder, run), ...change };
  if (!RUN_ID.test(run) || (files.out === null && files.reads.length === 0)) return;
  try {
    prepareStateFolder(folder);
    mkdirSync(folder.runFiles, { recursive: true, mode: 0o700 });
    replaceFile(fileOf(folder, run), JSON.stringify(files));
  } catch {
    // The run does not depend on it.
  }
}

export function forgetFiles(folder: StateFolder, run: string): void {
  if (RUN_ID.test(run)) rmSync(fileOf(folder, run), { force: true });
}

/** Of a new run. Throws UsageError. */
export function outOfNew(flags: Flags, reads: readonly ReadFile[]): RunOut | null {
  const file = flags.get("out");
  return file === null ? null : { target: checked(flags, file, reads), mergedOf: null };
}

/** Of a run that goes on: `--out`, else what it was given before. Throws UsageError. */
export function outOfKnown(flags: Flags, folder: StateFolder, run: string): RunOut | null {
  const { out, mergedOf, reads } = recallFiles(folder, run);
  if (flags.has("out")) return outOfNew(flags, reads);
  return out === null ? null : { target: remembered(flags, out, reads), mergedOf };
}

/**
 * Of a retry: `--out` takes the retry's own rows. Without it the file of the run that is retried is brought up to
 * date, with one row for every item. Throws UsageError.
 */
export function outOfRetry(flags: Flags, folder: StateFolder, parent: string): RunOut | null {
  const { out, mergedOf, reads } = recallFiles(folder, parent);
  if (flags.has("out") || out === null) return outOfNew(flags, reads);
  const target = remembered(flags, out, reads);
  return target.kind === "file" ? { target, mergedOf: mergedOf ?? parent } : null;
}

/** As it is remembered; stdout is of one command alone. */
export function pathToRemember({ target }: RunOut): string | null {
  return target.kind === "stdout" || /^\/(dev\/fd|proc)\//.test(target.path) ? null : target.path;
}

function checked(flags: Flags, file: string, reads: readonly ReadFile[]): OutTarget {
  const target = outTarget(file, reads);
  if (target.kind === "stdout" && flags.has("json")) {
    throw new UsageError("--out: rows on stdout do not go with --json, which prints the run there");
  }
  return target;
}

function remembered(flags: Flags, out: string, reads: readonly ReadFile[]): OutTarget {
  try {
    return checked(flags, out, reads);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${error.message} (the run was given it earlier; another --out takes its place)`);
  }
}

function fileOf(folder: StateFolder, run: string): string {
  return join(folder.runFiles, `${run}.json`);
}
