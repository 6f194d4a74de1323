/** The console of the lanes' isolate, in which only tasks speak (`consumer.ts` keeps the one from before). */
import { markSaid } from "../core/taskSays.ts";

const LEVELS = ["debug", "info", "log", "warn", "error"] as const;

/** From now on what is said is marked as a task's. */
export function markConsole(): void {
  for (const level of LEVELS) {
    const say = console[level].bind(console);
    console[level] = (...said: unknown[]) => say(...markSaid(said));
  }
}
