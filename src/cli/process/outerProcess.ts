/**
 * The process that the user knows as the command, where that is not this one: `weir.js` on an older Node, or npx.
 *
 * Invariant: when it dies, however it dies, this process ends too. Otherwise a command that was killed would go on
 * unseen. It ends as by Ctrl-C where that is possible, because `timeout` and systemd end npx at once and this process
 * with the same signal; where not, or not in time, as by a crash, which the watchdog and the next start put right.
 */
import { Socket } from "node:net";
import { readOr } from "../runtime/stateFolder.ts";

const LOOK_MS = 500;
/** A call under way ends within this. */
const END_MS = 300_000;

let passedOn: (() => void) | null = null;
let orphaned: (() => void) | null = null;
let isOrphan = false;

/** What to do with a signal that the outer process passed on; null: what this process does with the signal itself. */
export function onPassedOn(listener: (() => void) | null): void {
  passedOn = listener;
}

/** What to do when the outer process is gone; null: this process ends at once. */
export function onOrphaned(listener: (() => void) | null): void {
  orphaned = listener;
}

/** Ties this process to the outer one, where there is one. */
export function tieToOuterProcess(): void {
  tieToOlderNode();
  if (process.env.npm_command === "exec") tieToNpx();
}

/** `weir.js` gave this process a pipe: signals come through it, and it closes when the outer process ends. */
function tieToOlderNode(): void {
  const fd = Number(process.env.WEIR_OUTER_FD ?? "");
  // Not for the processes that this one starts.
  delete process.env.WEIR_OUTER_FD;
  if (!Number.isInteger(fd) || fd < 3) return;
  const pipe = new Socket({ fd, readable: true, writable: false });
  pipe.on("data", (data: Buffer) => {
    for (const signal of data.toString("utf8").split("\n")) {
      if (signal === "") continue;
      if (passedOn !== null) passedOn();
      else process.kill(process.pid, signal as NodeJS.Signals);
    }
  });
  pipe.on("end", outerIsGone);
  pipe.on("error", outerIsGone);
  pipe.unref();
}

/** npx gives no pipe: a process whose parent died gets another one. Between npx and this process stands a shell. */
function tieToNpx(): void {
  const shell = process.ppid;
  const npx = parentOf(shell);
  // Whatever npx runs hands its environment on: this may be a grandchild, started by a script of one's own.
  if (npx === null || !/\bnpm exec\b|\bnpx\b/.test(readOr(`/proc/${npx}/cmdline`, ""))) return;
  setInterval(() => {
    if (process.ppid !== shell || parentOf(shell) !== npx) outerIsGone();
  }, LOOK_MS).unref();
}

/** Null where the system does not say. */
function parentOf(pid: number): number | null {
  const stat = readOr(`/proc/${pid}/stat`, "");
  return stat === "" ? null : Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

function outerIsGone(): void {
  if (isOrphan) return;
  isOrphan = true;
  if (orphaned === null) die();
  else orphaned();
  setTimeout(die, END_MS).unref();
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}
