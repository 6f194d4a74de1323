/**
 * Processes by pid *and* start time: a pid alone comes back for another process.
 *
 * Invariant: nothing is signalled unless its start time is the one that was written down.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

export interface ProcessId {
  readonly pid: number;
  /** Opaque; equal for the same process only. */
  readonly startTime: string;
}

/** The start time of a live process; null when there is none with this pid (or only its remains). */
export function startTimeOf(pid: number): string | null {
  return process.platform === "linux" ? startTimeFromProc(pid) : startTimeFromPs(pid);
}

/** This process. */
export function ownProcess(): ProcessId {
  return { pid: process.pid, startTime: startTimeOf(process.pid) ?? "" };
}

/**
 * Where a pid means the same process as here: this start of this machine, this container. Opaque; the machine's name
 * where the system does not say more.
 */
export function ownPlace(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

/** True while exactly this process lives. */
export function isAlive(id: ProcessId): boolean {
  return id.startTime !== "" && startTimeOf(id.pid) === id.startTime;
}

/** Ends a process at once and waits until it is gone; true when it is, false after `timeoutMs`. */
export async function endProcess(id: ProcessId, timeoutMs: number): Promise<boolean> {
  const untilMs = Date.now() + timeoutMs;
  while (isAlive(id)) {
    try {
      process.kill(id.pid, "SIGKILL");
    } catch {
      return !isAlive(id);
    }
    if (Date.now() > untilMs) return false;
    await sleep(10);
  }
  return true;
}

/** Field 22 of /proc/PID/stat; the second field may hold spaces and parentheses, so fields count from its end. */
function startTimeFromProc(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const isRemains = fields[0] === "Z" || fields[0] === "X";
    return isRemains ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function startTimeFromPs(pid: number): string | null {
  try {
    const text = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
    });
    return text.trim().replace(/\s+/g, " ") || null;
  } catch {
    return null;
  }
}
