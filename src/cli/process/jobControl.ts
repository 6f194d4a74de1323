/**
 * Ctrl-Z and `fg`: workerd has a process group of its own (`watchdog.ts`), so a stop of the command's group is passed
 * on to it. Otherwise a command that looks stopped would go on calling.
 */
import { isAlive, type ProcessId } from "./processes.ts";

/** From here on workerd stops and continues with this process; returns what ends that. */
export function stopTogether(workerd: () => ProcessId | null): () => void {
  const signal = (name: NodeJS.Signals) => {
    const id = workerd();
    if (id === null || !isAlive(id)) return;
    try {
      process.kill(id.pid, name);
    } catch {
      // It has ended in between.
    }
  };
  const stop = () => {
    signal("SIGSTOP");
    process.kill(process.pid, "SIGSTOP");
  };
  const goOn = () => signal("SIGCONT");
  process.on("SIGTSTP", stop);
  process.on("SIGCONT", goOn);
  return () => {
    process.removeListener("SIGTSTP", stop);
    process.removeListener("SIGCONT", goOn);
  };
}
