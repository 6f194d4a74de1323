/** The console of the lanes' isolate, in which tasks speak; what Weir itself has to say there is not marked. */
import { markSaid } from "../../core/taskSays.ts";

const LEVELS = ["debug", "info", "log", "warn", "error"] as const;

let warn = (line: string): void => console.warn(line);

/** From now on what is said on the console is marked as a task's. */
export function markConsole(): void {
  warn = console.warn.bind(console);
  for (const level of LEVELS) {
    const say = console[level].bind(console);
    console[level] = (...said: unknown[]) => say(...markSaid(said));
  }
}

/** A warning of Weir's own. */
export function warnUnmarked(line: string): void {
  warn(line);
}
