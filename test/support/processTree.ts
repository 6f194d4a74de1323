/**
 * A process and everything it started, as Linux' /proc tells it. Used to measure memory and to kill without
 * leaving anything behind. A child that a dead parent left is not found any more: look before you kill.
 */
import { readdirSync, readFileSync } from "node:fs";

/** The process and all its descendants that are alive now, the process itself first. */
export function processTree(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    const parent = parentOf(Number(entry));
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const tree = [pid];
  for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i] as number) ?? []));
  return tree.filter(isAlive);
}

/** False also for a zombie: it runs nothing any more. */
export function isAlive(pid: number): boolean {
  const fields = statFields(pid);
  return fields !== null && fields[0] !== "Z" && fields[0] !== "X";
}

/** Command line of a process, its arguments separated by spaces; empty when it is gone. */
export function commandLine(pid: number): string {
  return readOrNull(`/proc/${pid}/cmdline`)?.replaceAll("\0", " ").trim() ?? "";
}

/** Kills these processes at once, without a chance to tidy up. Those that are gone are not errors. */
export function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // Gone already.
    }
  }
}

/**
 * Resident memory in bytes: what is theirs alone (anonymous), and all of it. Pages of one program file mapped by
 * two processes count twice in `rss`.
 */
export function memoryOf(pids: readonly number[]): { readonly rss: number; readonly anonymous: number } {
  let rss = 0;
  let anonymous = 0;
  for (const pid of pids) {
    const status = readOrNull(`/proc/${pid}/status`) ?? "";
    rss += kilobytes(status, "VmRSS") * 1024;
    anonymous += kilobytes(status, "RssAnon") * 1024;
  }
  return { rss, anonymous };
}

/** Processor time a process has used so far, user and system, milliseconds; null when it is gone. */
export function cpuMsOf(pid: number): number | null {
  const fields = statFields(pid);
  if (fields === null) return null;
  // Fields 14 and 15 of the whole line, in ticks.
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** Linux counts processor time in hundredths of a second on every machine we know. */
const MS_PER_TICK = 10;

function kilobytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
}

function parentOf(pid: number): number | null {
  const fields = Number.isInteger(pid) ? statFields(pid) : null;
  return fields === null ? null : Number(fields[1]);
}

/** The fields of /proc/PID/stat after the name, which may itself hold spaces and parentheses. */
function statFields(pid: number): string[] | null {
  const stat = readOrNull(`/proc/${pid}/stat`);
  return stat === null ? null : stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
