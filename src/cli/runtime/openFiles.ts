/** How many files and connections this process and its workerd may have open: where they are few, calls fail. */
import { readFileSync } from "node:fs";
import { OPEN_FILES_LEAST } from "../../core/limits.ts";
import { UsageError } from "../exit.ts";

const LIMITS = "/proc/self/limits";

/** Throws UsageError where they are too few. Node has raised the limit as far as it may be raised. */
export function requireOpenFiles(limits: string = readLimits()): void {
  const most = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  if (most === undefined || Number(most) >= OPEN_FILES_LEAST) return;
  throw new UsageError(
    `at most ${most} files and connections may be open here, and weir needs ${OPEN_FILES_LEAST}: set ulimit -n ${4 * OPEN_FILES_LEAST}`,
  );
}

/** Empty where the system does not tell. */
function readLimits(): string {
  try {
    return readFileSync(LIMITS, "utf8");
  } catch {
    return "";
  }
}
