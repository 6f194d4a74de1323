/** How the command ends: the exit codes of the contract, and the two errors that end it with one clear line. */
import { isEnded, type RunView } from "../core/run/runView.ts";

export const EXIT = {
  ok: 0,
  error: 1,
  /** Usage, or refused: nothing was started. */
  usage: 2,
  completedWithFailures: 3,
  failedOrCancelled: 4,
  /** The run waits: paused by Ctrl-C or by itself. */
  waits: 5,
  /** Every item is ok, and the deadline was missed. */
  late: 6,
  /** `weir watch`, or an upload, was ended by Ctrl-C: the shells' code for that. */
  left: 130,
} as const;

/** How a run ended, or that it has not. */
export function exitCodeOf({ status, deadline }: Pick<RunView, "status" | "deadline">): number {
  if (!isEnded(status)) return EXIT.waits;
  if (status === "completed") return deadline?.missedBySeconds == null ? EXIT.ok : EXIT.late;
  return status === "completed-with-failures" ? EXIT.completedWithFailures : EXIT.failedOrCancelled;
}

/** Something the user can put right: printed, a line for each mistake, exit code 2, nothing was started. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** Something that went wrong outside of the user's words: printed as one line, exit code 1. */
export class CommandError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number = EXIT.error) {
    super(message);
    this.name = "CommandError";
    this.exitCode = exitCode;
  }
}
