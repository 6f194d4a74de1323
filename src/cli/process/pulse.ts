/**
 * Whether a process hangs: it computes on and on, and neither reads nor writes.
 *
 * Only its own processor time counts against it. A stopped process, a machine that sleeps, and one so busy that the
 * process hardly gets its turn are therefore no hang. Nor is honest work of many lanes, however long an answer takes
 * meanwhile: between two items the process reads and writes. Where the system does not count what a process reads and
 * writes (macOS), an answer is the sign instead, and it has longer.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { ProcessId } from "./processes.ts";

/** So long an item computes at a stretch and it never ends: a deployed invocation is ended after less in all. */
const HANG_CPU_MS = 5000;
/** Computing lanes take turns, and an answer waits for all of theirs. */
const SILENT_CPU_MS = 60_000;
/** Clock ticks of /proc, on every Linux that Node runs on. */
const TICK_MS = 10;
const ANSWER_MS = 2000;

interface Vitals {
  /** Processor time used so far. */
  readonly cpuMs: number;
  /** Reads and writes so far; null where they are not counted. */
  readonly transfers: number | null;
}

export class Pulse {
  readonly #process: ProcessId;
  readonly #address: string | null;
  #beat: Vitals | null = null;

  /** `address`: where it answers, null while it starts. */
  constructor(process: ProcessId, address: string | null) {
    this.#process = process;
    this.#address = address;
  }

  /** True when it has computed for too long since the last sign of life; to be asked again and again. */
  async hasStopped(): Promise<boolean> {
    const vitals = vitalsOf(this.#process.pid);
    if (vitals === null) return false;
    const { transfers, cpuMs } = vitals;
    const isBeat = transfers === null ? await this.#answers() : transfers !== this.#beat?.transfers;
    if (this.#beat === null || isBeat) this.#beat = vitals;
    return cpuMs - this.#beat.cpuMs > (transfers === null ? SILENT_CPU_MS : HANG_CPU_MS);
  }

  async #answers(): Promise<boolean> {
    if (this.#address === null) return false;
    try {
      const answer = await fetch(`${this.#address}/healthz`, { signal: AbortSignal.timeout(ANSWER_MS) });
      await answer.body?.cancel();
      return true;
    } catch {
      return false;
    }
  }
}

function vitalsOf(pid: number): Vitals | null {
  try {
    return process.platform === "linux" ? vitalsFromProc(pid) : vitalsFromPs(pid);
  } catch {
    return null;
  }
}

/** Fields 14 and 15 of /proc/PID/stat; the second may hold spaces and parentheses, so fields count from its end. */
function vitalsFromProc(pid: number): Vitals {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS, transfers: transfersFromProc(pid) };
}

/** Null where the kernel does not count them or does not say. */
function transfersFromProc(pid: number): number | null {
  try {
    const io = readFileSync(`/proc/${pid}/io`, "utf8");
    const counts = [...io.matchAll(/^sysc[rw]: (\d+)$/gm)].map(([, count]) => Number(count));
    return counts.length === 0 ? null : counts.reduce((sum, count) => sum + count, 0);
  } catch {
    return null;
  }
}

function vitalsFromPs(pid: number): Vitals | null {
  const text = execFileSync("ps", ["-o", "time=", "-p", String(pid)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, LC_ALL: "C" },
  });
  const cpuMs = cpuTimeMs(text);
  return cpuMs === null ? null : { cpuMs, transfers: null };
}

/** Milliseconds of `ps`'s `[[dd-]hh:]mm:ss[.ff]`; null for anything else. Exported for its test. */
export function cpuTimeMs(text: string): number | null {
  const match = /^(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)$/.exec(text.trim());
  if (match === null) return null;
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  return Math.round(
    (((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60_000 + (seconds ?? 0) * 1000,
  );
}
