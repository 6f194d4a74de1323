/**
 * The watchdog: sees to it that workerd never outlives the command, whatever kills the command.
 *
 * Two small shell scripts. workerd is started through one that writes down its pid and start time and then
 * *becomes* workerd, so there is no instant at which it runs unrecorded. The other holds the read end of a pipe
 * whose write end is the command's: the kernel closes it when the command dies, and the script ends workerd. It
 * looks again for five seconds, for the command may have died while workerd was starting.
 *
 * Invariant: a pid is signalled only while its start time is the one recorded.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { readOr, type StateFolder } from "../runtime/stateFolder.ts";
import type { ProcessId } from "./processes.ts";

/** Prints a process's start time as `processes.ts` does; nothing when there is no such process. */
const START_TIME = `
start_time() {
  if [ -d /proc/self ]; then
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    set -- \${stat##*) }
    echo "\${20}"
  else
    set -- $(LC_ALL=C TZ=UTC ps -o lstart= -p "$1")
    echo "$*"
  fi
}`;

/**
 * What is sent to the command's process group (Ctrl-C, `timeout`, systemd) must not end workerd before its lanes have
 * committed, and workerd takes SIGTERM for itself whatever it inherits: so it gets a group of its own, by `setsid`, or
 * by perl where there is none (macOS). What stops the command stops it too (`jobControl.ts`).
 */
const BECOME_WORKERD = `#!/bin/sh
trap '' INT HUP TERM
${START_TIME}
echo "$$ $(start_time $$)" > "$WEIR_PID_FILE"
if command -v setsid >/dev/null 2>&1; then
  exec setsid "$WEIR_WORKERD" "$@"
elif command -v perl >/dev/null 2>&1; then
  exec perl -e 'setpgrp(0, 0); exec { $ARGV[0] } @ARGV' "$WEIR_WORKERD" "$@"
fi
exec "$WEIR_WORKERD" "$@"
`;

const WATCH = `
${START_TIME}
cat >/dev/null
tries=0
while [ $tries -lt 50 ]; do
  pid= ; recorded=
  read -r pid recorded < "$1" 2>/dev/null
  if [ -n "$recorded" ] && [ "$(start_time "$pid")" = "$recorded" ]; then
    kill -9 "$pid"
    exit 0
  fi
  tries=$((tries + 1))
  sleep 0.1
done
`;

export interface Watchdog {
  /** Ends the watchdog; workerd must be gone. */
  release(): void;
}

/** Starts watching. From here on workerd ends with this process. */
export function startWatchdog(folder: StateFolder): Watchdog {
  rmSync(folder.workerdPidFile, { force: true });
  const child: ChildProcess = spawn("/bin/sh", ["-c", WATCH, "weir-watchdog", folder.workerdPidFile], {
    stdio: ["pipe", "ignore", "ignore"],
    // Its own session: a signal for the command's process group must not end it first.
    detached: true,
    cwd: "/",
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin" },
  });
  child.unref();
  return { release: () => child.kill("SIGKILL") };
}

/** Makes Miniflare start `workerd` through the script that records its pid. */
export function recordWorkerd(folder: StateFolder, workerd: string): void {
  writeFileSync(folder.workerdScript, BECOME_WORKERD, { mode: 0o700 });
  process.env.WEIR_PID_FILE = folder.workerdPidFile;
  process.env.WEIR_WORKERD = workerd;
  process.env.MINIFLARE_WORKERD_PATH = folder.workerdScript;
}

/** The workerd that was started last, as recorded; null when there is no record. */
export function recordedWorkerd(folder: StateFolder): ProcessId | null {
  const match = /^(\d+) (.+)$/.exec(readOr(folder.workerdPidFile, ""));
  return match === null ? null : { pid: Number(match[1]), startTime: match[2] ?? "" };
}
